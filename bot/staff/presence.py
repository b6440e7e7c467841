"""Who is at their desk. Presence only: what somebody has stays theirs when their connection goes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, update

from storage.sets import among, one_of, other_than
from storage.tables import conversations, staff

HERE = timedelta(seconds=60)
"""Whose desk was open within this time is here: a reload, or a moment without a network, sends nobody away."""


def note(connection: Connection, members: Collection[int], now: datetime) -> None:
    """The desks of these members are open."""
    connection.execute(update(staff).where(one_of(staff.c.id, "ids")).values(seen_at=now), {"ids": sorted(members)})


def set_away(connection: Connection, member: int, away: bool) -> None:
    """Whether a member is to be given nothing for now."""
    connection.execute(update(staff).where(staff.c.id == member).values(away=away))


def team(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """Everybody who may sign in: who they are, whether they are here, and how many conversations they have."""
    held = (
        select(conversations.c.agent_id, func.count())
        .where(other_than(conversations.c.owner, "bot"), among(conversations.c.owner, "agent"))
        .group_by(conversations.c.agent_id)
    )
    load = {row[0]: int(row[1]) for row in connection.execute(held)}
    columns = (staff.c.id, staff.c.name, staff.c.role, staff.c.department, staff.c.away, staff.c.seen_at)
    found = connection.execute(select(*columns).where(staff.c.disabled_at.is_(None)).order_by(staff.c.name, staff.c.id))
    return [
        {
            "id": row.id,
            "name": row.name,
            "role": row.role,
            "department": row.department,
            "away": bool(row.away),
            "here": row.seen_at is not None and row.seen_at > now - HERE,
            "seen_at": row.seen_at,
            "load": load.get(row.id, 0),
        }
        for row in found
    ]
