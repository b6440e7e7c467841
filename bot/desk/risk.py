"""Customers who may leave (R5.3): three low ratings in a row, or complaint after complaint, each with its reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, func, or_, select

from storage.sets import one_of
from storage.tables import cases, ratings, surveys

LOW = 65.0
"""A score of 0 to 100 below this is a low one."""

IN_A_ROW = 3
COMPLAINTS = 2
WITHIN = timedelta(days=90)

Reason = Literal["low_ratings", "complaints"]


def of(connection: Connection, contacts: Sequence[int], member: int, now: datetime) -> dict[int, Reason]:
    """Those of `contacts` who are at risk. What was said about `member` does not count, nor what was said anonymously:
    a mark must tell neither agents how they were judged, nor anybody who answered."""
    if not contacts:
        return {}
    wanted = {"ids": list(contacts)}
    found: dict[int, Reason] = {}
    judged = surveys.c.judged.is_(None) | (surveys.c.judged != f"staff:{member}")
    counted = (
        select(cases.c.contact_id)
        .where(
            one_of(cases.c.contact_id, "ids"),
            cases.c.opened_at > now - WITHIN,
            cases.c.state != "withdrawn",
            or_(cases.c.origin == "conversation", cases.c.origin == "comment"),
        )
        .group_by(cases.c.contact_id)
        .having(func.count() >= COMPLAINTS)
    )
    for contact in connection.execute(counted, wanted).scalars():
        found[contact] = "complaints"
    scores: dict[int, list[float]] = defaultdict(list)
    rated = (
        select(surveys.c.contact_id, ratings.c.score)
        .join(ratings, ratings.c.survey_id == surveys.c.id)
        .where(one_of(surveys.c.contact_id, "ids"), judged, ~surveys.c.anonymous)
        .order_by(ratings.c.received_at.desc(), ratings.c.id.desc())
    )
    for contact, score in connection.execute(rated, wanted):
        scores[contact].append(score)
    for contact, last in scores.items():
        if len(last) >= IN_A_ROW and all(score < LOW for score in last[:IN_A_ROW]):
            found[contact] = "low_ratings"
    return found
