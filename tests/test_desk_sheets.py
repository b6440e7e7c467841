"""The desk's pages beside the console: who may see them, and what an administrator changes there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from desk_parts import Agent, Place, form, opened
from sqlalchemy import insert

from bot.staff.figures import FEWEST
from channels.base import Capabilities, Outgoing, Rejected, Sent
from storage import tables
from storage.database import Database

ADMIN = (
    "/desk/admin",
    "/desk/admin/channels",
    "/desk/admin/tokens",
    "/desk/admin/house",
    "/desk/admin/paging",
    "/desk/admin/webhooks",
)
SUPERVISION = ("/desk/team", "/desk/admin/replies", "/desk/admin/knowledge")


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    async with opened(sqlite) as place:
        yield place


async def send(agent: Agent, path: str, origin: str | None = "", **fields: str) -> tuple[int, str]:
    """A form of a page, sent; what it answers. `origin` None: from nowhere."""
    answer = await form(agent.session, path, agent.origin if origin == "" else origin, **fields)
    async with answer:
        return answer.status, answer.headers.get("Location", "") or await answer.text()


async def test_each_role_sees_its_own_pages(place: Place) -> None:
    """An agent their figures, a supervisor the team as well, an administrator everything; strangers the door."""
    agent, eve, root = (
        await place.agent("Ann"),
        await place.agent("Eve", "supervisor"),
        await place.agent("Ro", "admin"),
    )
    for path in ("/desk/figures", *SUPERVISION, *ADMIN):
        seen = []
        for each in (agent, eve, root):
            async with each.session.get(path) as answer:
                seen.append(answer.status)
        expected = [200] * 3 if path == "/desk/figures" else [403, 200, 200] if path in SUPERVISION else [403, 403, 200]
        assert seen == expected, path
        stranger = await place.browser()
        async with stranger.get(path, allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/desk/sign-in"


async def test_what_changes_people_is_an_administrators_own_page(place: Place) -> None:
    """From another site, or by another role, nothing is changed."""
    eve, root = await place.agent("Eve", "supervisor"), await place.agent("Ro", "admin")
    fields = {"login": "mallory", "name": "M", "role": "admin"}
    assert (await send(eve, "/desk/admin", **fields))[0] == 403
    assert (await send(root, "/desk/admin", origin="https://evil.example", **fields))[0] == 403
    assert (await send(root, "/desk/admin", origin=None, **fields))[0] == 403
    assert (await send(root, f"/desk/admin/people/{eve.id}/disable", origin=None))[0] == 403
    assert [row["login"] for row in await place.rows(tables.staff)] == ["eve", "ro"]
    assert all(row["disabled_at"] is None for row in await place.rows(tables.staff))


async def test_people_are_added_placed_and_disabled(place: Place) -> None:
    """The one-time password is shown once, the last administrator stays, and all of it stands in the audit."""
    root = await place.agent("Ro", "admin")
    status, page = await send(root, "/desk/admin", login="Lin", name='Lin <b>&"', role="agent")
    assert status == 200
    assert "Lin &lt;b&gt;&amp;&#34;" in page
    assert "<b>&" not in page
    lin = next(row for row in await place.rows(tables.staff) if row["login"] == "lin")
    assert lin["must_change"]
    assert (await send(root, "/desk/admin", login="lin", name="Lin", role="agent"))[0] == 422
    key = next(iter(place.service.content.departments.names))
    change = f"/desk/admin/people/{lin['id']}/change"
    assert (await send(root, change, role="supervisor", department=key))[1] == "/desk/admin?done=saved"
    assert (await send(root, change, role="agent", department="moon"))[0] == 400
    assert (await send(root, change, role="king", department=key))[0] == 422
    own = f"/desk/admin/people/{root.id}"
    assert (await send(root, f"{own}/change", role="agent", department=""))[0] == 422
    assert (await send(root, f"{own}/disable"))[0] == 422
    assert (await send(root, f"/desk/admin/people/{lin['id']}/password"))[0] == 200
    assert (await send(root, f"/desk/admin/people/{lin['id']}/disable"))[1] == "/desk/admin?done=disabled"
    assert (await send(root, "/desk/admin/people/999/disable"))[0] == 404
    lin = next(row for row in await place.rows(tables.staff) if row["login"] == "lin")
    assert (lin["role"], lin["department"], lin["disabled_at"] is None) == ("supervisor", key, False)
    actions = [(row["actor"], row["action"]) for row in await place.rows(tables.audit)]
    assert {action for _, action in actions} == {"staff_added", "staff_placed", "password_set", "staff_disabled"}
    assert {actor for actor, _ in actions} == {f"staff:{root.id}"}


async def test_tokens_are_shown_once(place: Place) -> None:
    """Made, used, revoked; the page never shows one again."""
    root = await place.agent("Ro", "admin")
    status, page = await send(root, "/desk/admin/tokens", name="crm", scope="cases:read")
    assert status == 200
    secret = next(word for word in page.split('"') if word.startswith("earful_"))
    async with root.session.get("/desk/admin/tokens") as answer:
        later = await answer.text()
    assert "crm" in later
    assert secret not in later
    assert (await send(root, "/desk/admin/tokens", name="none"))[0] == 422
    assert (await send(root, "/desk/admin/tokens/revoke", name="crm"))[1] == "/desk/admin/tokens?done=revoked"
    assert (await send(root, "/desk/admin/tokens/revoke", name="crm"))[0] == 422


async def test_ready_replies_are_written_replaced_and_removed(place: Place) -> None:
    """One a shortcut, language and department; what cannot be one says what to do."""
    eve = await place.agent("Eve", "supervisor")
    good = {
        "shortcut": "refund",
        "language": "en",
        "department": "",
        "title": "Refund",
        "text": "{customer}, it is done.",
    }
    assert (await send(eve, "/desk/admin/replies", **good))[0] == 303
    assert (await send(eve, "/desk/admin/replies", **good | {"text": "Done, {customer}."}))[0] == 303
    (row,) = await place.rows(tables.canned_replies)
    assert row["text"] == "Done, {customer}."
    for bad in ({"shortcut": "a b"}, {"shortcut": ""}, {"language": "xx"}, {"department": "moon"}, {"text": " "}):
        assert (await send(eve, "/desk/admin/replies", **good | bad))[0] == 422
    assert (await send(eve, f"/desk/admin/replies/{row['id']}/remove"))[0] == 303
    assert await place.rows(tables.canned_replies) == []


class Elsewhere:
    """A platform that takes messages, until it does not."""

    capabilities = Capabilities(text_limit=100, window=timedelta(hours=24))

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.refuses = False

    async def send(self, outgoing: Outgoing) -> Sent:
        if self.refuses:
            raise Rejected("the number is not allowed: add it to the sandbox")
        self.sent.append(outgoing)
        return Sent("1")


async def test_a_test_message_goes_through_the_channel(place: Place) -> None:
    """To the administrator's own address; what the platform answers is told. Its webhook's address stands there."""
    root, elsewhere = await place.agent("Ro", "admin"), Elsewhere()
    place.service.adapters["twilio", "main"] = elsewhere  # type: ignore[assignment] # as much of one as is used
    async with root.session.get("/desk/admin/channels") as answer:
        assert f"{place.service.settings.address}/hooks/twilio/main" in await answer.text()
    test = "/desk/admin/channels/twilio/main/test"
    assert (await send(root, test, address=" +8613800138000 "))[1] == "/desk/admin/channels?done=sent"
    assert [each.address for each in elsewhere.sent] == ["+8613800138000"]
    elsewhere.refuses = True
    status, page = await send(root, test, address="1")
    assert status == 502
    assert "add it to the sandbox" in page
    assert (await send(root, "/desk/admin/channels/web/default/test", address="1"))[0] == 404
    assert (await send(root, test, address=" "))[0] == 404


async def test_figures_are_true_and_ratings_only_together(place: Place) -> None:
    """What was taken and answered, how fast; four ratings are not shown, five are, as an average."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    for n, wait in enumerate((1, 2, 9)):
        talk = await place.say("a person please", f"v{n}")
        await ann.do("claim", talk)
        place.clock.advance(timedelta(minutes=wait))
        await ann.reply(talk, "Hello", f"k{n}")
    await ann.do("resolve", talk)
    await place.service.settle()

    async def page(agent: Agent, query: str = "") -> str:
        async with agent.session.get(f"/desk/figures{query}") as answer:
            return " ".join((await answer.text()).split())

    text = await page(ann)
    for name, value in (("Taken", 3), ("Replies", 3), ("Resolved", 1)):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in text
    assert "<dd>2 min</dd>" in text
    await rated(place, ann, [20.0, 100.0, 100.0, 100.0])
    assert "/ 100" not in await page(ann)
    await rated(place, ann, [80.0])
    assert FEWEST == 5
    assert "<dd>80<small> / 100 · 5 ratings" in await page(ann)
    assert "<dt>Taken</dt><dd>0</dd>" in await page(bob, f"?agent={ann.id}")  # another agent sees their own
    eve = await place.agent("Eve", "supervisor")
    assert "<dt>Taken</dt><dd>3</dd>" in await page(eve, f"?agent={ann.id}")


