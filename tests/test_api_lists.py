"""Lists: what they show, their filters, and pages that stand still while things are added."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from api_parts import Place, address, episode
from loop_parts import START
from sqlalchemy import Connection, insert

from bot.cases import numbers
from storage import tables
from storage.database import Database

Client = TestClient[Any, Any]
SMS = "+8613800138000"


@pytest.fixture
def place(database: Database) -> Place:
    return Place(database)


@pytest.fixture
async def client(place: Place) -> AsyncIterator[Client]:
    async with place.client() as client:
        yield client


async def read(client: Client, path: str, **query: str) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/{path}", params=query)
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def report(place: Place, client: Client, external_id: str, **changes: Any) -> None:
    assert (await client.post("/api/v1/episodes", json=episode(external_id, **changes))).status == 202
    await place.service.settle()


async def test_pages_neither_repeat_nor_miss_what_is_added_meanwhile(place: Place, client: Client) -> None:
    """Newest first; between two pages more surveys come in."""
    for number in range(7):
        await report(place, client, f"e{number}", customer={"id": f"c{number}"}, addresses=[])
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for turn in range(10):
        page = await read(client, "surveys", limit="2", **cursor)
        seen += [item["episode"]["external_id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
        await report(place, client, f"late{turn}", customer={"id": f"l{turn}"}, addresses=[])
    assert seen == [f"e{number}" for number in reversed(range(7))]


async def test_the_last_page_says_so_also_when_it_is_full(place: Place, client: Client) -> None:
    assert await read(client, "surveys") == {"items": [], "next": None}
    for number in range(4):
        await report(place, client, f"e{number}", customer={"id": f"c{number}"}, addresses=[])
    page = await read(client, "surveys", limit="2")
    page = await read(client, "surveys", limit="2", cursor=page["next"])
    assert (len(page["items"]), page["next"]) == (2, None)


async def test_a_cursor_is_of_use_to_its_own_list_only(place: Place, client: Client) -> None:
    """Forged, cut off, or another list's: 400."""
    for number in range(3):
        await report(place, client, f"e{number}", customer={"id": f"c{number}"}, addresses=[])
    cursor = (await read(client, "surveys", limit="1"))["next"]
    for path, given in (("ratings", cursor), ("surveys", cursor[:-1]), ("surveys", "MQ"), ("surveys", "é")):
        answer = await client.get(f"/api/v1/{path}", params={"cursor": given})
        assert answer.status == 400
        assert (await answer.json())["errors"][0]["parameter"] == "cursor"


async def test_surveys_that_were_not_sent_are_listed_with_their_reasons(place: Place, client: Client) -> None:
    await report(place, client, "e1")
    await report(place, client, "e2", customer={"id": "c2"}, addresses=[])
    await report(place, client, "e3", customer={"id": "c3"}, addresses=[address("chat", "7")])
    page = await read(client, "surveys", state="suppressed")
    assert [(item["episode"]["external_id"], item["reason"]) for item in page["items"]] == [
        ("e3", "window_closed"),
        ("e2", "no_address"),
    ]
    assert [item["id"] for item in (await read(client, "surveys", reason="no_address"))["items"]] == [2]
    assert [item["id"] for item in (await read(client, "surveys", episode="e1"))["items"]] == [1]
    assert [item["id"] for item in (await read(client, "surveys", customer="c3"))["items"]] == [3]
    assert (await read(client, "surveys", definition="thumbs"))["items"] == []


async def test_a_survey_says_what_it_is_about_and_where_it_stands(place: Place, client: Client) -> None:
    """The state of the moment, while the episode's own answer stays the first."""
    await report(place, client, "e1", product="Lamp", region="North", business_line="Home")
    await place.say("5", SMS, "sms")
    found = await read(client, "surveys/1")
    assert found["state"] in ("awaiting", "answered")
    assert (found["definition"], found["channel"], found["judged"]) == ("post_service", "sms", "agent:anna")
    assert found["customer"] == {"id": "c1", "name": "Ms Lin", "language": "en", "segment": None}
    assert found["episode"] == {
        "id": 1,
        "external_id": "e1",
        "touchpoint": "store",
        "ended_at": "2026-03-05T02:00:00Z",
        "agent": "anna",
        "product": "Lamp",
        "region": "North",
        "business_line": "Home",
    }
    assert (await client.get("/api/v1/surveys/999")).status == 404


