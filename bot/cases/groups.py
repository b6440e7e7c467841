"""Many customers and the same matter: their cases are linked, and people are called. Parts of a unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from bot.cases import alerts
from bot.cases.alerts import Alert
from bot.cases.rules import FINAL
from storage.sets import among
from storage.tables import case_events, case_groups, cases

MANY = 5
"""Customers who tell the same"""
WITHIN = timedelta(hours=24)
"""of each other are a group."""
_LOOKED_AT = 500


def topic(nature: Sequence[str], aspect: Sequence[str]) -> str | None:
    """What a case is about, in a word; None where nobody knows closely enough to call it the same as another's."""
    named = [each for each in nature if each not in ("none", "other", "praise", "suggestion")]
    return f"{named[0]}:{aspect[0]}"[:200] if named and aspect else None


def gather(connection: Connection, case_id: int, about: str, department: str | None, now: datetime) -> int | None:
    """A new case of this topic joins its group; with enough customers there is one. The group's id."""
    known = connection.execute(
        select(case_groups.c.id).where(
            case_groups.c.topic == about, among(case_groups.c.state, "open"), case_groups.c.active_at > now - WITHIN
        )
    ).scalar()
    if known is not None:
        connection.execute(update(case_groups).where(case_groups.c.id == known).values(active_at=now))
        _link(connection, int(known), [case_id], now)
        return int(known)
    found = connection.execute(
        select(cases.c.id, cases.c.contact_id)
        .where(cases.c.topic == about, cases.c.opened_at > now - WITHIN, ~among(cases.c.state, *sorted(FINAL)))
        .order_by(cases.c.opened_at.desc())
        .limit(_LOOKED_AT)
    ).all()
    customers = {row.contact_id for row in found}
    if len(customers) < MANY:
        return None
    made = insert(case_groups).values(topic=about, state="open", opened_at=now, active_at=now)
    group = int(connection.execute(made.returning(case_groups.c.id)).scalar_one())
    _link(connection, group, sorted(row.id for row in found), now)
    detail = {"topic": about, "customers": len(customers), "group": group}
    who = ("supervisor", *((f"department:{department}",) if department else ()))
    alerts.raise_all(
        connection, [Alert("group", f"group:{group}", each, now, case_id, pages=True, detail=detail) for each in who]
    )
    return group


def _link(connection: Connection, group: int, ids: Sequence[int], now: datetime) -> None:
    connection.execute(update(cases).where(cases.c.id.in_(ids)).values(group_id=group))
    lines = [{"case_id": id, "at": now, "actor": "system", "kind": "grouped", "note": f"group {group}"} for id in ids]
    connection.execute(insert(case_events), lines)
