"""Alerts: what people are called for. A page is repeated until somebody takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.outgoing import events
from storage.prepared import as_prepared
from storage.sets import among
from storage.tables import alerts as table
from storage.tables import posts
from storage.types import UtcDateTime

Kind = Literal["urgent", "group", "warned", "breached", "escalated", "undelivered"]
REPEAT = timedelta(minutes=10)
"""Until somebody takes a page it is repeated this often."""
SCAN = 100


@dataclass(frozen=True, slots=True)
class Alert:
    """`subject` with `audience` makes it one, however often it is raised. `audience` is supervisor, admin,
    department:KEY or staff:ID; `at` when it arose."""

    kind: Kind
    subject: str
    audience: str
    at: datetime
    case_id: int | None = None
    contact_id: int | None = None
    pages: bool = False
    detail: dict[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "subject": self.subject,
            "audience": self.audience,
            "at": self.at,
            "case_id": self.case_id,
            "contact_id": self.contact_id,
            "pages": self.pages,
            "detail": self.detail,
            "next_at": self.at if self.pages else None,
        }


def raise_all(connection: Connection, found: Sequence[Alert]) -> None:
    """Those that are not there already."""
    if found:
        rows = sorted((alert.row() for alert in found), key=lambda row: (row["subject"], row["audience"]))
        connection.execute(_RAISE[connection.dialect.name], rows)


def take(connection: Connection, alert_id: int, by: str, at: datetime) -> bool:
    """Somebody looks after it: it is repeated no more, to nobody who was called for the same. False where somebody did
    so before, or there is none."""
    same = select(table.c.subject).where(table.c.id == alert_id, table.c.taken_at.is_(None)).scalar_subquery()
    return bool(_take(connection, table.c.subject == same, by, at))


def take_for_case(connection: Connection, case_id: int, by: str, at: datetime, *, pages: bool = False) -> None:
    """Whoever takes a case over has taken its pages (`pages`); where it is settled, whatever it calls for is."""
    where = table.c.case_id == case_id
    _take(connection, where & table.c.pages if pages else where, by, at)


def any_due(connection: Connection, now: datetime) -> bool:
    """Whether there is a page to be sent."""
    return bool(as_prepared(_ANY_DUE, connection.dialect).all(connection, {"now": now}))


def due(connection: Connection, now: datetime) -> list[Any]:
    """Pages to be sent, at most SCAN, each then due again after REPEAT; `repeats` is how many there were before. After
    a downtime each is sent once, not once for every repeat that was missed."""
    statement = (
        select(table)
        .where(table.c.next_at.is_not(None), table.c.next_at <= now)
        .order_by(table.c.next_at, table.c.id)
        .limit(SCAN)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(statement).all()
    if rows:
        again = update(table).where(table.c.id.in_([row.id for row in rows]))
        connection.execute(again.values(next_at=now + REPEAT, repeats=table.c.repeats + 1))
    return list(rows)


def _take(connection: Connection, where: ColumnElement[bool], by: str, at: datetime) -> list[int]:
    statement = (
        update(table)
        .where(where, table.c.taken_at.is_(None))
        .values(taken_at=at, taken_by=by[:60], next_at=None)
        .returning(table.c.id)
    )
    taken = sorted(connection.execute(statement).scalars())
    if taken:
        # What was not sent yet calls nobody any more.
        left = update(posts).where(posts.c.alert_id.in_(taken), among(posts.c.state, "waiting"))
        connection.execute(left.values(state="dropped", reason="somebody took it", finished_at=at))
        events.note(connection, [events.Event("alert.taken", at, "alert", each) for each in taken])
    return taken


_RAISE = {
    name: insert(table).on_conflict_do_nothing(index_elements=["subject", "audience"])
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}


_ANY_DUE = (
    select(table.c.id)
    .where(table.c.next_at.is_not(None), table.c.next_at <= bindparam("now", type_=UtcDateTime))
    .limit(1)
)
