"""When a customer may be asked: outside a survey's quiet hours, and in office hours where it says so."""

from __future__ import annotations

from datetime import datetime

from bot.cases.calendar import Calendar, opens_at
from bot.surveys.definitions import Definition
from bot.surveys.selection import after_quiet

_ENOUGH = 30
"""Rounds after which office hours lie wholly in the quiet hours: then the office's word counts."""


def asking_hours(calendar: Calendar, definition: Definition, at: datetime) -> datetime:
    """`at`, or the first moment after it at which `definition` may be asked."""
    for _ in range(_ENOUGH):
        moved = at if definition.quiet is None else after_quiet(definition.quiet, at, calendar.zone)
        moved = opens_at(calendar, moved) if definition.office_hours else moved
        if moved == at:
            break
        at = moved
    return at
