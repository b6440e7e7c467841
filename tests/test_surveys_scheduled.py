"""Scheduled surveys: each period everybody is decided on once, whatever stops or runs twice meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from api_parts import Place, address, content, episode
from hypothesis import given, settings
from hypothesis import strategies as st
from test_surveys_planning import asking, post

from bot.clock import ManualClock
from bot.loop.relationships import BATCH, period_of
from bot.surveys.definitions import Definition, Period
from storage import tables
from storage.database import Database

SHANGHAI = ZoneInfo("Asia/Shanghai")
MARCH = datetime(2026, 3, 31, 10, 0, tzinfo=SHANGHAI).astimezone(UTC)
APRIL = MARCH + timedelta(days=1)
POST_SERVICE = content().surveys.definitions["post_service"]
RELATIONSHIP = replace(content().surveys.definitions["relationship"], sample=100)


async def at_hand(database: Database, customers: int, definition: Definition = RELATIONSHIP) -> Place:
    """A service that has known so many customers since before the quarter began."""
    place = Place(database, ManualClock(MARCH))
    asking(place, POST_SERVICE, definition)
    async with place.client() as client:
        for number in range(customers):
            body = episode(f"e{number}", customer={"id": f"c{number}"}, survey="nothing_of_ours")
            body["customer"]["addresses"] = [address("sms", f"+86138{number:08}")]
            assert (await client.post("/api/v1/episodes", json=body)).status == 202
    await place.service.settle()
    return place


async def decided(place: Place) -> Counter[str]:
    rows = [row for row in await place.rows(tables.surveys) if row["definition"] == "relationship"]
    return Counter(row["reason"] or row["state"] for row in rows)


@pytest.mark.parametrize(
    ("every", "names"),
    [
        ("year", ("2026", "2027")),
        ("quarter", ("2026Q4", "2027Q1")),
        ("month", ("2026-12", "2027-01")),
        ("week", ("2026W53", "2026W53")),
    ],
)
def test_a_period_is_that_of_the_offices_day(every: Period, names: tuple[str, str]) -> None:
    """New Year's midnight in Shanghai is four in the afternoon in Greenwich; that week belongs to the old year."""
    midnight = datetime(2026, 12, 31, 16, tzinfo=UTC)
    found = (period_of(every, midnight - timedelta(seconds=1), SHANGHAI), period_of(every, midnight, SHANGHAI))
    assert found == names


@settings(deadline=None)
@given(st.dates(date(2024, 1, 1), date(2040, 1, 1)), st.sampled_from(("week", "month", "quarter", "year")))
def test_a_period_never_comes_again(day: date, every: Period) -> None:
    """A day later it is the same or another, and what it was a year and a week before never is."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=SHANGHAI)
    assert period_of(every, noon, SHANGHAI) != period_of(every, noon - timedelta(days=373), SHANGHAI)


async def test_a_survey_that_is_new_waits_for_the_next_period_and_then_asks(database: Database) -> None:
    """The quarter that has begun is not caught up with: nobody is written to because a file was changed."""
    place = await at_hand(database, 3)
    assert await decided(place) == {}
    place.clock.move_to(APRIL)
    await place.service.settle()
    assert await decided(place) == {"awaiting": 3}
    assert all("How likely are you to recommend us" in text for text in place.sent("sms"))
    await place.say("10", "+8613800000000", "sms")
    [rating] = await place.rows(tables.ratings)
    assert rating["score"] == 100
    place.clock.advance(timedelta(days=30))
    await place.service.settle()
    assert sum((await decided(place)).values()) == 3
    place.clock.move_to(APRIL + timedelta(days=91))
    await place.service.settle()
    assert sum((await decided(place)).values()) == 6


async def test_outside_office_hours_it_waits(database: Database) -> None:
    """The quarter begins at midnight, the office at nine."""
    place = await at_hand(database, 1)
    place.clock.move_to(datetime(2026, 4, 1, 0, 1, tzinfo=SHANGHAI).astimezone(UTC))
    await place.service.settle()
    assert await decided(place) == {}
    place.clock.move_to(datetime(2026, 4, 1, 9, 2, tzinfo=SHANGHAI).astimezone(UTC))
    await place.service.settle()
    assert await decided(place) == {"awaiting": 1}


async def test_more_than_a_days_quota_is_spread_over_days(database: Database) -> None:
    """Nobody is left out, and no day has more."""
    place = await at_hand(database, 5, replace(RELATIONSHIP, per_day=2))
    for day in range(3):
        place.clock.move_to(APRIL + timedelta(days=day))
        await place.service.settle()
        assert len(place.sent("sms")) == min(5, 2 * (day + 1))


async def test_each_who_is_not_asked_has_a_reason(database: Database) -> None:
    """Asked after a service a week ago; opted out; not in the sample; of another segment; nowhere to be reached."""
    place = await at_hand(database, 3)
    place.clock.move_to(APRIL - timedelta(days=1) + timedelta(minutes=1))
    await post(
        place,
        episode(
            "lately",
            customer={"id": "c0"},
            addresses=[address("sms", "+8613800000000")],
            ended_at=place.clock.now().isoformat(),
        ),
    )
    await place.say("STOP", "+8613800000001", "sms")
    await post(place, episode("nowhere", customer={"id": "c9"}, addresses=[]))
    place.clock.move_to(APRIL)
    await place.service.settle()
    assert await decided(place) == {"cooldown": 1, "opted_out": 1, "awaiting": 1, "no_address": 1}
    asking(place, POST_SERVICE, replace(RELATIONSHIP, segments=("high_value",)))
    place.clock.advance(timedelta(days=91))
    await place.service.settle()
    assert (await decided(place))["other_segment"] == 4


async def test_after_a_scheduled_survey_the_next_service_still_is_asked_about(database: Database) -> None:
    """The cooldown is the scheduled survey's own: a service just had may be asked about, and takes its place."""
    place = await at_hand(database, 1)
    place.clock.move_to(APRIL)
    await place.service.settle()
    told = await post(
        place,
        episode("now", customer={"id": "c0"}, addresses=[address("sms", "+8613800000000")], ended_at=APRIL.isoformat()),
    )
    assert told["state"] == "awaiting"


async def test_two_processes_and_a_stop_in_between_decide_on_everybody_once(database: Database) -> None:
    """More than a batch of customers; both look at the same moment, again and again."""
    place = await at_hand(database, 3)
    more = [{"external_id": f"x{number}", "created_at": MARCH} for number in range(BATCH)]
    await database.write(lambda connection: connection.execute(tables.contacts.insert(), more))
    other = Place(database, place.clock)
    asking(other, POST_SERVICE, RELATIONSHIP)
    place.clock.move_to(APRIL)
    for _ in range(4):
        await asyncio.gather(place.service.relationships.run_due(), other.service.relationships.run_due())
    rows: list[dict[str, Any]] = await place.rows(tables.surveys)
    asked = Counter(row["contact_id"] for row in rows if row["period"] == "2026Q2")
    assert set(asked.values()) == {1}
    assert len(asked) == BATCH + 3
