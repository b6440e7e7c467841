"""However many tap at once, on however many devices and processes, a survey has one rating: over both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from api_parts import Place, address, episode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.loop.events import chat_lane
from bot.surveys.state import Answer
from channels.base import Tap
from storage import tables
from storage.database import Conflict, Database


@pytest.fixture
async def places(database: Database) -> tuple[Place, Place]:
    """Two processes over one database."""
    one = Place(database)
    return one, Place(database, one.clock)


async def asked(place: Place, thread: str) -> tuple[int, int]:
    """A customer of this thread who was just asked. The survey, and the message that bears its buttons."""
    await place.say("hello there", thread)
    body = episode(f"e-{thread}", customer={"id": f"c-{thread}"}, addresses=[address("chat", thread)])
    body["ended_at"] = place.clock.now().isoformat()
    async with place.client() as client:
        answer = await (await client.post("/api/v1/episodes", json=body)).json()
    message = next(row for row in reversed(await place.rows(tables.messages)) if (row["data"] or {}).get("survey"))
    return answer["survey"]["id"], message["id"]


async def of(place: Place, table: Any, column: str, value: int) -> list[dict[str, Any]]:
    return [row for row in await place.rows(table) if row[column] == value]


threads = iter(range(10_000))
taps = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), min_size=1, max_size=8)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(taps)
async def test_taps_at_once_leave_one_rating_and_its_history(
    places: tuple[Place, Place], pressed: list[tuple[int, bool, bool]]
) -> None:
    """Each of (which button, in which of two processes, in the chat or on the page). What stands is one of what was
    pressed, scored by its scale; the history holds just the changes, each the value before; nothing is lost: every tap
    is worked."""
    thread = str(next(threads))
    survey, message = await asked(places[0], thread)
    lane = chat_lane("chat", "a", thread)

    async def press(number: int, button: int, where: int, *, chat: bool) -> None:
        place = places[where]
        if chat:
            tap = Tap(dedupe_key=f"{thread}:{number}", thread=thread, data=f"m{message}.{button}")
            await place.service.intake.accept("chat", "a", [tap])
            return
        asking = place.service.policy.asking

        def answer(state: Any, effects: Any) -> None:
            asking.page(effects, state.surveys[survey], Answer("rating", str(button + 1)))

        for _ in range(20):
            try:
                await place.service.turns.act(lane, answer, surveys=[survey])
                return
            except Conflict:
                continue
        raise AssertionError("the lane never stood still")

    await asyncio.gather(
        *(press(number, button, int(other), chat=chat) for number, (button, other, chat) in enumerate(pressed)),
        places[0].service.settle(),
        places[1].service.settle(),
    )
    for place in places:
        await place.service.settle()
    [rating] = await of(places[0], tables.ratings, "survey_id", survey)
    values = [button + 1 for button, _, _ in pressed]
    assert rating["value"] in values
    assert rating["score"] == 20 * rating["value"]
    history = [row["value"] for row in await of(places[0], tables.rating_history, "rating_id", rating["id"])]
    told = [*history, rating["value"]]
    assert all(before != after for before, after in pairwise(told))
    assert len(history) < len(pressed)
    assert set(told) <= set(values)
    assert not [row for row in await places[0].rows(tables.inbox) if row["state"] != "done"]


async def test_a_burst_of_taps_on_one_button_is_one_rating_and_one_answer(places: tuple[Place, Place]) -> None:
    """Hundreds of one tap, each a redelivery or a new press: counted once, the next question is put once."""
    place = places[0]
    survey, message = await asked(place, "burst")
    for start in range(0, 400, 100):
        keys = [f"burst:{number % 250}" for number in range(start, start + 100)]
        events = [Tap(dedupe_key=key, thread="burst", data=f"m{message}.3") for key in keys]
        await place.service.intake.accept("chat", "a", events)
    for each in places:
        await each.service.settle()
    assert [row["value"] for row in await of(place, tables.ratings, "survey_id", survey)] == [4]
    assert await place.count(tables.rating_history) == 0
    put = [text for text in place.sent("chat") + places[1].sent("chat") if "What did we do best?" in text]
    assert len(put) == 1


async def test_another_survey_and_an_old_one_count_nothing(places: tuple[Place, Place]) -> None:
    """A button of another customer's question, and one after the window for changes: what stands, stands."""
    place = places[0]
    survey, message = await asked(place, "mine")
    other, theirs = await asked(place, "theirs")
    for number, (thread, data) in enumerate((("mine", f"m{theirs}.0"), ("mine", f"m{message}.4"), ("mine", "m0.0"))):
        await place.service.intake.accept("chat", "a", [Tap(dedupe_key=f"x{number}", thread=thread, data=data)])
        await place.service.settle()
    place.clock.advance(timedelta(days=2))
    await place.service.intake.accept("chat", "a", [Tap(dedupe_key="late", thread="mine", data=f"m{message}.0")])
    await place.service.settle()
    assert [row["value"] for row in await of(place, tables.ratings, "survey_id", survey)] == [5]
    assert await of(place, tables.ratings, "survey_id", other) == []
