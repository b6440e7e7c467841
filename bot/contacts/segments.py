"""Segments by revenue (R5.3), counted anew: high value, medium, potential. Parts of a unit of work.

A customer is among the top p percent if no more than p percent of those whose revenue is known bring as much or more:
of equals at the border none is, so that the share is never exceeded.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, case, func, select, update

from bot.contacts import priority
from bot.contacts.care import Shares
from storage.sets import among, one_of
from storage.tables import contacts

MOST = 2_000
"""Customers whose segment is changed in one transaction."""

_c = contacts.c


@dataclass(frozen=True, slots=True)
class Borders:
    """Who brings more than `high` is of high value, who brings more than `medium` is medium. None: everybody."""

    high: float | None
    medium: float | None


def borders(connection: Connection, shares: Shares) -> Borders:
    """Where the segments end now. Reads the index of revenues, no customer."""
    known = _c.revenue.is_not(None)
    count = connection.execute(select(func.count()).select_from(contacts).where(known)).scalar_one()

    def above(percent: int) -> float | None:
        ordered = select(_c.revenue).where(known).order_by(_c.revenue.desc())
        return connection.execute(ordered.offset(count * percent // 100).limit(1)).scalar()

    return Borders(above(shares.high_value), above(shares.high_value + shares.medium))


def recount(connection: Connection, found: Borders) -> int:
    """Give customers the segment that they are in by now; how many were in another, at most MOST. What the business
    system told stays. Those who wait for a person have their place in the queue changed with it."""
    ids: list[int] = []
    for wrong in _wrong(found):
        if len(ids) < MOST:
            ids += connection.execute(select(_c.id).where(*wrong).limit(MOST - len(ids))).scalars()
    if ids:
        segment = case((_above(found.high), "high_value"), (_above(found.medium), "medium"), else_="potential")
        connection.execute(update(contacts).where(one_of(_c.id, "ids")).values(segment=segment), {"ids": sorted(ids)})
        priority.rank_again(connection, ids)
    return len(ids)


def _wrong(found: Borders) -> list[tuple[ColumnElement[bool], ...]]:
    """Who is in a segment that is not theirs: each a range of one index."""
    ours = _c.segment_told.is_(False)
    high, medium = _above(found.high), _above(found.medium)
    return [
        (among(_c.segment, "high_value"), ~high, ours),
        (among(_c.segment, "medium"), high, ours),
        (among(_c.segment, "medium"), ~medium, ours),
        (among(_c.segment, "potential"), medium, ours),
        (_c.segment.is_(None), _c.revenue.is_not(None), ours),
    ]


def _above(border: float | None) -> ColumnElement[bool]:
    return _c.revenue.is_not(None) if border is None else _c.revenue > border
