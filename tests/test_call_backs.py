"""Call-backs over a real database: who takes one, what came of it, and what happens when nobody calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from api_parts import Place

from bot.cases import numbers
from bot.cases.call_backs import CallRefused
from bot.contacts import service as people
from bot.contacts.service import Person
from bot.loop.casework import Worker
from storage import tables
from storage.database import Database

Client = TestClient[Any, Any]
CASE = numbers.number(1)
ANNA = Worker("staff:1", 1)


@pytest.fixture
async def place(database: Database) -> Place:
    """Emma complained in the chat; anna and ben are agents."""
    made = Place(database)
    await made.hire("anna")
    await made.hire("ben")
    await made.say("The parcel is damaged and I am very unhappy, order 55667788", "emma")
    return made


@pytest.fixture
async def client(place: Place) -> AsyncIterator[Client]:
    async with place.client() as made:
        yield made


async def post(client: Client, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = await client.post(f"/api/v1/call-backs{path}", json=body)
    return answer.status, await answer.json()


async def listed(client: Client, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/api/v1/call-backs{query}")
    assert answer.status == 200, await answer.text()
    found: list[dict[str, Any]] = (await answer.json())["items"]
    return found


async def alerts(place: Place) -> list[tuple[str, str]]:
    return [(row["kind"], row["audience"]) for row in await place.rows(tables.alerts)]


async def test_a_call_back_is_asked_for_taken_and_told_of(place: Place, client: Client) -> None:
    """Of a case: it counts on the case's deadlines, stands on its timeline, and the customer's word closes the case."""
    await place.say("STOP", "emma")
    await client.post(f"/api/v1/cases/{CASE}/resolutions", json={"agent": "anna", "result": "A new one"})
    [call] = await listed(client, "?open=true")
    assert (call["why"], call["case"], call["owner"], call["tries"]) == ("unreachable", CASE, "anna", 0)
    assert (await post(client, f"/{call['id']}/takings", agent="ben"))[1]["owner"] == "ben"
    status, refused = await post(client, f"/{call['id']}/takings", agent="anna")
    assert (status, refused["code"]) == (409, "taken")
    assert "Ben" in refused["detail"]
    later = place.clock.now() + timedelta(hours=5)
    status, again = await post(
        client, f"/{call['id']}/outcomes", agent="ben", result="again", at=later.isoformat(), note="in a meeting"
    )
    due = later + timedelta(minutes=15)
    assert (status, again["state"], again["due_at"], again["again_at"]) == (200, "acknowledged", _z(due), _z(later))
    clocks = [(row["state"], row["due_at"]) for row in await place.rows(tables.deadlines) if row["kind"] == "call_back"]
    assert clocks == [("cancelled", clocks[0][1]), ("running", due)]
    status, over = await post(
        client, f"/{call['id']}/outcomes", agent="ben", result="reached", note="all well", score=90
    )
    assert (over["state"], over["result"], [each["result"] for each in over["calls"]]) == (
        "done",
        "reached",
        ["again", "reached"],
    )
    [case] = await place.rows(tables.cases)
    assert (case["state"], case["score"]) == ("closed", 90.0)
    assert [row["note"] for row in await place.rows(tables.case_events) if row["kind"] == "called"] == [
        f"again, {later.isoformat(timespec='minutes')}: in a meeting",
        "reached: all well",
    ]
    assert (await post(client, f"/{call['id']}/outcomes", result="reached"))[1]["code"] == "over"


def _z(moment: Any) -> str:
    return str(moment.isoformat()).replace("+00:00", "Z")


async def test_three_calls_in_vain_are_the_end(place: Place, client: Client) -> None:
    """Each is due anew; the third ends it as not reached, and all of them can be read."""
    status, call = await post(client, "", case=CASE, required="Ask about the parcel", agent="anna")
    assert (status, call["why"]) == (201, "asked")
    for tries in (1, 2, 3):
        place.clock.advance(timedelta(hours=1))
        _, call = await post(client, f"/{call['id']}/outcomes", agent="anna", result="not_reached")
        assert call["tries"] == tries
    assert (call["state"], call["result"], len(call["calls"])) == ("done", "not_reached", 3)


async def test_a_call_back_without_a_case_has_a_deadline_too(place: Place, client: Client) -> None:
    """Warned of, breached, escalated: each once and in order, however late it is noticed; a new time begins anew."""
    calling, now = place.service.calling, place.clock.now()
    task = await calling.ask(ANNA, "Say hello", contact_id=1)
    [row] = await place.rows(tables.case_tasks)
    assert row["due_at"] == now + timedelta(hours=24)
    await place.database.write(lambda c: c.execute(tables.deadlines.delete()))  # the complaint's own
    assert await place.service.ticking.next_due() == now + timedelta(hours=23)  # 18 h on it is night
    place.clock.advance(timedelta(hours=23))
    await place.service.ticking.tick()
    assert await alerts(place) == [("warned", "department:service")]
    await calling.take(task, 1)
    place.clock.advance(timedelta(days=30))
    for _ in range(2):
        await place.service.ticking.tick()
    expected = [
        ("warned", "department:service"),
        ("breached", "staff:1"),
        ("escalated", "supervisor"),
        ("escalated", "admin"),
    ]
    assert await alerts(place) == expected
    assert (await listed(client, "?overdue=true"))[0]["overdue"]
    assert await place.service.ticking.next_due() is None
    await calling.outcome(task, ANNA, "not_reached")
    assert await listed(client, "?overdue=true") == []
    place.clock.advance(timedelta(days=30))
    await place.service.ticking.tick()
    assert [kind for kind, _ in await alerts(place)].count("breached") == 2


async def test_of_two_who_take_it_one_wins(place: Place) -> None:
    """And who has it may leave it to a colleague."""
    calling = place.service.calling
    task = await calling.ask(ANNA, "Say hello", contact_id=1)
    results = await asyncio.gather(*(calling.take(task, who) for who in (1, 2)), return_exceptions=True)
    [lost] = [each for each in results if each is not None]
    assert isinstance(lost, CallRefused)
    assert lost.said("zh").startswith("这项回电已由")
    await calling.leave(task)
    await calling.take(task, 2)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"required": "x"}, 422),
        ({"required": "x", "case": CASE, "customer": "c-1"}, 422),
        ({"required": "x", "customer": "nobody"}, 404),
        ({"required": "x", "case": numbers.number(77)}, 404),
        ({"required": "x", "case": CASE[:-1] + str((int(CASE[-1]) + 1) % 10)}, 422),
        ({"required": "", "case": CASE}, 422),
    ],
)
async def test_a_wrong_call_back_is_refused(place: Place, client: Client, body: dict[str, Any], status: int) -> None:
    """With nothing written."""
    assert (await post(client, "", **body))[0] == status
    assert await place.rows(tables.case_tasks) == []


async def test_an_outcome_needs_its_time_and_a_call_back(place: Place, client: Client) -> None:
    """Again without a time, or with one that is past, is refused; so is what is not there."""
    task = await place.service.calling.ask(ANNA, "Say hello", contact_id=1)
    for at in (None, place.clock.now().isoformat()):
        status, refused = await post(client, f"/{task}/outcomes", result="again", at=at)
        assert (status, refused["code"]) == (409, "needs_time")
    assert (await post(client, "/99/outcomes", result="reached"))[0] == 404
    assert (await post(client, "/99/takings", agent="anna"))[0] == 404
    assert (await client.get("/api/v1/call-backs/99")).status == 404


async def test_a_call_back_follows_its_customer(place: Place) -> None:
    """Whoever turns out to be a known customer takes their call-backs with them."""
    await place.service.calling.ask(ANNA, "Say hello", contact_id=1)
    now = place.clock.now()
    person = Person(external_id="c-1", name="Emma")
    await place.database.write(lambda c: people.meet(c, person, [("chat", "a", "emma")], now, "api:crm"))
    [task] = await place.rows(tables.case_tasks)
    [contact] = await place.rows(tables.contacts)
    assert (task["contact_id"], contact["external_id"]) == (contact["id"], "c-1")