async def test_ratings_are_listed_with_answers_and_what_they_judge(place: Place, client: Client) -> None:
    await place.say("hello", "42")
    await report(place, client, "e1", addresses=[address("chat", "42")])
    await place.tap("42", "😟 Poor")
    await place.tap("42", "The wait")
    [found] = (await read(client, "ratings"))["items"]
    assert (found["value"], found["score"], found["source"], found["survey"]) == (2, 40, "tap", 1)
    assert [(each["question"], each["option"]) for each in found["answers"]] == [("went_wrong", "waited")]
    assert (found["judged"], found["channel"], found["episode"]["external_id"]) == ("agent:anna", "chat", "e1")


async def test_what_nobody_answered_is_no_rating(place: Place, client: Client) -> None:
    """Not even after it expired."""
    await report(place, client, "e1")
    place.clock.advance(timedelta(days=30))
    await place.service.settle()
    assert (await read(client, "ratings"))["items"] == []
    states = [item["state"] for item in (await read(client, "surveys"))["items"]]
    assert states.count("expired") == 1
    assert "answered" not in states


async def test_ratings_of_a_time(place: Place, client: Client) -> None:
    """`since` is within, `until` without."""
    for number in range(3):
        await report(place, client, f"e{number}", ended_at=place.clock.now().isoformat())
        await place.say("5", SMS, "sms")
        place.clock.advance(timedelta(days=1))
    second = (START + timedelta(days=1)).isoformat()
    third = (START + timedelta(days=2)).isoformat()
    assert len((await read(client, "ratings", since=second))["items"]) == 2
    assert len((await read(client, "ratings", since=second, until=third))["items"]) == 1
    assert (await client.get("/api/v1/ratings?since=2026-03-05")).status == 400


async def _case(place: Place, conversation: int, **changes: Any) -> int:
    [talk] = [row for row in await place.rows(tables.conversations) if row["id"] == conversation]
    values = {
        "contact_id": talk["contact_id"],
        "conversation_id": conversation,
        "origin": "conversation",
        "state": "assigned",
        "title": "Broken lamp",
        "nature": ["product", "service"],
        "aspect": ["quality"],
        "urgency": "important",
        "department": "quality",
        "fields": {"order": "A1"},
        "language": "en",
        "opened_at": place.clock.now(),
        "respond_by": place.clock.now() + timedelta(hours=8),
    } | changes

    def work(connection: Connection) -> int:
        made = connection.execute(insert(tables.cases).values(values).returning(tables.cases.c.id)).scalar_one()
        line = {"case_id": made, "at": place.clock.now(), "actor": "bot", "kind": "opened", "to_state": "received"}
        connection.execute(insert(tables.case_events).values(line))
        return int(made)

    return await place.database.write(work)


async def test_cases_are_read_by_the_number_that_the_customer_was_told(place: Place, client: Client) -> None:
    """With the timeline; a slip in the number is not another case."""
    await place.say("hello", "42")
    owner = await place.hire("anna")
    number = numbers.number(await _case(place, 1, owner_id=owner))
    found = await read(client, f"cases/{number}")
    assert (found["number"], found["owner"], found["nature"]) == (number, "anna", ["product", "service"])
    assert found["fields"] == {"order": "A1"}
    assert [(line["kind"], line["actor"], line["to_state"]) for line in found["timeline"]] == [
        ("opened", "bot", "received")
    ]
    slip = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert (await client.get(f"/api/v1/cases/{slip}")).status == 404
    assert (await client.get(f"/api/v1/cases/{numbers.number(77)}")).status == 404


async def test_cases_are_found_by_state_urgency_department_and_whether_they_are_open(
    place: Place, client: Client
) -> None:
    await place.say("hello", "42")
    for changes in ({}, {"state": "closed"}, {"urgency": "urgent"}, {"department": "logistics"}):
        await _case(place, 1, **changes)

    async def found(**query: str) -> list[str]:
        return [item["number"] for item in (await read(client, "cases", **query))["items"]]

    one, closed, urgent, logistics = (numbers.number(case) for case in range(1, 5))
    assert await found(state="closed") == [closed]
    assert await found(open="true") == [logistics, urgent, one]
    assert await found(open="false") == [closed]
    assert await found(urgency="urgent") == [urgent]
    assert await found(department="logistics") == [logistics]
    assert await found(customer="nobody") == []
