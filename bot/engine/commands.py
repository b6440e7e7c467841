"""Everything that an action may ask of our services, and the check that it asks rightly.

An action says `dispatcher.utter_message(json_message={"earful": {"command": NAME, ...}})`. Each command lists what it
must and may carry; whoever carries it out need not look again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from nlu.understanding import Nature, Urgency

HAND_OFF_REASONS = ("asked", "urgent", "anger", "misses", "high_value", "unhelpful", "unsure")
CASE_FIELDS = ("order_number", "place", "contact")
SUMMARY_LIMIT = 500
"""Characters of a case's summary."""
NOTE_LIMIT = 2000
VALUE_LIMIT = 200

Check = Callable[[Any], bool]


def _text(limit: int) -> Check:
    return lambda value: isinstance(value, str) and bool(value.strip()) and len(value) <= limit


def _one_of(options: tuple[str, ...]) -> Check:
    return lambda value: isinstance(value, str) and value in options


def _list(each: Check) -> Check:
    return lambda value: isinstance(value, list) and len(value) <= 20 and all(each(item) for item in value)


def _fields(value: Any) -> bool:
    text = _text(VALUE_LIMIT)
    return isinstance(value, dict) and all(key in CASE_FIELDS and text(item) for key, item in value.items())


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


def _score(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


# Of each command: what it must carry, and what it may.
_VOCABULARY: Mapping[str, tuple[Mapping[str, Check], Mapping[str, Check]]] = {
    "open_case": (
        {
            "summary": _text(SUMMARY_LIMIT),
            "nature": _list(_one_of(get_args(Nature))),
            "aspect": _list(_text(VALUE_LIMIT)),
            "urgency": _one_of(get_args(Urgency)),
            "fields": _fields,
        },
        {},
    ),
    "join_case": (
        {
            "case_no": _text(VALUE_LIMIT),
            "summary": _text(SUMMARY_LIMIT),
            "nature": _list(_one_of(get_args(Nature))),
            "aspect": _list(_text(VALUE_LIMIT)),
            "urgency": _one_of(get_args(Urgency)),
            "fields": _fields,
        },
        {},
    ),
    "update_case": ({"fields": _fields}, {"note": _text(NOTE_LIMIT)}),
    "withdraw_case": ({"case_no": _text(VALUE_LIMIT), "reason": _text(NOTE_LIMIT)}, {}),
    "hand_off": ({"reason": _one_of(HAND_OFF_REASONS)}, {}),
    "cancel_hand_off": ({}, {}),
    "remember": ({}, {"name": _text(VALUE_LIMIT), "phone": _text(VALUE_LIMIT), "email": _text(VALUE_LIMIT)}),
    "helpful": ({"entry": _text(VALUE_LIMIT), "helpful": _truth}, {}),
    "unanswered": ({}, {}),
    "volunteer_rating": ({"score": _score}, {}),
}
COMMANDS = tuple(_VOCABULARY)


def check(body: Any) -> dict[str, Any]:
    """The command, if it is one of ours and carries what it should. Raises ValueError, without quoting any value."""
    name = body.get("command") if isinstance(body, dict) else None
    if not isinstance(name, str) or name not in _VOCABULARY:
        raise ValueError(f"an unknown command; known are {', '.join(COMMANDS)}")
    needs, may = _VOCABULARY[name]
    for key, right in needs.items():
        if key not in body:
            raise ValueError(f"the command {name} lacks `{key}`")
        if not right(body[key]):
            raise ValueError(f"the command {name} carries a wrong `{key}`")
    for key, value in body.items():
        if key == "command" or key in needs:
            continue
        if key not in may:
            raise ValueError(f"the command {name} does not know `{str(key)[:40]}`")
        if not may[key](value):
            raise ValueError(f"the command {name} carries a wrong `{key}`")
    if name == "remember" and len(body) == 1:
        raise ValueError("the command remember has nothing to remember")
    return dict(body)
