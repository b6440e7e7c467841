"""Many customers and the same matter: their cases are linked, and people are called. Parts of a unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, insert, literal_column, select, text, update

from bot.cases import alerts, timeline
from bot.cases.alerts import Alert
from bot.cases.rules import FINAL, SETTLED
from storage.prepared import as_prepared, update_by_id
from storage.sets import among, one_of
from storage.tables import case_groups, cases

MANY = 5
"""Customers who tell the same"""
WITHIN = timedelta(hours=24)
"""of each other are a group."""
RENEWED = timedelta(minutes=5)
"""A group's last sign of life is written again after this long, not at each case: they all would wait for its row."""
_LOOKED_AT = 500


def topic(nature: Sequence[str], aspect: Sequence[str]) -> str | None:
    """What a case is about, in a word; None where nobody knows closely enough to call it the same as another's."""
    named = [each for each in nature if each not in ("none", "other", "praise", "suggestion")]
    return f"{named[0]}:{aspect[0]}"[:200] if named and aspect else None


@dataclass(frozen=True, slots=True)
class Told:
    """A new case and what it is about; `department` leads it."""

    case: int
    topic: str
    department: str | None
    at: datetime


def gather(connection: Connection, new: Sequence[Told]) -> None:
    """The new cases of many turns join the groups of their topics; where enough customers tell the same there is a new
    one, and people are called. What it costs grows with the topics, not with the cases."""
    now = max(each.at for each in new)
    topics = sorted({each.topic for each in new})
    looked = as_prepared(_OPEN, connection.dialect)
    open_ones = looked.all(connection, {"topics": topics, "since": now - WITHIN})
    new_to_us = [each for each in topics if each not in {row[0] for row in open_ones}]
    if new_to_us and connection.dialect.name == "postgresql":
        # One after the other: two fifth cases at once would each be the fifth, or neither. SQLite has one writer.
        connection.execute(_ONE_BY_ONE, {"topics": new_to_us})
        open_ones += looked.all(connection, {"topics": new_to_us, "since": now - WITHIN})
    groups = {topic: id for topic, id, _ in open_ones}
    renewed = [{"key": id, "active_at": now} for _, id, active_at in open_ones if now - active_at > RENEWED]
    if renewed:
        update_by_id(case_groups, ("active_at",), connection.dialect).run(connection, renewed)
    _link(connection, [(groups[each.topic], each.case) for each in new if each.topic in groups], now)
    alone = [topic for topic in topics if topic not in groups]
    if not alone:
        return
    for topic, _ in as_prepared(_MANY, connection.dialect).all(connection, {"topics": alone, "since": now - WITHIN}):
        _make(connection, next(each for each in new if each.topic == topic), now)


def review(connection: Connection, group: int) -> None:
    """A group is closed while nobody works on any of its cases: who tells the same from then on may be the first of
    another wave, for which people are called again."""
    at_work = select(cases.c.id).where(cases.c.group_id == group, ~among(cases.c.state, *_AT_REST)).limit(1)
    state = "open" if connection.execute(at_work).first() is not None else "closed"
    moved = update(case_groups).where(case_groups.c.id == group, case_groups.c.state != state)
    connection.execute(moved.values(state=state))


def _make(connection: Connection, last: Told, now: datetime) -> None:
    found = connection.execute(
        select(cases.c.id, cases.c.contact_id)
        .where(cases.c.topic == last.topic, cases.c.opened_at > now - WITHIN, *_ALONE)
        .order_by(cases.c.opened_at.desc())
        .limit(_LOOKED_AT)
    ).all()
    made = insert(case_groups).values(topic=last.topic, state="open", opened_at=now, active_at=now)
    group = int(connection.execute(made.returning(case_groups.c.id)).scalar_one())
    _link(connection, [(group, row.id) for row in sorted(found, key=lambda row: int(row.id))], now)
    detail = {"topic": last.topic, "customers": len({row.contact_id for row in found}), "group": group}
    who = ("supervisor", *((f"department:{last.department}",) if last.department else ()))
    alerts.raise_all(
        connection, [Alert("group", f"group:{group}", each, now, last.case, pages=True, detail=detail) for each in who]
    )


def _link(connection: Connection, pairs: Sequence[tuple[int, int]], now: datetime) -> None:
    """Each (group, case)."""
    if not pairs:
        return
    rows = [{"key": case, "group_id": group} for group, case in pairs]
    update_by_id(cases, ("group_id",), connection.dialect).run(connection, rows)
    lines = [
        {"case_id": case, "at": now, "actor": "system", "kind": "grouped", "note": f"group {group}"}
        for group, case in pairs
    ]
    timeline.write(connection, lines)


_AT_REST = sorted(SETTLED | {"resolved", "following_up"})
_ALONE = (~among(cases.c.state, *sorted(FINAL)), cases.c.group_id.is_(None))
_ONE_BY_ONE = text(
    "select pg_advisory_xact_lock(hashtext('case_groups'), hashtext(topic)) from unnest(cast(:topics as text[])) topic"
)
_OPEN = select(case_groups.c.topic, case_groups.c.id, case_groups.c.active_at).where(
    one_of(case_groups.c.topic, "topics"),
    among(case_groups.c.state, "open"),
    case_groups.c.active_at > bindparam("since", type_=case_groups.c.active_at.type),
)
_MANY = (
    select(cases.c.topic, func.count(cases.c.contact_id.distinct()))
    .where(
        one_of(cases.c.topic, "topics"),
        cases.c.opened_at > bindparam("since", type_=cases.c.opened_at.type),
        *_ALONE,
    )
    .group_by(cases.c.topic)
    .having(func.count(cases.c.contact_id.distinct()) >= literal_column(str(MANY)))
)
