"""Cases at the desk: who sees them, who may do what, what is refused and why, and two people at once."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from desk_parts import Agent, Place, form, opened

from bot.cases import numbers
from bot.desk.case_acts import ACTS
from storage import tables
from storage.database import Database

ONE, TWO = numbers.number(1), numbers.number(2)


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    async with opened(sqlite) as place:
        yield place


async def look(agent: Agent, path: str = f"/desk/cases/{ONE}") -> tuple[int, str]:
    async with agent.session.get(path) as answer:
        return answer.status, await answer.text()


async def do(agent: Agent, act: str, number: str = ONE, origin: str | None = "", **fields: str) -> tuple[int, str]:
    """A form of the case's page, sent as it stands there now, unless it says another version."""
    _, page = await look(agent, f"/desk/cases/{number}")
    for name in ("version", "seen"):
        found = re.search(rf'name="{name}" value="(\d+)"', page)
        fields.setdefault(name, found[1] if found else "")
    answer = await form(
        agent.session, f"/desk/cases/{number}/{act}", agent.origin if origin == "" else origin, **fields
    )
    async with answer:
        return answer.status, answer.headers.get("Location", "") or await answer.text()


async def case(place: Place, number: int = 1) -> dict[str, Any]:
    return next(row for row in await place.rows(tables.cases) if row["id"] == number)


def offered(page: str) -> list[str]:
    return re.findall(r'id="act-(\w+)"', page)


async def put(place: Place, agent: Agent, department: str) -> None:
    mine = tables.staff.update().where(tables.staff.c.id == agent.id).values(department=department)
    await place.database.write(lambda connection: connection.execute(mine))


async def test_a_case_goes_its_way_by_its_buttons(place: Place) -> None:
    """Taken, planned, begun, a part given away and acknowledged and returned, resolved; each stands on the timeline
    with who and why, and what is no longer legal is no longer offered."""
    talk = await place.say("I complain", name="Carla")
    ann = await place.agent("Ann")
    assert "close" not in offered((await look(ann))[1])
    assert (await do(ann, "take"))[1].endswith("?done=take")
    assert (await do(ann, "plan", plan="We send a new one", tell="on"))[0] == 303
    assert (await do(ann, "begin"))[0] == 303
    assert "begin" not in offered((await look(ann))[1])
    assert (await do(ann, "give_part", department="quality", required="Find the parcel"))[0] == 303
    assert (await do(ann, "findings", cause="A <b>bad</b> batch", countermeasure="", result=""))[0] == 303
    (part,) = await place.rows(tables.case_tasks)
    assert (part["kind"], part["department"], part["state"]) == ("sub_task", "quality", "waiting")
    eve = await place.agent("Eve", "supervisor")
    tasks = f"tasks/{part['id']}"
    assert (await do(eve, f"{tasks}/acknowledged"))[1].endswith("?done=task")
    status, page = await do(eve, f"{tasks}/acknowledged")
    assert (status, "acknowledged already" in page) == (409, True)
    assert "Say why it is returned" in (await do(eve, f"{tasks}/returned"))[1]
    assert (await do(eve, f"{tasks}/returned", outcome="Not ours"))[0] == 303
    await place.service.settle()
    assert (await do(ann, "resolve", result="It is there"))[0] == 303
    await place.service.settle()
    status, page = await look(ann)
    assert status == 200
    for words in ("Waiting for the rating", "We send a new one", "A &lt;b&gt;bad&lt;/b&gt; batch", "Not ours", "Eve"):
        assert words in page, words
    assert not {"plan", "begin", "resolve", "ask"} & set(offered(page))
    said = json.dumps(await ann.talk(talk), ensure_ascii=False)
    assert "We send a new one" in said
    assert "It is there" in said
    await place.tap("Excellent")
    row = await case(place)
    assert (row["state"], row["owner_id"], row["score"]) == ("closed", ann.id, 100)
    assert offered((await look(ann))[1]) == ["reopen", "split", "findings"]
    assert (await do(ann, "reopen", reason=" "))[0] == 422
    assert (await do(ann, "reopen", reason="It broke again"))[0] == 303
    assert ((await case(place))["state"], (await case(place))["attempt"]) == ("reopened", 2)


