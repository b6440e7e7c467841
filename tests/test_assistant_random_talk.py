"""Customers who say anything in any order, in any state of the world: never an error, never a tracker that grows."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_assistant_journeys import HERE, engine

from bot.engine import UserMessage, load
from bot.engine.payload import parse

INTENTS = [*sorted(load(HERE).domain.intents), "no_such_intent"]
ENTITIES = ["order_number", "place", "name", "phone", "email", "case_number", "entry", "rating", "no_such_entity"]
TRACKER_LIMIT = 6000
"""Bytes of JSON: a tracker is read and written with every message."""

words = st.one_of(
    st.text(max_size=60), st.sampled_from(["88001234", "me@x.cn", "13800138000", "/restart", "[[x]]", ""])
)
scores = st.floats(0, 1)
entities = st.lists(
    st.fixed_dictionaries({"entity": st.sampled_from(ENTITIES), "value": st.one_of(words, st.integers(), st.none())}),
    max_size=3,
)
understanding = st.fixed_dictionaries(
    {},
    optional={
        "nature": st.lists(
            st.sampled_from(["product", "suggestion", "praise", "complaint", "none", "odd"]), max_size=2
        ),
        "aspect": st.lists(words, max_size=2),
        "urgency": st.sampled_from(["urgent", "important", "normal", "odd"]),
        "emotions": st.lists(st.sampled_from(["anger", "joy"]), max_size=2),
        "sentiment": st.fixed_dictionaries({"score": st.one_of(st.floats(-1, 1), st.none())}),
        "rating": st.one_of(st.none(), st.floats(0, 100)),
    },
)
facts = st.fixed_dictionaries(
    {"language": st.sampled_from(["zh", "en"]), "owner": st.sampled_from(["bot", "bot", "queue"])},
    optional={
        "now": st.datetimes().map(lambda when: when.isoformat() + "+00:00"),
        "channel": st.sampled_from(["web", "sms"]),
        "understanding": understanding,
        "knowledge": st.lists(
            st.fixed_dictionaries({"key": words, "score": scores, "question": words, "answer": words}), max_size=3
        ),
        "cases": st.lists(
            st.fixed_dictionaries({"number": words, "state": st.sampled_from(["received", "closed", "odd"])}),
            max_size=2,
        ),
        "office": st.fixed_dictionaries({"open": st.booleans(), "opens_at": st.one_of(st.none(), words)}),
        "queue": st.fixed_dictionaries({"position": st.one_of(st.none(), st.integers(-1, 5))}),
        "contact": st.fixed_dictionaries({"phone": st.one_of(st.none(), words), "high_value": st.booleans()}),
        "company": words,
        "promises": st.dictionaries(st.sampled_from(["urgent", "important", "normal"]), words),
    },
)
said = st.tuples(st.sampled_from(INTENTS), words, entities, facts)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(said, min_size=1, max_size=8), st.sampled_from(["web", "telegram", "sms"]))
def test_no_conversation_breaks_the_assistant(talk: list[Any], channel: str) -> None:
    """No ActionError, whatever is said and known; texts are texts, payloads can be read, trackers stay small."""
    asyncio.run(_through(talk, channel))


async def _through(talk: list[Any], channel: str) -> None:
    tracker: dict[str, Any] | None = None
    for intent, text, found, told in talk:
        message = UserMessage(text, intent, 0.5, found, {"earful": told}, channel, "someone")
        turn = await engine().turn(tracker, message)
        tracker = json.loads(json.dumps(turn.tracker, ensure_ascii=False))
        assert tracker == turn.tracker
        assert len(json.dumps(tracker)) < TRACKER_LIMIT
        for response in turn.responses:
            assert response.text.strip()
            if "[[" in response.text:
                assert any(body["command"] == "open_case" for body in turn.commands)
            for button in response.buttons:
                assert parse(button.payload)[0] in INTENTS
        if told["owner"] == "queue":
            assert not {"open_case", "hand_off"} & {body["command"] for body in turn.commands}


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(INTENTS), st.integers(20, 60))
def test_a_conversation_may_be_long(intent: str, length: int) -> None:
    """The same thing over and over leaves a tracker no larger than once."""

    async def through() -> None:
        tracker: dict[str, Any] | None = None
        sizes = []
        for _ in range(length):
            message = UserMessage("again", intent, 0.5, [], {"earful": {"language": "en"}}, "web", "someone")
            tracker = (await engine().turn(tracker, message)).tracker
            sizes.append(len(json.dumps(tracker)))
        assert sizes[-1] <= max(sizes[:6]) + 8

    asyncio.run(through())
