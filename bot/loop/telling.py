"""What of a turn's effects others are told: what happened to cases, surveys, ratings, and to whose a conversation is.

Read off the effects once they are written, so that no one who changes something has to think of those who listen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table

from bot.loop.effects import Effects
from bot.outgoing import events
from bot.outgoing.events import Event
from storage import tables
from storage.changes import Change, Insert, Later

_SURVEYS = {"awaiting": "sent", "answered": "answered", "expired": "expired"} | {
    "superseded": "superseded",
    "suppressed": "suppressed",
}
_OWNERS = {"queue": "queued", "agent": "handed_over", "bot": "returned"}


def told_by(batch: Sequence[Effects]) -> Iterator[Event]:
    """In the order of the turns. The rows have their ids by now."""
    for effects in batch:
        for change in effects.changes:
            tell = _TELL.get(change.table)
            if tell is not None:
                event = tell(effects, change)
                if event is not None:
                    yield event
        for each in effects.rating_changes:
            if each["changed"]:
                told = {"old_value": each["old_value"], "old_score": each["old_score"]}
                yield Event("rating.changed", each["at"], "rating", each["survey"], told)


def note_suppressed(connection: Connection, rows: Sequence[Insert], now: datetime) -> None:
    """Of surveys that were just written apart from any turn: those that are not asked are told as such."""
    found = [Event("survey.suppressed", now, "survey", row.id) for row in rows if row.id is not None and _is_out(row)]
    events.note(connection, found)


def _is_out(row: Insert) -> bool:
    return row.table is tables.surveys and row.values["state"] == "suppressed"


def _line(effects: Effects, change: Change) -> Event | None:
    return events.of_line(_settled(change.values)) if isinstance(change, Insert) else None


def _rating(effects: Effects, change: Change) -> Event | None:
    values = _settled(change.values)
    return Event("rating.received", values["received_at"], "rating", values["survey_id"])


def _survey(effects: Effects, change: Change) -> Event | None:
    state = _settle(change.values.get("state"))
    row = change.id.id if isinstance(change.id, Insert) else change.id
    before = effects.state.surveys.get(row) if row is not None else None
    if row is None or state not in _SURVEYS or (before is not None and before.state in (state, "answered")):
        return None  # a changed rating opens an answered one for its reason again: nothing that was not told
    return Event(f"survey.{_SURVEYS[state]}", effects.now, "survey", row)


def _conversation(effects: Effects, change: Change) -> Event | None:
    state = effects.state.conversation
    before, was = (state.owner, state.agent_id) if state else ("bot", None)
    owner = change.values.get("owner", before)
    agent = change.values.get("agent_id", was)
    row = change.id if isinstance(change.id, int) else None
    if row is None or (owner == before and (owner != "agent" or agent == was)):
        return None
    return Event(f"conversation.{_OWNERS[owner]}", effects.now, "conversation", row, {"from_owner": before})


_TELL: Mapping[Table, Callable[[Effects, Change], Event | None]] = {
    tables.case_events: _line,
    tables.ratings: _rating,
    tables.surveys: _survey,
    tables.conversations: _conversation,
}


def _settled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _settle(value) for name, value in values.items()}


def _settle(value: Any) -> Any:
    if isinstance(value, Insert):
        return value.id
    return value.of() if isinstance(value, Later) else value
