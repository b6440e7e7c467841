"""Pages: what is urgent calls people by mail and webhook, at once and again, until somebody takes it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from api_parts import Place
from click.testing import CliRunner
from loop_parts import START
from receiver_parts import receiver
from smtp_parts import USER, WORD, mail_server
from sqlalchemy import insert

from bot.cases import alerts
from bot.cases.alerts import REPEAT
from bot.cases.paging import Paging
from bot.cli import main
from bot.outgoing.mail import Mail
from bot.outgoing.posts import Post
from bot.outgoing.server import Server
from bot.settings import Settings, SettingsError, load
from storage import tables
from storage.database import Database

URGENT = "The battery of your phone exploded and burned my daughter's hand, she is in hospital, order 12345678"
MAIL: dict[str, Any] = {"smtp_host": "127.0.0.1", "smtp_tls": "none", "smtp_from": "earful@example.com"}


async def reach(place: Place, audience: str, address: str, language: str = "en") -> None:
    values = {"audience": audience, "address": address, "language": language, "created_at": place.clock.now()}
    await place.database.write(lambda connection: connection.execute(insert(tables.pagers).values(values)).rowcount)


async def urgent(place: Place, thread: str = "t1") -> dict[str, Any]:
    """An urgent case; its row."""
    await place.say(URGENT, thread)
    return (await place.rows(tables.cases))[-1]


async def test_an_urgent_case_pages_by_mail_and_webhook_until_somebody_takes_it(database: Database) -> None:
    """At once, then every ten minutes; the repeats are one thread. Nothing a customer wrote is in a mail. Who takes it
    for one ends it for all."""
    async with mail_server() as mail, receiver() as to:
        place = Place(database, **MAIL, smtp_port=mail.port, webhook_networks=["127.0.0.0/8"])
        await place.service.webhooks.create("pager", to.url, ["alert.paged", "alert.taken"], "api:test")
        await reach(place, "supervisor", "lead@example.com")
        await reach(place, "department:product", "produkt@example.com", "zh")
        case = await urgent(place)
        assert case["urgency"] == "urgent"
        assert sorted(each["To"] for each in mail.got) == ["lead@example.com", "produkt@example.com"]
        assert {each.told["type"] for each in to.got} == {"alert.paged"}
        place.clock.advance(REPEAT - timedelta(seconds=1))
        await place.service.settle()
        assert len(mail.got) == 2
        place.clock.advance(timedelta(hours=5))  # we were down: once, not once for every repeat that was missed
        await place.service.settle()
        assert len(mail.got) == 4
        lead = [each for each in mail.got if each["To"] == "lead@example.com"]
        assert lead[1]["In-Reply-To"] == lead[0]["Message-ID"] != lead[1]["Message-ID"]
        assert "nobody has taken it" in lead[1]["Subject"]
        chinese = next(each for each in mail.got if each["To"] == "produkt@example.com")
        assert "紧急工单" in chinese["Subject"]
        for each in mail.got:
            whole = f"{each['Subject']}\n{each.get_content()}"
            assert "/desk/alerts" in whole
            assert not any(word in whole for word in ("battery", "daughter", "12345678"))
            assert each["Auto-Submitted"] == "auto-generated"
        assert mail.envelopes[0][0] == "earful@example.com"
        async with place.client() as client:
            listed = await (await client.get("/api/v1/alerts?taken=false&kind=urgent")).json()
            answer = await client.post(f"/api/v1/alerts/{listed['items'][0]['id']}/take", json={})
            assert answer.status == 200
            assert (await (await client.get("/api/v1/alerts?taken=false&kind=urgent")).json())["items"] == []
        place.clock.advance(timedelta(days=1))
        await place.service.settle()
        assert len(mail.got) == 4
        assert [each.told["type"] for each in to.got].count("alert.taken") == 2


async def test_who_takes_the_case_has_taken_its_pages(database: Database) -> None:
    """Claiming its conversation is enough: nobody is called for what somebody is at."""
    async with mail_server() as mail:
        place = Place(database, **MAIL, smtp_port=mail.port)
        await reach(place, "supervisor", "lead@example.com")
        case = await urgent(place)
        await place.hire("anna")
        async with place.client() as client:
            answer = await client.post(f"/api/v1/conversations/{case['conversation_id']}/claim", json={"agent": "anna"})
            assert answer.status == 200
        rows = await place.rows(tables.alerts)
        assert all(row["taken_by"].startswith("staff:") for row in rows if row["pages"])
        place.clock.advance(timedelta(hours=1))
        await place.service.settle()
        assert len(mail.got) == 1


async def test_a_page_that_waits_for_a_mail_server_is_dropped_when_somebody_takes_it(sqlite: Database) -> None:
    """And what does not arrive is tried again, shown, and repeated all the same."""
    async with mail_server() as mail:
        place = Place(sqlite, **MAIL, smtp_port=mail.port)
        await reach(place, "supervisor", "lead@example.com")
        mail.refusal = "451 later"
        await urgent(place)
        assert (await place.rows(tables.posts))[0]["reason"] == "the mail server answered 451"
        place.clock.advance(timedelta(seconds=10))
        mail.refusal = ""
        await place.service.settle()
        assert len(mail.got) == 1
        mail.refusal = "451 later"
        place.clock.advance(REPEAT)
        await place.service.settle()
        alert = next(row for row in await place.rows(tables.alerts) if row["audience"] == "supervisor")
        now = place.clock.now()
        assert await place.database.write(lambda connection: alerts.take(connection, alert["id"], "staff:1", now))
        mail.refusal = ""
        place.clock.advance(REPEAT)
        await place.service.settle()
        assert len(mail.got) == 1
        assert [row["state"] for row in await place.rows(tables.posts)] == ["sent", "dropped"]


@pytest.mark.parametrize(("refusal", "state"), [("550 no such box", "dead"), ("450 full", "waiting")])
async def test_what_a_mail_server_will_never_take_is_not_tried_again(
    sqlite: Database, refusal: str, state: str
) -> None:
    """Its next repeat is."""
    async with mail_server() as mail:
        place = Place(sqlite, **MAIL, smtp_port=mail.port)
        await reach(place, "supervisor", "nobody@example.com")
        mail.refusal = refusal
        await urgent(place)
        assert [row["state"] for row in await place.rows(tables.posts)] == [state]


async def test_of_two_processes_one_pages(postgresql: Database) -> None:
    """However many look at the same moment."""
    place = Place(postgresql)
    await reach(place, "supervisor", "lead@example.com")
    await place.say("hello", "t0")
    found = [alerts.Alert("urgent", f"x:{each}", "supervisor", place.clock.now(), pages=True) for each in range(5)]
    await postgresql.write(lambda connection: alerts.raise_all(connection, found))
    pagers = [Paging(postgresql, place.clock, place.service.ticking.house) for _ in range(4)]
    assert sum(await asyncio.gather(*(each.page() for each in pagers))) == 5
    assert await place.count(tables.posts) == 5


async def test_starttls_and_a_password_with_a_certificate_that_is_looked_at(tmp_path: Path) -> None:
    """As real mail servers want it. A wrong password, or a certificate nobody vouches for, is said with its remedy,
    and costs no page its other attempts."""
    async with mail_server(tmp_path) as mail:
        good = Server("127.0.0.1", mail.port, "starttls", USER, WORD, "earful@example.com", mail.trust)
        page = Post(
            id=1,
            key="page-1",
            kind="urgent",
            data={"language": "en", "number": "1007", "since": "2026-03-05T02:00:00+00:00", "repeat": 1},
            at=START,
            since=START,
            attempts=1,
            address="lead@example.com",
        )
        made = Mail(good, "Earful", "http://localhost/desk", Settings().zone)
        assert (await made.send(page)).ok
        assert await made.check() is None
        assert "1007" in mail.got[0]["Subject"]
        wrong = Mail(
            Server("127.0.0.1", mail.port, "starttls", USER, "no", "e@example.com", mail.trust), "E", "", made.zone
        )
        refused = await wrong.send(page)
        assert (refused.ok, refused.final, refused.status) == (False, False, 535)
        assert "EARFUL_SMTP_PASSWORD" in str(await wrong.check())
        untrusted = Mail(replace(good, trust=None), "E", "", made.zone)
        assert not (await untrusted.send(page)).ok
        assert "EARFUL_SMTP_TLS" in str(await untrusted.check())
        assert len(mail.got) == 1


async def test_check_tries_the_mail_server(tmp_path: Path) -> None:
    """`earful check` greets it, and says what to mend."""

    def checked(port: int) -> Any:
        given = {f"EARFUL_{name.upper()}": value for name, value in MAIL.items()}
        told = given | {"EARFUL_SMTP_PORT": str(port), "EARFUL_DATA_DIR": str(tmp_path)}
        return CliRunner(env=told).invoke(main, ["check"])

    async with mail_server() as mail:
        result = await asyncio.to_thread(checked, mail.port)
        assert result.exit_code == 0, result.output
        assert f"mail       ok     127.0.0.1:{mail.port}" in result.output
    result = await asyncio.to_thread(checked, mail.port)
    assert result.exit_code == 1
    assert "EARFUL_SMTP_HOST" in result.output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SMTP_HOST": "m"}, "smtp_from"),
        ({"SMTP_HOST": "m", "SMTP_FROM": "not an address"}, "smtp_from"),
        ({"SMTP_HOST": "m", "SMTP_FROM": "a@b.example", "SMTP_USERNAME": "x"}, "smtp_password"),
        (
            {
                "SMTP_HOST": "m",
                "SMTP_FROM": "a@b.example",
                "SMTP_USERNAME": "x",
                "SMTP_PASSWORD": "hush",
                "SMTP_TLS": "none",
            },
            "in the clear",
        ),
        ({"SMTP_TLS": "ssl"}, "starttls, tls, none"),
        ({"SMTP_PORT": "0"}, "1 or more"),
        ({"WEBHOOK_NETWORKS": '["10.0.0.0/99"]'}, "10.0.0.0/8"),
    ],
)
def test_settings_of_mail_that_cannot_work_stop_the_start(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do; a password is never repeated."""
    for name, value in given.items():
        monkeypatch.setenv(f"EARFUL_{name}", value)
    with pytest.raises(SettingsError) as error:
        load()
    assert said in str(error.value)
    assert "hush" not in str(error.value)


def test_the_password_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like every secret; and it is not shown."""
    (tmp_path / "word").write_text("hush\n")
    given = {"HOST": "m", "FROM": "a@b.example", "USERNAME": "x", "PASSWORD_FILE": str(tmp_path / "word")}
    for name, value in given.items():
        monkeypatch.setenv(f"EARFUL_SMTP_{name}", value)
    found = load()
    assert found.mail_server.password == "hush"
    assert "hush" not in f"{found!r}{found.mail_server!r}"
