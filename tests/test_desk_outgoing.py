"""The desk's side of what goes out: pages that somebody takes, whom they reach by mail, webhooks and dead letters."""

from __future__ import annotations

import re
from typing import Any

from desk_parts import Place, form, opened
from receiver_parts import receiver
from smtp_parts import mail_server
from sqlalchemy import update
from standardwebhooks import Webhook

from bot.cases import alerts
from bot.cases.alerts import Alert
from storage import tables
from storage.database import Database


async def urgent(place: Place) -> int:
    """A case that pages supervisors and its department; its conversation."""
    talk = await place.say("I complain")
    case, now = (await place.rows(tables.cases))[0], place.clock.now()
    called = [
        Alert("urgent", f"case:{case['id']}:urgent", audience, now, case["id"], pages=True)
        for audience in ("supervisor", f"department:{case['department']}")
    ]
    await place.database.write(lambda connection: alerts.raise_all(connection, called))
    await place.service.settle()
    return talk


async def test_a_page_shows_at_the_desk_of_those_it_calls_until_one_takes_it(database: Database) -> None:
    """Supervisors see it, agents of the department, no other agent; whoever is second is told so."""
    async with opened(database) as place:
        lead, ann, ben = await place.agent("Lea", "supervisor"), await place.agent("Ann"), await place.agent("Ben")
        talk = await urgent(place)
        department = (await place.rows(tables.cases))[0]["department"]
        moved = update(tables.staff).where(tables.staff.c.id == ann.id).values(department=department)
        await place.database.write(lambda connection: connection.execute(moved).rowcount)
        mine = (await ann.get("alerts"))["alerts"]
        assert [(each["conversation"], each["repeats"]) for each in mine] == [(talk, 1)]
        assert "is urgent" in mine[0]["words"]
        assert len((await lead.get("alerts"))["alerts"]) == 1, "called twice for one thing it is seen once"
        assert (await ben.get("alerts"))["alerts"] == []
        assert (await ben.post(f"alerts/{mine[0]['id']}/take"))[0] == 409
        assert (await ann.post(f"alerts/{mine[0]['id']}/take"))[0] == 200
        assert (await lead.post(f"alerts/{mine[0]['id']}/take"))[1]["error"] == "alert_taken"
        assert (await lead.get("alerts"))["alerts"] == []
        taken = [row["taken_by"] for row in await place.rows(tables.alerts) if row["pages"]]
        assert set(taken) == {f"staff:{ann.id}"}


async def test_the_sheet_lists_what_calls_and_takes_it_without_a_script(sqlite: Database) -> None:
    """Every page of the desk works as a page."""
    async with opened(sqlite) as place:
        lead = await place.agent("Lea", "supervisor")
        await urgent(place)
        text = await (await lead.session.get("/desk/alerts")).text()
        path = re.search(r'action="(/desk/alerts/\d+/take)"', text)
        assert path is not None
        refused = await form(lead.session, path[1], "http://evil.example")
        assert refused.status == 403
        answer = await form(lead.session, path[1], lead.origin)
        assert (answer.status, answer.headers["Location"]) == (303, "/desk/alerts?done=taken")
        assert "Nothing calls" in await (await lead.session.get("/desk/alerts?done=taken")).text()


async def test_whom_pages_reach_is_set_at_the_desk(sqlite: Database) -> None:
    """An address for a role, a department or a person; a test goes there; what is wrong is said and nothing kept."""
    async with (
        mail_server() as mail,
        opened(
            sqlite, smtp_host="127.0.0.1", smtp_port=mail.port, smtp_tls="none", smtp_from="earful@example.com"
        ) as place,
    ):
        admin, agent = await place.agent("Root", "admin"), await place.agent("Ann")
        path = "/desk/admin/paging"
        assert (await agent.session.get(path)).status == 403
        for audience, address in (("supervisor", "lead@example.com"), (f"staff:{agent.id}", "ann@example.com")):
            given = {"audience": audience, "address": address, "language": "en"}
            assert (await form(admin.session, path, admin.origin, **given)).status == 303
        for wrong in (
            {"audience": "supervisor", "address": "no address", "language": "en"},
            {"audience": "supervisor", "address": "a@b.example\r\nBcc: x@y.example", "language": "en"},
            {"audience": "everybody", "address": "a@b.example", "language": "en"},
            {"audience": "supervisor", "address": "a@b.example", "language": "fr"},
        ):
            assert (await form(admin.session, path, admin.origin, **wrong)).status == 422
        rows = await place.rows(tables.pagers)
        assert [row["address"] for row in rows] == ["lead@example.com", "ann@example.com"]
        assert (await form(admin.session, f"{path}/{rows[1]['id']}/test", admin.origin)).status == 303
        await place.service.courier.settle()
        assert [each["To"] for each in mail.got] == ["ann@example.com"]
        mail.refusal = "550 no such box"
        await form(admin.session, f"{path}/{rows[1]['id']}/test", admin.origin)
        await place.service.courier.settle()
        assert "the mail server answered 550" in await (await admin.session.get(path)).text()
        assert (await form(admin.session, f"{path}/{rows[1]['id']}/remove", admin.origin)).status == 303
        assert (await form(admin.session, f"{path}/999/remove", admin.origin)).status == 404
        assert len(await place.rows(tables.pagers)) == 1
        actions = [row["action"] for row in await place.rows(tables.audit)]
        assert actions.count("pager_added") == 2
        assert "pager_removed" in actions


async def test_webhooks_are_made_looked_at_and_replayed_at_the_desk(sqlite: Database) -> None:
    """The secret is shown once; what did not arrive stands there with its reason, and goes again with a click."""
    async with receiver() as to, opened(sqlite, webhook_networks=("127.0.0.0/8",)) as place:
        admin = await place.agent("Root", "admin")
        path = "/desk/admin/webhooks"
        refused = await form(admin.session, path, admin.origin, name="crm", url="http://10.0.0.1/", kind="*")
        assert refused.status == 422
        assert "EARFUL_WEBHOOK_NETWORKS" in await refused.text()
        made = await (await form(admin.session, path, admin.origin, name="crm", url=to.url, kind="case.created")).text()
        secret = re.search(r"whsec_[A-Za-z0-9+/=]+", made)
        assert secret is not None
        Webhook(secret[0])
        assert "whsec_" not in await (await admin.session.get(path)).text()
        here = f"{path}/1"

        async def do(act: str, **fields: Any) -> int:
            return (await form(admin.session, f"{here}/{act}", admin.origin, **fields)).status

        to.status = 410
        await place.say("I complain")
        page = await (await admin.session.get(here)).text()
        assert "it wants no more" in page
        dead = re.search(r'name="post" value="(\d+)"', page)
        assert dead is not None
        to.status = 200
        assert await do("on") == await do("replay", post=dead[1]) == 303
        await place.service.courier.settle()
        assert to.kinds() == ["case.created", "case.created"]
        assert to.got[0].key == to.got[1].key
        assert await do("test") == await do("off") == await do("remove") == 303
        assert await do("test") == await do("nonsense") == 404
        assert (await admin.session.get(here)).status == 404
