"""The call-back list at the desk: who calls whom, of two one takes it, and what came of each call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from desk_parts import Agent, Place, form, opened

from bot.cases import numbers
from storage import tables
from storage.database import Database

CALLS, ONE = "/desk/call-backs", numbers.number(1)


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    async with opened(sqlite) as place:
        yield place


async def send(agent: Agent, path: str, **fields: str) -> tuple[int, str]:
    answer = await form(agent.session, path, agent.origin, **fields)
    async with answer:
        return answer.status, answer.headers.get("Location", "") or await answer.text()


async def look(agent: Agent, whose: str = "open") -> str:
    async with agent.session.get(f"{CALLS}?whose={whose}") as answer:
        assert answer.status == 200
        return await answer.text()


async def the_task(place: Place) -> dict[str, Any]:
    return (await place.rows(tables.case_tasks))[0]


async def asked(place: Place, agent: Agent) -> int:
    """A complaint of somebody whom the agent wants called."""
    await place.say("I complain", name="Carla")
    status, where = await send(agent, f"/desk/cases/{ONE}/call_back", required="Ask when they are at home")
    assert (status, where) == (303, f"/desk/cases/{ONE}?done=call_back")
    return int((await the_task(place))["id"])


async def test_a_call_is_taken_tried_and_told_of(place: Place) -> None:
    """Not reached it is due again, at the customer's wish it is due then, reached it is over: all of it stands there
    and on the case's timeline."""
    ann = await place.agent("Ann")
    task = await asked(place, ann)
    path = f"{CALLS}/{task}"
    page = await look(ann)
    assert "Ask when they are at home" in page
    assert "Asked for" in page
    assert "No telephone number" in page
    assert (await send(ann, f"{path}/take"))[1] == f"{CALLS}?done=take"
    assert "Ask when they are at home" in await look(ann, "mine")
    assert (await send(ann, f"{path}/outcome", result="not_reached", note="engaged"))[1] == f"{CALLS}?done=again"
    for wrong, words in (
        ({}, "choose an outcome"),
        ({"result": "gone"}, "choose an outcome"),
        ({"result": "again", "note": "kept"}, "choose the time"),
        ({"result": "again", "due": "2020-01-01T10:00"}, "has to lie ahead"),
        ({"result": "reached", "score": "900"}, "from 0 to 100"),
    ):
        status, page = await send(ann, f"{path}/outcome", **wrong)
        assert (status, words in page) == (422, True), wrong
        assert "kept" not in wrong.values() or ">kept</textarea>" in page
    assert (await send(ann, f"{path}/outcome", result="again", due="2026-03-06T15:00"))[1] == f"{CALLS}?done=again"
    page = await look(ann)
    assert "The customer asked for" in page
    assert "Tomorrow 15:00" in page
    place.clock.advance(timedelta(hours=2))
    assert (await send(ann, f"{path}/outcome", result="reached", note="After six"))[1] == f"{CALLS}?done=over"
    assert "Nobody to call" in await look(ann)
    page = await look(ann, "over")
    assert re.findall(r"<p><b>([^<]*)</b>", page) == ["Not reached", "Call again at", "Reached"]
    assert (await send(ann, f"{path}/outcome", result="reached"))[0] == 409
    async with ann.session.get(f"/desk/cases/{ONE}") as answer:
        page = await answer.text()
    assert page.count("<b>Called</b>") == 3
    assert "Call-back asked for" in page


async def test_of_two_who_take_a_call_one_is_told(database: Database) -> None:
    """Who has it stands there; left, it is anybody's again."""
    async with opened(database) as place:
        ann, bob = await place.agent("Ann"), await place.agent("Bob")
        path = f"{CALLS}/{await asked(place, ann)}"
        answers = await asyncio.gather(send(ann, f"{path}/take"), send(bob, f"{path}/take"))
        assert sorted(status for status, _ in answers) == [303, 409]
        lost = next(at for at, (status, _) in enumerate(answers) if status == 409)
        assert f"{('Bob', 'Ann')[lost]} has already taken this call-back" in answers[lost][1]
        assert (await send((bob, ann)[lost], f"{path}/leave"))[0] == 303
        assert (await send((ann, bob)[lost], f"{path}/take"))[0] == 303


async def test_a_call_about_the_result_closes_the_case(place: Place) -> None:
    """What they say on the telephone is their rating; whom the case judges sees no such call."""
    ann = await place.agent("Ann", "supervisor")
    await place.say("I complain", name="Carla")
    stop = tables.addresses.update().values(stopped_at=place.clock.now())
    await place.database.write(lambda connection: connection.execute(stop))
    assert (await send(ann, f"/desk/cases/{ONE}/resolve", result="A new one"))[0] == 303
    page = await look(ann)
    assert "Cannot be written to" in page
    assert 'name="score"' in page
    task = (await the_task(place))["id"]
    assert (await send(ann, f"{CALLS}/{task}/outcome", result="reached", score="100"))[1] == f"{CALLS}?done=over"
    (case,) = await place.rows(tables.cases)
    assert (case["state"], case["score"]) == ("closed", 100)


async def test_calls_are_their_departments_and_nobody_elses(place: Place) -> None:
    """Another department neither sees nor touches them; nor does whoever the case is about, nor another site."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    task = await asked(place, ann)
    finance = tables.staff.update().where(tables.staff.c.id == bob.id).values(department="finance")
    await place.database.write(lambda connection: connection.execute(finance))
    assert "Nobody to call" in await look(bob)
    for act in ("take", "leave", "outcome"):
        assert (await send(bob, f"{CALLS}/{task}/{act}", result="reached"))[0] == 403
    assert (await send(ann, f"{CALLS}/999/take"))[0] == 404
    answer = await form(ann.session, f"{CALLS}/{task}/take", "https://evil.example")
    assert answer.status == 403
    judged = tables.surveys.insert().values(
        contact_id=1, definition="x", state="answered", judged=f"staff:{ann.id}", created_at=place.clock.now()
    )
    await place.database.write(lambda connection: connection.execute(judged))
    about = tables.cases.update().values(origin="survey:1")
    await place.database.write(lambda connection: connection.execute(about))
    assert "Nobody to call" in await look(ann)
    assert (await send(ann, f"{CALLS}/{task}/take"))[0] == 404
    assert (await the_task(place))["state"] == "waiting"
