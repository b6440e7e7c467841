"""Feedback from elsewhere takes the one way in."""

from __future__ import annotations

from typing import Any

import pytest
from api_parts import Place, address

from storage import tables
from storage.database import Database


@pytest.fixture
def place(database: Database) -> Place:
    return Place(database)


async def post(place: Place, body: dict[str, Any], status: int = 202) -> dict[str, Any]:
    async with place.client() as client:
        answer = await client.post("/api/v1/feedback", json=body)
        assert answer.status == status, await answer.text()
        found: dict[str, Any] = await answer.json()
    await place.service.settle()
    return found


COMPLAINT = "The lamp I bought last week is broken and your hotline was rude. I want my money back!"


async def test_a_complaint_told_on_the_hotline_becomes_a_case(place: Place) -> None:
    """Understood and handled as one written in the chat; its conversation says where it comes from."""
    told = await post(place, {"external_id": "h-1", "channel": "hotline", "text": COMPLAINT, "language": "en"})
    assert told == {"thread": "api:hotline:h-1"}
    async with place.client() as client:
        found = await (await client.get("/api/v1/conversations", params=told)).json()
        [talk] = found["items"]
        assert (talk["channel"], talk["thread"]) == ("web", "api:hotline:h-1")
        detail = await (await client.get(f"/api/v1/conversations/{talk['id']}")).json()
        assert detail["messages"][0]["text"] == COMPLAINT
        [number] = detail["cases"]
        case = await (await client.get(f"/api/v1/cases/{number}")).json()
    assert case["conversation"] == talk["id"]


async def test_told_twice_it_counts_once(place: Place) -> None:
    body = {"external_id": "h-1", "channel": "hotline", "text": COMPLAINT}
    assert await post(place, body) == await post(place, body)
    assert await place.count(tables.cases) == await place.count(tables.conversations) == 1


async def test_the_same_id_from_another_source_is_another(place: Place) -> None:
    await post(place, {"external_id": "1", "channel": "hotline", "text": "Thanks for the help"})
    await post(place, {"external_id": "1", "channel": "paper", "text": "Thanks for the help"})
    assert await place.count(tables.conversations) == 2


async def test_without_an_id_or_a_key_each_is_its_own(place: Place) -> None:
    """Two customers may well say the same words."""
    first = await post(place, {"channel": "paper", "text": "Thank you!"})
    assert await post(place, {"channel": "paper", "text": "Thank you!"}) != first


async def test_it_belongs_to_the_customer_who_said_it(place: Place) -> None:
    """Who is known with their other addresses, also those where they wrote as a stranger."""
    await place.say("hello", "42")
    customer = {"id": "c1", "name": "Ms Lin", "addresses": [address("chat", "42")]}
    await post(place, {"external_id": "1", "channel": "store", "text": COMPLAINT, "customer": customer})
    [contact] = await place.rows(tables.contacts)
    assert (contact["external_id"], contact["name"]) == ("c1", "Ms Lin")
    assert {row["contact_id"] for row in await place.rows(tables.conversations)} == {contact["id"]}
    async with place.client() as client:
        found = await (await client.get("/api/v1/conversations?customer=c1")).json()
    assert {talk["channel"] for talk in found["items"]} == {"chat", "web"}


async def test_an_address_that_we_do_not_have_is_named(place: Place) -> None:
    customer = {"id": "c1", "addresses": [address("pigeon", "1")]}
    found = await post(place, {"channel": "store", "text": "Hello", "customer": customer}, 422)
    assert found["errors"][0]["pointer"] == "#/customer/addresses/0/channel"
    assert await place.count(tables.inbox) == await place.count(tables.contacts) == 0


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"text": ""}, "#/text"),
        ({"text": " \n\t"}, "#/text"),
        ({"text": "x" * 10_001}, "#/text"),
        ({"channel": "Hot Line"}, "#/channel"),
        ({"channel": "a:b"}, "#/channel"),
        ({"channel": "hotline\n"}, "#/channel"),
        ({"said_at": "2030-01-01T00:00:00Z"}, "#/said_at"),
        ({"external_id": "x" * 201}, "#/external_id"),
    ],
)
async def test_what_is_no_feedback_is_refused(place: Place, changes: dict[str, Any], pointer: str) -> None:
    found = await post(place, {"channel": "hotline", "text": "Hello"} | changes, 422)
    assert found["errors"][0]["pointer"] == pointer
    assert await place.count(tables.inbox) == 0


async def test_odd_words_are_kept_as_they_can_be(place: Place) -> None:
    """NUL, right-to-left marks, emoji only, the longest text: an answer, never a fault."""
    for text in ("a\0b", "\u202e abc", "😡" * 500, "投诉" * 5_000):
        await post(place, {"channel": "paper", "text": text})
    assert await place.count(tables.conversations) == 4
    assert {row["state"] for row in await place.rows(tables.inbox)} == {"done"}
