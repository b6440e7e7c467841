"""Events as the inbox keeps them, and the lane that each belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, cast

from channels.base import AnyEvent, Comment, Consent, Event, Media, Receipt, Tap, Text, Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerDue(Event):
    """A timer came due: time is another sender. `late` is how many seconds after `due_at` the scan found it."""

    timer: int
    subject: str
    kind: str
    generation: int
    due_at: datetime
    late: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered(Event):
    """A survey's message did not go out, or could not be delivered: `message` is its row, `reason` why."""

    message: int
    reason: str


LoopEvent = AnyEvent | TimerDue | Undelivered

_NAMES: dict[type[Event], str] = {
    Text: "text",
    Tap: "tap",
    Media: "media",
    Consent: "consent",
    Receipt: "receipt",
    Comment: "comment",
    Unknown: "unknown",
    TimerDue: "timer",
    Undelivered: "undelivered",
}
_TYPES = {name: kind for kind, name in _NAMES.items()}
_FIELDS = {kind: tuple(f.name for f in fields(kind) if f.name != "raw") for kind in _NAMES}
_TIMES = {"sent_at", "due_at"}


def encode(event: LoopEvent) -> dict[str, Any]:
    """The event as a JSON object, without what is empty; raw bytes are kept in a column of their own."""
    coded: dict[str, Any] = {"type": _NAMES[type(event)]}
    for name in _FIELDS[type(event)]:
        value = getattr(event, name)
        if value is not None and value != "":
            coded[name] = value.isoformat() if name in _TIMES else value
    return coded


def decode(coded: dict[str, Any]) -> LoopEvent:
    """The event that `encode` wrote. Raises KeyError or TypeError for what it never wrote."""
    kind = _TYPES[coded["type"]]
    values: dict[str, Any] = {
        name: datetime.fromisoformat(value) if name in _TIMES else value
        for name, value in coded.items()
        if name != "type"
    }
    for name, default in _DEFAULTS[kind].items():
        values.setdefault(name, default)
    return cast(LoopEvent, kind(**values))


def _defaults(kind: type[Event]) -> dict[str, Any]:
    """What an empty field is read back as, where the class itself has no default."""
    empty: Callable[[str], Any] = lambda annotation: "" if annotation == "str" else None  # noqa: E731
    found = {f.name: empty(str(f.type)) for f in fields(kind) if f.default is f.default_factory}
    return found | ({"raw": b""} if kind is Unknown else {})


_DEFAULTS = {kind: _defaults(kind) for kind in _NAMES}


def chat_lane(channel: str, account: str, thread: str) -> str:
    """The lane of a conversation. Known from the event alone, without the database."""
    return f"chat:{channel}:{account}:{thread}"


def lane_of(channel: str, account: str, event: AnyEvent) -> str:
    return "system" if isinstance(event, Unknown) else chat_lane(channel, account, event.thread)


def place_of(lane: str) -> tuple[str, str, str]:
    """(channel, account, thread) of a chat lane."""
    _, channel, account, thread = lane.split(":", 3)
    return channel, account, thread