async def test_cases_of_one_matter_lead_to_each_other(place: Place) -> None:
    """Who is called for a crowd sees all of it: from one case to the others, and to the list of them."""
    for visitor in ("v1", "v2", "v3"):
        await place.say("I complain", visitor)
    ann = await place.agent("Ann", "supervisor")
    values = {"topic": "logistics:damage", "opened_at": place.clock.now(), "active_at": place.clock.now()}
    of_two = tables.cases.update().where(tables.cases.c.id < 3).values(group_id=1)
    for statement in (tables.case_groups.insert().values(values), of_two):
        await place.database.write(lambda link, it=statement: link.execute(it))  # type: ignore[misc]
    page = (await look(ann))[1]
    assert "The same matter, told by many" in page
    assert f'<a href="/desk/cases/{TWO}">' in page
    assert '<a href="/desk/cases?group=1">' in page
    assert "The same matter, told by many" not in (await look(ann, f"/desk/cases/{numbers.number(3)}"))[1]
    for query, expected in (("group=1", 2), ("group=2", 0), ("group=²", 3), ("", 3)):
        listed = (await look(ann, f"/desk/cases?{query}"))[1]
        assert listed.count('<span class="no">#') == expected, query


async def test_what_the_rules_refuse_is_refused_here_too(place: Place) -> None:
    """Whatever a page that is old still offers: nothing is changed, and the reason stands there."""
    await place.say("I complain")
    ann = await place.agent("Ann", "supervisor")
    before = await case(place)
    for act, fields in (
        ("follow_up", {}),
        ("answered", {"score": "90"}),
        ("answered", {"score": "101"}),
        ("answered", {"score": "²"}),
        ("plan", {"plan": ""}),
        ("plan", {"plan": "x" * 2_001}),
        ("give_back", {"reason": "no"}),
        ("hand_over", {"department": "moon", "required": "x"}),
        ("hand_over", {"department": "quality", "required": "x", "due": "2020-01-01T10:00"}),
        ("hand_over", {"department": "quality", "required": "x", "due": "soon"}),
        ("assign", {"owner": "4711"}),
        ("assign", {"owner": "load"}),
        ("merge", {"into": ONE, "reason": "same"}),
        ("merge", {"into": "1234", "reason": "slip"}),
        ("merge", {"into": TWO, "reason": "no such case"}),
        ("reopen", {"reason": "why not"}),
        ("findings", {"cause": ""}),
    ):
        status, page = await do(ann, act, **fields)
        assert status in (409, 422), (act, status)
        assert 'role="alert"' in page, act
    assert (await do(ann, "close"))[0] == 404
    assert (await do(ann, "plan", number="1234", plan="x"))[0] == 404
    assert (await do(ann, "take", origin="https://evil.example"))[0] == 403
    assert (await do(ann, "take", origin=None))[0] == 403
    assert await case(place) == before


async def test_the_loser_is_told_who_was_faster_and_may_try_again(database: Database) -> None:
    """Two plans on one state of a case: one stands, the other's words are kept in their form with who did what."""
    async with opened(database) as place:
        await place.say("I complain")
        ann, bob = await place.agent("Ann"), await place.agent("Bob")
        assert (await do(ann, "take"))[0] == 303
        page = (await look(bob))[1]
        seen = {name: re.findall(rf'name="{name}" value="(\d+)"', page)[0] for name in ("version", "seen")}
        both = [do(each, "plan", plan=f"{each.name}'s plan", **seen) for each in (ann, bob)]
        answers = await asyncio.gather(*both)
        assert sorted(status for status, _ in answers) == [303, 409]
        lost = next(at for at, (status, _) in enumerate(answers) if status == 409)
        loser, winner = (ann, bob)[lost], (bob, ann)[lost]
        page = answers[lost][1]
        assert f"{winner.name}: Planned" in page
        assert f"{loser.name}&#39;s plan</textarea>" in page
        assert (await case(place))["plan"] == f"{winner.name}'s plan"
        assert (await do(loser, "plan", plan=f"{loser.name}'s plan"))[0] == 303
        assert (await case(place))["plan"] == f"{loser.name}'s plan"


