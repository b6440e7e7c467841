"""A case's follow-up: asked until the customer says how it is, one at a time, and nothing takes its place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from api_parts import Place, address, episode

from bot.loop import handwork, merging
from bot.loop.casework import CaseRefused, Worker
from storage import tables
from storage.database import Database

FIRST = "The parcel is damaged and nobody answers, order 55667788. I am very unhappy"
OTHER = "The driver was rude to me, order 11223344, unacceptable"
BY = Worker("staff:1")
QUESTION = "Are you satisfied now?"


async def told(place: Place) -> dict[int, str]:
    return {row["id"]: row["state"] for row in await place.rows(tables.cases)}


async def resolved(place: Place, *cases: int) -> None:
    for case in cases:
        await place.service.casework.resolve(case, BY, f"We dealt with it, {case}")
    await place.service.settle()


async def reported(place: Place, external_id: str = "e1", **changes: Any) -> dict[str, Any]:
    body = episode(external_id, addresses=[address("chat", "emma")], **changes)
    async with place.client() as client:
        answer = await client.post("/api/v1/episodes", json=body)
        assert answer.status == 202, await answer.text()
        found: dict[str, Any] = (await answer.json())["survey"]
    await place.service.settle()
    return found


@pytest.fixture
async def place(database: Database) -> Place:
    made = Place(database)
    await made.say(FIRST, "emma")
    return made


@pytest.mark.parametrize("again", ["staff", "customer"])
async def test_what_is_resolved_anew_is_asked_anew(place: Place, again: str) -> None:
    """The older question of the same case gives way, and closes nothing: that is the customer's to say."""
    await resolved(place, 1)
    if again == "staff":
        await handwork.reopen(place.service.casework, 1, BY, "the parcel came back")
    else:
        await place.say("The parcel is damaged and nobody answers, order 55667788!", "emma")
    assert await told(place) == {1: "reopened"}
    await resolved(place, 1)
    assert await told(place) == {1: "following_up"}
    surveys = [row["state"] for row in await place.rows(tables.surveys)]
    assert surveys == ["superseded", "awaiting"]
    await place.tap("emma", "😍 Excellent")
    assert await told(place) == {1: "closed"}


async def test_two_resolved_cases_are_asked_about_one_after_the_other(place: Place) -> None:
    """Both results are told at once; the second question comes when the first is answered, and not before."""
    await place.say(OTHER, "emma")
    await resolved(place, 1, 2)
    assert await told(place) == {1: "following_up", 2: "resolved"}
    sent = place.sent("chat")
    assert [any(f"We dealt with it, {case}" in text for text in sent) for case in (1, 2)] == [True, True]
    assert sum(QUESTION in text for text in sent) == 1
    with pytest.raises(CaseRefused, match="asked_of_another"):
        await handwork.follow_up(place.service.casework, 2, BY)
    await place.tap("emma", "😟 Poor")
    assert await told(place) == {1: "reopened", 2: "resolved"}
    await place.tap("emma", "It's not solved")
    assert await told(place) == {1: "reopened", 2: "following_up"}
    assert QUESTION in place.sent("chat")[-1]
    await place.tap("emma", "😍 Excellent")
    assert await told(place) == {1: "reopened", 2: "closed"}


async def test_whoever_stays_silent_about_one_is_asked_about_the_other(place: Place) -> None:
    """Each is closed, unconfirmed, in its own time; whoever was to call need not."""
    await place.say(OTHER, "emma")
    await resolved(place, 1, 2)
    for expected in ({1: "closed_unconfirmed", 2: "following_up"}, {1: "closed_unconfirmed", 2: "closed_unconfirmed"}):
        for _ in range(8):
            place.clock.advance(timedelta(days=2))
            await place.service.settle()
        assert await told(place) == expected
    assert await place.count(tables.ratings) == 0


async def test_nothing_else_is_asked_while_the_word_on_a_case_is_due(place: Place) -> None:
    """A service of that moment and one planned for later are left out with their reason, and the case waits on."""
    await reported(place, "later", ended_at=(place.clock.now() + timedelta(days=1)).isoformat())
    await resolved(place, 1)
    assert await reported(place) == {"id": 3, "state": "suppressed", "reason": "case_follow_up"}
    place.clock.advance(timedelta(days=1, hours=1))
    await place.service.settle()
    rows = {row["id"]: (row["state"], row["reason"]) for row in await place.rows(tables.surveys)}
    assert rows == {1: ("suppressed", "case_follow_up"), 2: ("awaiting", None), 3: ("suppressed", "case_follow_up")}
    assert await told(place) == {1: "following_up"}
    await place.tap("emma", "😍 Excellent")
    assert (await reported(place, "e2", ended_at=place.clock.now().isoformat()))["state"] == "awaiting"


async def test_who_said_it_by_telephone_is_not_reminded(place: Place) -> None:
    """The question stands, should they think better of it; nobody asks again."""
    await resolved(place, 1)
    await place.service.casework.answered(1, BY, 100.0, "all is well")
    sent = len(place.sent("chat"))
    place.clock.advance(timedelta(days=4))
    await place.service.settle()
    assert len(place.sent("chat")) == sent
    await place.tap("emma", "😟 Poor")
    assert await told(place) == {1: "reopened"}


async def test_the_case_of_a_low_rating_hears_that_it_was_changed(database: Database) -> None:
    """A slip of the finger is seen where people work on it; from low to lower is no second complaint, also where the
    first was settled meanwhile."""
    place = Place(database)
    await place.say("hello", "emma")
    await reported(place)
    await place.tap("emma", "😡 Very poor")
    assert await told(place) == {1: "acknowledged"}
    await place.tap("emma", "😍 Excellent")
    lines = [(row["actor"], row["note"]) for row in await place.rows(tables.case_events) if row["kind"] == "rated"]
    assert lines == [("customer", "100")]
    await place.tap("emma", "😟 Poor")
    await place.tap("emma", "The wait")
    await place.say(OTHER, "emma")
    await merging.merge(place.service.casework, 1, 2, BY, "the same matter")
    await place.tap("emma", "😡 Very poor")
    assert await told(place) == {1: "merged", 2: "acknowledged"}
