"""Lines of cases' timelines that are not written by a turn: a tick's, a group's. Whoever listens hears of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from bot.outgoing import events
from storage.prepared import insert_into
from storage.tables import case_events


def write(connection: Connection, lines: Sequence[Mapping[str, Any]]) -> None:
    """Part of the unit of work in which it happens; lines of one shape. A turn's own lines (`case_moves.told`) go with
    its effects."""
    if lines:
        insert_into(case_events, tuple(lines[0]), connection.dialect).run(connection, lines)
        events.note(connection, [events.of_line(line) for line in lines])
