"""An agent's figures over a time: what they took and answered, how fast, and how customers judged them together.

Ratings are told only as an average of whole groups of FEWEST, in the order in which they came, so that none of them
can be traced to whoever gave it: one more changes nothing that is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean, median
from typing import Any

from sqlalchemy import Connection, select

from bot.takeover.undone import taken_back
from storage.tables import messages, ratings, staff, surveys

FEWEST = 5

_EVENTS = {
    "claimed": "taken",
    "assigned": "taken",
    "resolved": "resolved",
    "handed_back": "handed_back",
    "transferred": "passed_on",
    "passed_on": "passed_on",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """`counts` by what was done; `first_answer`: the median time from taking a conversation to the first answer in it;
    `rating`: `score` (0 to 100) and `count`."""

    name: str
    counts: dict[str, int]
    first_answer: timedelta | None
    rating: dict[str, int] | None


def of(connection: Connection, member: int, since: datetime) -> Figures | None:
    """The figures of a member of the staff; None if there is none."""
    name = connection.execute(select(staff.c.name).where(staff.c.id == member)).scalar()
    if name is None:
        return None
    rows = connection.execute(
        select(messages.c.conversation_id, messages.c.author, messages.c.text, messages.c.created_at)
        .where(messages.c.staff_id == member, messages.c.created_at >= since, ~taken_back(messages))
        .order_by(messages.c.id)
    ).all()
    given = (
        select(ratings.c.score)
        .select_from(surveys)
        .join(ratings, ratings.c.survey_id == surveys.c.id)
        .where(surveys.c.judged == f"staff:{member}", ratings.c.received_at >= since)
        .order_by(ratings.c.received_at, ratings.c.id)
    )
    scores = connection.execute(given).scalars().all()
    count = len(scores) // FEWEST * FEWEST
    waits = _first_answers(rows)
    return Figures(
        name,
        _counts(rows),
        timedelta(seconds=median(waits)) if waits else None,
        {"score": round(fmean(scores[:count])), "count": count} if count else None,
    )


def _counts(rows: Sequence[Any]) -> dict[str, int]:
    found = dict.fromkeys(("taken", "replies", "resolved", "handed_back", "passed_on"), 0)
    for row in rows:
        what = "replies" if row.author == "agent" else _EVENTS.get(row.text)
        if what:
            found[what] += 1
    return found


def _first_answers(rows: Sequence[Any]) -> list[float]:
    """Seconds from each taking over to the first answer after it."""
    taken: dict[int, datetime] = {}
    found: list[float] = []
    for row in rows:
        if row.author == "system" and _EVENTS.get(row.text) == "taken":
            taken[row.conversation_id] = row.created_at
        elif row.author == "agent" and (since := taken.pop(row.conversation_id, None)) is not None:
            found.append((row.created_at - since).total_seconds())
    return found
