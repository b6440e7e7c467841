"""Customers who may leave (R5.3), as a member of the staff may see them: each with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from bot.contacts.care import Risk
from storage.sets import one_of
from storage.tables import care_watches, contacts, surveys


def of(connection: Connection, customers: Sequence[int], member: int) -> dict[int, Risk]:
    """Those of `customers` who are at risk. Where a rating of `member` is among what that stands on it is not said: a
    mark must not tell agents how they were judged."""
    marked = (
        select(contacts.c.id, contacts.c.risk, care_watches.c.evidence)
        .outerjoin(care_watches, care_watches.c.contact_id == contacts.c.id)
        .where(one_of(contacts.c.id, "ids"), contacts.c.risk.is_not(None))
    )
    rows = connection.execute(marked, {"ids": list(customers)}).all() if customers else []
    stands_on = {row.id: (row.evidence or {}).get("surveys", []) for row in rows}
    named = sorted({survey for each in stands_on.values() for survey in each})
    judging: set[int] = set()
    if named:
        about = select(surveys.c.id).where(one_of(surveys.c.id, "ids"), surveys.c.judged == f"staff:{member}")
        judging = set(connection.execute(about, {"ids": named}).scalars())
    return {row.id: row.risk for row in rows if not judging.intersection(stands_on[row.id])}
