"""Call-backs that nobody has to ask for: customers at risk, and those of high value every so often (R1.6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from bot.cases import tasks
from bot.cases.clocks import House
from bot.contacts.care import RISKS, Calls, Risk
from nlu.understanding import Language
from storage.sets import among, one_of
from storage.tables import case_tasks, contacts

BY = "system"
_task, _who = case_tasks.c, contacts.c


def of_risk(
    connection: Connection, house: House, calls: Calls, found: Mapping[int, Risk], language: Language, now: datetime
) -> int:
    """One for each who is at risk since now, unless one is open already; how many were made."""
    if not found or not calls.say:
        return 0
    open_ones = select(_task.contact_id).where(
        one_of(_task.contact_id, "ids"),
        among(_task.kind, "call_back"),
        among(_task.state, "waiting", "acknowledged"),
        _task.why.in_(RISKS),
    )
    called = set(connection.execute(open_ones, {"ids": sorted(found)}).scalars())
    people = select(_who.id, _who.manager_id).where(one_of(_who.id, "ids")).order_by(_who.id)
    rows = connection.execute(people, {"ids": sorted(set(found) - called)}).all()
    for row in rows:
        _add(connection, house, calls, found[row.id], row, language, now)
    return len(rows)


def of_value(connection: Connection, house: House, calls: Calls, language: Language, now: datetime) -> int:
    """The regular calls of a day: those who bring most and were not called for `every` so long; how many were made."""
    if not calls.say:
        return 0
    lately = (
        select(_task.id)
        .where(
            _task.contact_id == _who.id,
            _task.why == "high_value",
            among(_task.state, "waiting", "acknowledged") | (_task.made_at > now - calls.every),
        )
        .exists()
    )
    due = (
        select(_who.id, _who.manager_id)
        .where(among(_who.segment, "high_value"), ~lately)
        .order_by(_who.revenue.desc(), _who.id)
        .limit(calls.per_day)
    )
    rows = connection.execute(due).all()
    for row in rows:
        _add(connection, house, calls, "high_value", row, language, now)
    return len(rows)


def _add(
    connection: Connection, house: House, calls: Calls, why: str, row: Any, language: Language, now: datetime
) -> None:
    tasks.add(
        connection,
        house,
        kind="call_back",
        department=house.departments.hub,
        required=calls.say[why].said(language),
        by=BY,
        at=now,
        contact_id=row.id,
        owner_id=row.manager_id,
        why=why,
    )