async def rated(place: Place, agent: Agent, scores: list[float]) -> None:
    """Customers judged the agent."""
    (contact, *_) = await place.rows(tables.contacts)
    now = place.clock.now()

    def work(connection: Any) -> None:
        for score in scores:
            values = {"contact_id": contact["id"], "definition": "agent", "state": "answered", "created_at": now}
            made = (
                insert(tables.surveys).values(values | {"judged": f"staff:{agent.id}"}).returning(tables.surveys.c.id)
            )
            survey = connection.execute(made).scalar_one()
            given = {"survey_id": survey, "value": score, "score": score, "source": "tap", "received_at": now}
            connection.execute(insert(tables.ratings).values(given))

    await place.database.write(work)


async def test_the_team_is_seen_as_it_is(place: Place) -> None:
    """Who waits, for how long, and which cases are past their deadline."""
    eve = await place.agent("Eve", "supervisor")
    await place.say("I complain", "v1")
    await place.say("a person please", "v2")
    place.clock.advance(timedelta(hours=11))
    async with eve.session.get("/desk/team") as answer:
        page = " ".join((await answer.text()).split())
    assert "<dt>Waiting</dt><dd>1</dd>" in page
    assert "<dt>Longest wait</dt><dd>11 h 0 min</dd>" in page
    assert "<dt>Overdue cases</dt><dd>0</dd>" in page
    place.clock.advance(timedelta(days=3))
    async with (await place.agent("Max", "supervisor")).session.get("/desk/team") as answer:
        page = " ".join((await answer.text()).split())
    assert "<dt>Overdue cases</dt><dd>1</dd>" in page
    assert "I complain" in page
