"""The clocks of a case: its deadlines as records, which run, stand still while the customer is asked, and end.

`following` is pure; the others are parts of a unit of work. `next_at` is when something happens next; nothing looks at
a deadline before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Connection, insert, select, update

from bot.cases.calendar import Calendar
from bot.cases.deadlines import Counted, Deadlines, Task, after, allowance, between, due
from bot.cases.departments import Departments
from bot.surveys.definitions import Surveys
from nlu.understanding import Urgency
from storage.records import Deadline
from storage.sets import among
from storage.tables import deadlines as table

Stage = Literal["warned", "breached", "escalated"]
Ending = Literal["met", "cancelled"]


@dataclass(slots=True)
class House:
    """What deadlines are counted by, who there is to keep them, and what customers are asked, as it is now: one for all
    who need it, which `rulebook` keeps to what staff change. Each of the four is whole."""

    deadlines: Deadlines
    calendar: Calendar
    departments: Departments
    surveys: Surveys


def following(house: House, clock: Deadline) -> tuple[Stage, datetime] | None:
    """What happens to a running deadline next, and when: a warning, its breach, each step of escalation, nothing."""
    if clock.breached_at is None:
        if clock.warned_at is None and clock.warn_at < clock.due_at:
            return "warned", clock.warn_at
        return "breached", clock.due_at
    if clock.level < len(house.deadlines.escalation):
        later = house.deadlines.escalation[clock.level].after
        calendar = house.calendar.of(clock.department)
        return "escalated", after(calendar, clock.due_at, later, cast(Counted, clock.counted))
    return None


def values(
    house: House,
    kind: Task,
    at: datetime,
    department: str | None,
    *,
    urgency: Urgency = "normal",
    subject: str = "",
    attempt: int = 1,
    due_at: datetime | None = None,
) -> dict[str, Any]:
    """A row of `deadlines` that runs from `at`, but for its case. `due_at`: agreed upon, rather than the usual time.
    The first response keeps the house's hours, in which it was promised; all others the department's."""
    of = None if kind == "first_response" else department
    calendar = house.calendar.of(of)
    counted = allowance(house.deadlines, kind, urgency).counted
    usual = due(house.deadlines, calendar, kind, at, urgency)
    warn_at, due_at = (usual.warn_at, usual.due_at) if due_at is None else (_share(house, at, due_at), due_at)
    return {
        "kind": kind,
        "subject": subject,
        "department": of,
        "counted": counted,
        "attempt": attempt,
        "started_at": at,
        "counted_from": at,
        "warn_at": warn_at,
        "due_at": due_at,
        "next_at": min(warn_at, due_at),
    }


def start(connection: Connection, case_id: int, row: dict[str, Any]) -> None:
    """Run a deadline of `values`; one of the same kind and subject that runs already is cancelled."""
    end(connection, case_id, (row["kind"],), row["started_at"], "cancelled", subject=row["subject"])
    connection.execute(insert(table).values(case_id=case_id, **row))


def end(
    connection: Connection,
    case_id: int,
    kinds: Sequence[str],
    at: datetime,
    how: Ending,
    *,
    subject: str | None = None,
    house: House | None = None,
) -> None:
    """Met or cancelled: nothing more happens to them. With `house` the time they took is kept, by their own counting
    and without what they stood still."""
    for clock in _open(connection, case_id, kinds, subject):
        took = None if house is None else clock.spent_seconds + _run(house, clock, at)
        connection.execute(
            update(table).where(table.c.id == clock.id).values(state=how, ended_at=at, next_at=None, took_seconds=took)
        )


def freeze(connection: Connection, house: House, case_id: int, at: datetime) -> None:
    """We wait for the customer: what runs stands still."""
    for clock in _open(connection, case_id):
        if clock.state != "running":
            continue
        calendar, counted = house.calendar.of(clock.department), cast(Counted, clock.counted)
        left, warn = (between(calendar, at, moment, counted) for moment in (clock.due_at, clock.warn_at))
        connection.execute(
            update(table)
            .where(table.c.id == clock.id)
            .values(
                state="frozen",
                frozen_at=at,
                next_at=None,
                left_seconds=left.total_seconds(),
                warn_left_seconds=warn.total_seconds(),
                spent_seconds=clock.spent_seconds + _run(house, clock, at),
            )
        )


def thaw(connection: Connection, house: House, case_id: int, at: datetime) -> None:
    """They answered: what stood still has as long to go as when it stopped."""
    for clock in _open(connection, case_id):
        if clock.state != "frozen":
            continue
        calendar, counted = house.calendar.of(clock.department), cast(Counted, clock.counted)
        for name, left in (("due_at", clock.left_seconds), ("warn_at", clock.warn_left_seconds)):
            if left is not None and left > 0:
                setattr(clock, name, after(calendar, at, timedelta(seconds=left), counted))
        coming = following(house, clock)
        connection.execute(
            update(table)
            .where(table.c.id == clock.id)
            .values(
                state="running",
                due_at=clock.due_at,
                warn_at=clock.warn_at,
                next_at=coming[1] if coming else None,
                frozen_at=None,
                left_seconds=None,
                warn_left_seconds=None,
                counted_from=at,
            )
        )


def hasten(connection: Connection, case_id: int, row: dict[str, Any]) -> None:
    """A deadline of `values` takes the place of a later one of its kind; it never moves away."""
    for clock in _open(connection, case_id, (row["kind"],), row["subject"]):
        if clock.state == "running" and row["due_at"] < clock.due_at and clock.breached_at is None:
            next_at = row["warn_at"] if clock.warned_at is None else row["due_at"]
            moved = {"due_at": row["due_at"], "warn_at": row["warn_at"], "next_at": min(next_at, row["due_at"])}
            connection.execute(update(table).where(table.c.id == clock.id).values(counted=row["counted"], **moved))


def reopen(connection: Connection, case_id: int, kind: str, ended_at: datetime, at: datetime) -> None:
    """What met a deadline was taken back: it goes on where it was, and the next tick sees what is due."""
    met = (table.c.case_id == case_id) & (table.c.kind == kind) & (table.c.ended_at == ended_at)
    running = {"state": "running", "ended_at": None, "took_seconds": None, "next_at": at}
    connection.execute(update(table).where(met, table.c.state == "met").values(running))


def hand_over(connection: Connection, case_id: int, department: str) -> None:
    """Another department's hours count from here on; due stays what was due."""
    connection.execute(
        update(table)
        .where(table.c.case_id == case_id, _still(), table.c.kind.in_(("plan", "execution", "follow_up")))
        .values(department=department)
    )


def _share(house: House, start: datetime, due_at: datetime) -> datetime:
    return min(start + (due_at - start) * house.deadlines.warn_at, due_at)


def _run(house: House, clock: Deadline, at: datetime) -> float:
    """Seconds of its own counting since it last began to run."""
    if clock.state != "running":
        return 0.0
    counted = cast(Counted, clock.counted)
    return max(0.0, between(house.calendar.of(clock.department), clock.counted_from, at, counted).total_seconds())


def _open(
    connection: Connection, case_id: int, kinds: Sequence[str] = (), subject: str | None = None
) -> list[Deadline]:
    where = [table.c.case_id == case_id, _still()]
    if kinds:
        where.append(table.c.kind.in_(kinds))
    if subject is not None:
        where.append(table.c.subject == subject)
    return Deadline.find(connection, *where)


def _still() -> ColumnElement[bool]:
    return among(table.c.state, "running", "frozen")


def begun(connection: Connection, case_id: int, kind: str, attempt: int) -> bool:
    """Whether one of this kind was begun for this attempt, whatever became of it."""
    statement = select(table.c.id).where(table.c.case_id == case_id, table.c.kind == kind, table.c.attempt == attempt)
    return connection.execute(statement.limit(1)).first() is not None