async def test_a_department_looks_and_does_not_touch_what_is_anothers(place: Place) -> None:
    """Agents act on their own cases and their department's, and on those of the conversation that they hold; the hub,
    supervisors, and whoever belongs to no department on all. Tasks are answered by their own department."""
    talk = await place.say("I complain")
    ann, bob, eve = await place.agent("Ann"), await place.agent("Bob"), await place.agent("Eve", "supervisor")
    assert "plan" in offered((await look(ann))[1])
    await put(place, ann, "logistics")
    await put(place, bob, "finance")
    assert (await do(eve, "hand_over", department="quality", required="look"))[0] == 303
    for each in (ann, bob):
        status, page = await look(each)
        assert (status, offered(page)) == (200, [])
        assert "with another department" in page
        for act in ACTS:
            assert (await do(each, act, plan="x", reason="x"))[0] == 403, act
        assert (await do(each, "tasks/1/acknowledged"))[0] == 403
    await put(place, bob, "quality")
    assert (await do(bob, "tasks/1/acknowledged"))[0] == 303
    assert (await do(bob, "give_back", reason="It is about delivery"))[0] == 303
    assert (await case(place))["department"] == place.service.content.departments.hub
    assert "take" not in offered((await look(ann))[1])
    await ann.do("claim", talk)
    assert "plan" in offered((await look(ann))[1])


