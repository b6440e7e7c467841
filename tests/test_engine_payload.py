"""Payloads of buttons and commands of actions: what may stand in them, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine import commands
from bot.engine.payload import parse


@pytest.mark.parametrize(
    ("payload", "intent", "entities"),
    [
        ("/skip", "skip", []),
        ('/helpful{"entry": "refund_time"}', "helpful", [{"entity": "entry", "value": "refund_time"}]),
        ('/x{"a": [1, "b"]}', "x", [{"entity": "a", "value": 1}, {"entity": "a", "value": "b"}]),
        ("/x{}", "x", []),
    ],
)
def test_a_payload_is_an_intent_with_entities(payload: str, intent: str, entities: list[dict[str, Any]]) -> None:
    """As Rasa writes it; a list is one entity for each value."""
    assert parse(payload) == (intent, entities)


@pytest.mark.parametrize(
    "payload", ["", "skip", "/", "/ skip", "/x{", '/x{"a"}', '/x{"a": {"b": 1}}', "/x[1]", "/x{} y"]
)
def test_what_is_no_payload_is_refused(payload: str) -> None:
    """With a ValueError, whatever it is."""
    with pytest.raises(ValueError, match=r"payload|JSON|entity"):
        parse(payload)


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    """It is a payload, or a ValueError."""
    for payload in (text, f"/x{text}", f"/x{{{text}}}"):
        try:
            intent, entities = parse(payload)
        except ValueError:
            continue
        assert intent
        assert all(set(each) == {"entity", "value"} for each in entities)


OPEN = {
    "command": "open_case",
    "summary": "broken",
    "nature": ["product"],
    "aspect": [],
    "urgency": "normal",
    "fields": {},
}


@pytest.mark.parametrize(
    "body",
    [
        OPEN,
        {**OPEN, "fields": {"order_number": "88", "place": "Leeds", "contact": "a@b.cn"}},
        {"command": "update_case", "fields": {}, "note": "more"},
        {"command": "hand_off", "reason": "anger"},
        {"command": "cancel_hand_off"},
        {"command": "remember", "phone": "123"},
        {"command": "helpful", "entry": "x", "helpful": False},
        {"command": "unanswered"},
        {"command": "volunteer_rating", "score": 0},
    ],
)
def test_every_command_may_be_given(body: dict[str, Any]) -> None:
    """The vocabulary, each once."""
    assert commands.check(body) == body


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "unknown command"),
        ({}, "unknown command"),
        ({"command": "drop_tables"}, "unknown command"),
        ({"command": ["hand_off"]}, "unknown command"),
        ({**OPEN, "summary": " "}, "wrong `summary`"),
        ({**OPEN, "summary": "x" * 501}, "wrong `summary`"),
        ({**OPEN, "nature": ["weather"]}, "wrong `nature`"),
        ({**OPEN, "urgency": "very"}, "wrong `urgency`"),
        ({**OPEN, "fields": {"shoe_size": "42"}}, "wrong `fields`"),
        ({**OPEN, "fields": {"place": 3}}, "wrong `fields`"),
        ({**OPEN, "owner": "me"}, "does not know `owner`"),
        ({"command": "hand_off", "reason": "bored"}, "wrong `reason`"),
        ({"command": "helpful", "entry": "x", "helpful": "yes"}, "wrong `helpful`"),
        ({"command": "volunteer_rating", "score": True}, "wrong `score`"),
        ({"command": "volunteer_rating", "score": 101}, "wrong `score`"),
        ({"command": "volunteer_rating", "score": float("nan")}, "wrong `score`"),
        ({"command": "remember"}, "nothing to remember"),
    ],
)
def test_a_command_that_is_not_ours_is_refused(body: Any, words: str) -> None:
    """The words name the key, never the value."""
    with pytest.raises(ValueError, match=words):
        commands.check(body)
