"""Agents see ratings, but never which survey judged them, nor what came of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from desk_parts import Agent, Place, opened, texts

from bot.desk.blindness import Line, hidden
from storage import tables
from storage.database import Database

QUESTION = "How did our colleague do just now? Tap one to five stars."


@pytest.fixture
async def place(database: Database) -> AsyncIterator[Place]:
    async with opened(database) as place:
        yield place


async def judged(place: Place) -> tuple[int, Agent]:
    """Ann resolves a conversation and is given one star, with a reason in the customer's own words."""
    ann = await place.agent("Ann")
    talk = await place.say("a person please", name="Carla")
    await ann.do("claim", talk)
    await ann.reply(talk, "Here you are.")
    await ann.do("resolve", talk)
    await place.service.settle()
    await place.tap("Very poor")
    await place.say("she kept me waiting")
    return talk, ann


async def test_the_one_who_is_judged_sees_nothing_of_it(place: Place) -> None:
    """Not the question, the stars, the words, the thanks, the case that a low rating opened; nor in a list."""
    talk, ann = await judged(place)
    found = await ann.talk(talk)
    assert texts(found)[-1] == "resolved"
    everything = json.dumps([found, *[await ann.get(f"conversations?view={view}") for view in ("bot", "mine")]])
    assert "Here you are." in everything
    for trace in (QUESTION, "Very poor", "kept me waiting", "We take this seriously", "Low rating", "survey:"):
        assert trace not in everything
    assert found["customer"]["ratings"] == []
    assert found["customer"]["cases"] == []
    row = (await ann.get("conversations?view=bot"))["conversations"][0]
    assert row["last"]["text"] == "Here you are."
    assert row["urgency"] is None


async def test_supervisors_see_it_all(place: Place) -> None:
    """Whom it judges has no say in who reads it."""
    talk, _ = await judged(place)
    eve = await place.agent("Eve", "supervisor")
    found = await eve.talk(talk)
    said = texts(found)
    assert QUESTION in said
    assert "she kept me waiting" in said
    (rating,) = found["customer"]["ratings"]
    assert (rating["score"], rating["low"], rating["about"]) == (20, True, "conversation_resolved")
    assert rating["answers"] == ["she kept me waiting"]
    assert len(found["customer"]["cases"]) == 1


async def test_a_case_about_an_agent_is_not_theirs_to_answer(place: Place) -> None:
    """Claiming does not make it theirs, replying does not meet its deadline; a colleague does both."""
    talk, ann = await judged(place)
    await ann.do("claim", talk)
    await ann.reply(talk, "Sorry?", "k2")
    (case,) = await place.rows(tables.cases)
    assert (case["owner_id"], case["responded_at"]) == (None, None)
    await ann.do("requeue", talk)
    bob = await place.agent("Bob")
    await bob.do("claim", talk)
    await bob.reply(talk, "I am so sorry.")
    (case,) = await place.rows(tables.cases)
    assert (case["owner_id"], case["responded_at"]) == (bob.id, place.clock.now())


async def test_other_words_and_other_ratings_are_not_hidden(place: Place) -> None:
    """What the customer says afterwards, and what they said of a colleague, is there for everybody."""
    talk, ann = await judged(place)
    await place.say("one more question")
    assert texts(await ann.talk(talk))[-2:] == ["one more question", "You said: one more question"]
    bob = await place.agent("Bob")
    assert QUESTION in texts(await bob.talk(talk))
    await bob.do("claim", talk)
    await bob.reply(talk, "Here it is.", "k3")
    await bob.do("resolve", talk)
    await place.service.settle()
    await place.tap("Excellent")
    assert [rating["score"] for rating in (await ann.talk(talk))["customer"]["ratings"]] == [100]
    assert [rating["score"] for rating in (await bob.talk(talk))["customer"]["ratings"]] == [20]
    assert texts(await bob.talk(talk))[-1] == "resolved"


async def test_what_is_typed_while_an_agent_has_the_conversation_is_never_hidden(place: Place) -> None:
    """A customer who comes back with a question is heard, though a survey about that agent is still open."""
    ann = await place.agent("Ann")
    talk = await place.say("a person please")
    await ann.do("claim", talk)
    await ann.do("resolve", talk)
    await ann.do("claim", talk)
    await place.say("it broke again")
    await place.service.settle()
    assert "it broke again" in texts(await ann.talk(talk))
    assert QUESTION not in texts(await ann.talk(talk))


async def test_older_pages_are_blind_too(place: Place) -> None:
    """Paging back shows no more than looking does."""
    talk, ann = await judged(place)
    last = (await place.rows(tables.messages))[-1]["id"]
    found = await ann.get(f"conversations/{talk}/messages?before={last + 1}")
    assert QUESTION not in texts(found)
    assert "she kept me waiting" not in texts(found)
    assert "Here you are." in texts(found)


def lines(*parts: tuple[str, dict[str, object]]) -> list[Line]:
    return [Line(n, author, **more) for n, (author, more) in enumerate(parts, start=1)]  # type: ignore[arg-type] # told apart by name


def test_thanks_whose_question_lies_out_of_sight_are_hidden() -> None:
    """At the beginning of a page nothing says whose thanks they are: better one sentence too few."""
    found = lines(("bot", {"kind": "survey"}), ("customer", {}), ("bot", {"kind": "reply"}))
    assert hidden(found, {7}, {}) == {1}


def test_a_tap_on_a_question_out_of_sight_is_hidden() -> None:
    """The message that bears the button is looked up."""
    found = lines(("customer", {"tapped": 99}), ("bot", {"kind": "notice"}), ("customer", {}))
    assert hidden(found, {7}, {99: 7}) == {1, 2}
    assert hidden(found, {7}, {99: 8}) == set()


def test_another_survey_after_the_judging_one_is_seen() -> None:
    """The thanks belong to the survey last spoken of."""
    found = lines(
        ("bot", {"kind": "survey", "survey": 7}),
        ("bot", {"kind": "survey", "survey": 8}),
        ("customer", {"tapped": 2}),
        ("bot", {"kind": "survey"}),
    )
    assert hidden(found, {7}, {}) == {1}


def test_who_is_judged_by_nothing_sees_everything() -> None:
    """Blindness costs nobody else a line."""
    assert hidden(lines(("bot", {"kind": "survey", "survey": 7})), set(), {}) == set()
