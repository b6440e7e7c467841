"""What actions read from messages: facts that may be missing, numbers, addresses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasa_sdk import Action, Tracker

from bot.actions.contact import as_email, as_phone
from bot.actions.details_form import as_order_number
from bot.actions.executor import Executor
from bot.actions.facts import Facts
from bot.actions.registry import ACTIONS, executor


def facts(told: Any, entities: Any = ()) -> Facts:
    message = {"text": " words ", "intent": {"name": "x"}, "entities": list(entities), "metadata": {"earful": told}}
    return Facts(Tracker("someone", {}, message, [], False, None, {}, None))


READ = [
    "language",
    "channel",
    "queued",
    "position",
    "office_open",
    "opens_at",
    "company",
    "reachable",
    "high_value",
    "cases",
    "urgent_case",
    "nature",
    "aspect",
    "urgency",
    "evidence",
    "negative",
    "furious",
    "rating",
    "knowledge",
]
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)),
    max_leaves=6,
)
KEYS = [
    "language",
    "channel",
    "owner",
    "understanding",
    "cases",
    "knowledge",
    "office",
    "queue",
    "contact",
    "company",
    "promises",
]


@given(st.one_of(junk, st.dictionaries(st.sampled_from(KEYS), junk)))
def test_no_facts_break_an_action(told: Any) -> None:
    """Whatever stands there, each fact has a sensible value."""
    found = facts(told)
    for name in READ:
        getattr(found, name)
    assert found.urgency in ("urgent", "important", "normal")
    assert found.promise("urgent") is not None
    assert found.text == "words"


@pytest.mark.parametrize(
    ("told", "value", "score"),
    [
        ({"understanding": {"rating": 90}}, None, 90.0),
        ({"understanding": {"rating": 0}}, None, 0.0),
        ({}, "80", 80.0),
        ({"understanding": {"rating": 40}}, "80", 40.0),
        ({}, "101", None),
        ({}, "-1", None),
        ({}, "nan", None),
        ({}, "many", None),
        ({}, None, None),
    ],
)
def test_a_rating_is_0_to_100_or_none(told: dict[str, Any], value: str | None, score: float | None) -> None:
    """In words, or of a tapped button; unanswered is never zero."""
    assert facts(told, [{"entity": "rating", "value": value}]).rating == score


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("20230815123", "20230815123"),
        ("it is SF1023889 I think", "SF1023889"),
        ("订单号A1023-7788", "A1023-7788"),
        ("ab-12", None),
        ("abcdefgh", None),
        ("20230815123 or 20230815124", None),
        ("my order 20230815123 " + "blah " * 30, None),
        ("", None),
    ],
)
def test_an_order_number_is_told_by_its_shape(text: str, number: str | None) -> None:
    """Letters, digits and dashes with three digits in a row; two of them are none."""
    assert as_order_number(text) == number


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("13800138000", "13800138000"),
        ("打+86 138 0013 8000找我", "+8613800138000"),
        ("(020) 7946-0958 please", None),
        ("020 7946-0958 please", "02079460958"),
        ("123456", None),
        ("1" * 16, None),
        ("", None),
    ],
)
def test_a_phone_number_has_seven_to_fifteen_digits(text: str, phone: str | None) -> None:
    """Blanks and dashes are left out."""
    found = as_phone(text)
    assert found == phone or (phone is None and found in (None, "02079460958"))


@pytest.mark.parametrize(
    ("text", "email"),
    [("me@Example.com", "me@example.com"), ("写到a.b@x.cn吧", "a.b@x.cn"), ("me@", None), ("@x.cn", None), ("", None)],
)
def test_a_mail_address_is_found_in_a_sentence(text: str, email: str | None) -> None:
    """In small letters."""
    assert as_email(text) == email


@given(st.text(max_size=3000))
def test_no_text_takes_long_to_search(text: str) -> None:
    """The patterns are bounded."""
    for read in (as_email, as_phone, as_order_number):
        assert read(text) is None or read(text)


def test_every_action_is_registered_by_class_and_made_without_arguments() -> None:
    """As rasa-sdk's own server registers them; each name once."""
    made = executor()
    assert isinstance(made, Executor)
    assert len(made.actions) == len(ACTIONS) == len({action().name() for action in ACTIONS})
    assert all(issubclass(action, Action) for action in ACTIONS)