async def test_whom_a_case_judges_never_sees_it(place: Place) -> None:
    """Not on its page, in no list, not by its number, nor by merging into it; a colleague sees all of it."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    talk = await place.say("a person please", name="Carla")
    await ann.do("claim", talk)
    await ann.reply(talk, "Here you are.")
    await ann.do("resolve", talk)
    await place.service.settle()
    await place.tap("Very poor")
    await place.say("I complain", "v2")
    assert (await look(ann))[0] == 404
    assert (await look(bob))[0] == 200
    for path in ("/desk/cases", "/desk/cases?whose=department", f"/desk/cases?number={ONE}"):
        page = (await look(ann, path))[1]
        assert ONE not in page.replace(f'value="{ONE}"', ""), path
    assert ONE in (await look(bob, "/desk/cases"))[1]
    assert (await do(ann, "plan", plan="x"))[0] == 404
    status, page = await do(ann, "merge", number=TWO, into=ONE, reason="x")
    assert (status, "there is no such case" in page) == (422, True)
    status, page = await do(await place.agent("Eve", "supervisor"), "assign", owner=str(ann.id))
    assert (status, "a rating of this colleague" in page) == (422, True)
    assert (await case(place))["state"] == "acknowledged"


async def test_the_list_finds_what_is_looked_for(database: Database) -> None:
    """Mine, my department's, nobody's, the urgent, the late, the longest waiting first, and by number."""
    async with opened(database) as place:
        for n in range(3):
            await place.say(f"I complain {n}", f"v{n}")
            place.clock.advance(timedelta(hours=1))
        ann = await place.agent("Ann")
        await do(ann, "take", number=TWO)

        async def shown(query: str = "") -> list[str]:
            status, page = await look(ann, f"/desk/cases?{query}")
            assert status == 200
            return re.findall(r'href="/desk/cases/(\d+)"><span', page)

        three = numbers.number(3)
        assert await shown() == [ONE, TWO, three]
        assert await shown("order=new") == [three, TWO, ONE]
        assert await shown("whose=mine") == [TWO]
        assert await shown("whose=nobody") == [ONE, three]
        assert await shown("whose=settled") == []
        assert await shown("urgent=1") == []
        assert await shown("department=logistics&order=due") == [ONE, TWO, three]
        assert await shown("breached=1") == []
        place.clock.advance(timedelta(days=30))
        await place.service.settle()
        ann = await place.agent("Ann again")
        assert set(await shown("breached=1")) == {ONE, TWO, three}
        assert await shown("page=9") == []
        assert await shown("whose=%00&order=drop&page=x&department=%27") == [ONE, TWO, three]
        async with ann.session.get(f"/desk/cases?number=%23{TWO}", allow_redirects=False) as answer:
            assert answer.headers["Location"] == f"/desk/cases/{TWO}"
        _, page = await look(ann, "/desk/cases?number=1234")
        assert "look for a slip" in page


async def test_who_could_not_be_written_to_is_asked_when_they_can(place: Place) -> None:
    """A resolved case whose customer opted out waits for a call; what they say on the phone closes it, or, back on the
    channel, the request for a rating goes out and nobody needs to call."""
    await place.say("I complain")
    ann = await place.agent("Ann", "supervisor")

    async def stopped(at: Any) -> None:
        change = tables.addresses.update().values(stopped_at=at)
        await place.database.write(lambda connection: connection.execute(change))

    await stopped(place.clock.now())
    assert (await do(ann, "resolve", result="Settled"))[0] == 303
    assert (await case(place))["state"] == "resolved"
    status, page = await do(ann, "follow_up")
    assert (status, "Please call them" in page) == (409, True)
    (task,) = await place.rows(tables.case_tasks)
    assert (task["kind"], task["state"]) == ("call_back", "waiting")
    await stopped(None)
    assert (await do(ann, "follow_up"))[0] == 303
    (task,) = await place.rows(tables.case_tasks)
    assert ((await case(place))["state"], task["state"]) == ("following_up", "cancelled")
    assert (await do(ann, "answered", score="40", note="still broken"))[0] == 303
    assert ((await case(place))["state"], (await case(place))["urgency"]) == ("reopened", "important")


async def test_a_part_of_a_case_becomes_one_of_its_own(place: Place) -> None:
    """What the case also is, and what was merged into it by mistake; each once, and both timelines tell of it."""
    await place.say("I complain", name="Carla")
    ann = await place.agent("Ann")
    assert (await do(ann, "split", reason="two matters"))[0] == 422
    assert (await do(ann, "split", part="report:99", reason="no"))[0] == 409
    assert (await do(ann, "split", part="moon:1", reason="no"))[0] == 422
    assert (await do(ann, "split", title="The invoice is wrong too", reason="two matters"))[0] == 303
    assert (await case(place, 2))["title"] == "The invoice is wrong too"
    assert (await do(ann, "merge", number=TWO, into=ONE, reason="no, the same"))[0] == 303
    page = (await look(ann))[1]
    assert "Told again and merged in" in page
    assert (await do(ann, "split", part="merged:2", reason="it was right"))[0] == 303
    page = (await look(ann))[1]
    assert "Told again and merged in" in page
    assert "<b>Split</b>" in page
    assert "Split from" in (await look(ann, f"/desk/cases/{numbers.number(3)}"))[1]


async def test_a_remedy_is_approved_within_limits(place: Place) -> None:
    """An agent's small refund at once, a large one by whoever may; refused and cancelled with a reason; told."""
    await place.say("I complain", name="Carla")
    ann, root = await place.agent("Ann"), await place.agent("Ro", "admin")
    for wrong, words in (
        ({"kind": "gold", "amount": "5"}, "choose what makes good"),
        ({"kind": "refund", "amount": "0"}, "above zero"),
        ({"kind": "refund", "amount": "five"}, "above zero"),
        ({"kind": "refund"}, "needs an amount"),
        ({"kind": "apology"}, "fill in the words"),
    ):
        status, page = await do(ann, "remedy", **wrong)
        assert status in (409, 422), wrong
        assert words in page, wrong
    assert (await do(ann, "remedy", kind="refund", amount="120.50", note="late"))[1].endswith("?done=remedy")
    assert (await do(ann, "remedy", kind="compensation", amount="500"))[0] == 303
    found = await place.rows(tables.case_remedies)
    assert [(row["state"], row["amount"]) for row in found] == [("approved", 12_050), ("proposed", 50_000)]
    status, page = await do(ann, "remedies/2/approved")
    assert (status, "Over your limit" in page) == (409, True)
    assert (await do(root, "remedies/2/approved"))[0] == 303
    assert (await do(ann, "remedies/1/done"))[0] == 303
    assert (await do(root, "remedies/2/cancelled"))[0] == 409
    assert (await do(root, "remedies/2/cancelled", reason="Not needed"))[0] == 303
    assert (await do(root, "remedies/9/done"))[0] == 404
    assert [row["state"] for row in await place.rows(tables.case_remedies)] == ["done", "cancelled"]
    page = (await look(ann))[1]
    for words in ("refund of CNY 120.50", "Remedy approved", "Not needed"):
        assert words in page
