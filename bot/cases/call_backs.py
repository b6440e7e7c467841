"""Call-backs: whom to telephone, why, by when, and what came of it.

Parts of a unit of work. A call-back is a task: waiting → acknowledged (somebody has taken it) → done. Its deadline
counts as deadlines.yml says; one without a case keeps it in its own row, for deadlines belong to cases.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import Connection, bindparam, func, insert, select, update

from bot.cases import alerts, clocks
from bot.cases.alerts import Alert
from bot.cases.clocks import House
from bot.cases.deadlines import after, allowance
from bot.yamlfile import Words
from nlu.understanding import Language
from storage.sets import among
from storage.tables import call_tries, staff
from storage.tables import case_tasks as table
from storage.types import UtcDateTime

Why = Literal["unreachable", "interview", "asked", "low_ratings", "complaints", "silent", "high_value"]
WHYS: tuple[Why, ...] = get_args(Why)
Result = Literal["reached", "not_reached", "again"]
TRIES = 3
"""Calls in vain after which a call-back is over, if the house says nothing else."""

PATIENCE = timedelta(minutes=15)
"""So long after the time that they asked for a call is late."""

SCAN = 500
"""Call-backs that a tick takes at most."""

_t = table.c
_REFUSALS = {
    "no_task": Words("没有这项回电", "There is no such call-back"),
    "over": Words("这项回电已经结束", "This call-back is over"),
    "taken": Words("这项回电已由{name}接手", "{name} has already taken this call-back"),
    "needs_time": Words("请写明什么时候再打，要在现在之后", "Say when to call again, at a time to come"),
}


class CallRefused(Exception):
    """Nothing was changed. `said` gives the reason; `code` is stable."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code)
        self.code = code
        self.values = values

    def said(self, language: Language) -> str:
        return _REFUSALS[self.code].said(language, **self.values)


def case_of(connection: Connection, task_id: int) -> int | None:
    """The case that it belongs to, if it belongs to one. Raises CallRefused."""
    return _row(connection, task_id).case_id  # type: ignore[no-any-return] # of a row


def take(connection: Connection, task_id: int, staff_id: int, at: datetime) -> None:
    """It is `staff_id`'s from now on. Of two who take it one wins; raises CallRefused for the other."""
    row = _open(connection, task_id)
    if row.state == "acknowledged" and row.owner_id not in (None, staff_id):
        name = connection.execute(select(staff.c.name).where(staff.c.id == row.owner_id)).scalar()
        raise CallRefused("taken", name=name or "")
    values = {"state": "acknowledged", "owner_id": staff_id, "acknowledged_at": row.acknowledged_at or at}
    connection.execute(update(table).where(_t.id == task_id).values(values))


def leave(connection: Connection, task_id: int) -> None:
    """Whoever had it has it no longer; a colleague can take it. Raises CallRefused."""
    _open(connection, task_id)
    values = {"state": "waiting", "owner_id": None, "acknowledged_at": None}
    connection.execute(update(table).where(_t.id == task_id).values(values))


def record(
    connection: Connection,
    house: House,
    task_id: int,
    result: Result,
    *,
    by: str,
    at: datetime,
    staff_id: int | None = None,
    note: str = "",
    again_at: datetime | None = None,
    tries: int = TRIES,
) -> bool:
    """What came of a call at `at`; whether the call-back is over.

    Reached: over. Not reached: due again after the usual time, until it was tried `tries` times. Again: due at
    `again_at`, as the customer wished, with PATIENCE. Whoever called has it. Raises CallRefused.
    """
    row = _open(connection, task_id)
    if result == "again" and (again_at is None or again_at <= at):
        raise CallRefused("needs_time")
    tried = row.tries + (result == "not_reached")
    over = result == "reached" or (result == "not_reached" and tried >= tries)
    values: dict[str, Any] = {
        "tries": tried,
        "outcome": note.strip() or row.outcome,
        "acknowledged_at": row.acknowledged_at or at,
        "owner_id": staff_id or row.owner_id,
        "again_at": again_at if result == "again" else None,
    }
    # Nobody has it whom we do not know by name: then it waits for whoever calls next.
    values["state"] = "done" if over else "acknowledged" if values["owner_id"] else "waiting"
    if over:
        values |= {"ended_at": at, "result": result, "next_at": None}
        if row.case_id is not None:
            clocks.end(connection, row.case_id, ("call_back",), at, "met", subject=f"task:{task_id}", house=house)
    else:
        due_at = again_at + PATIENCE if again_at is not None and result == "again" else None
        clock = clocks.values(house, "call_back", at, row.department, due_at=due_at, subject=f"task:{task_id}")
        values["due_at"] = clock["due_at"]
        if row.case_id is not None:
            clocks.start(connection, row.case_id, clock)
        else:
            values |= {"next_at": clock["next_at"], "level": 0 if clock["warn_at"] < clock["due_at"] else 1}
    connection.execute(update(table).where(_t.id == task_id).values(values))
    line = {"task_id": task_id, "at": at, "actor": by[:60], "result": result, "note": note.strip() or None}
    connection.execute(insert(call_tries).values(line | {"again_at": values["again_at"]}))
    return over


def call_off(connection: Connection, house: House, case_id: int, at: datetime) -> None:
    """The customer of a case need not be called any more."""
    waiting = (_t.case_id == case_id, among(_t.kind, "call_back"), among(_t.state, "waiting", "acknowledged"))
    for task in connection.execute(select(_t.id).where(*waiting)).scalars().all():
        connection.execute(update(table).where(_t.id == task).values(state="cancelled", ended_at=at))
        clocks.end(connection, case_id, ("call_back",), at, "cancelled", subject=f"task:{task}", house=house)


# ---- those without a case: their deadlines ----


def tick(connection: Connection, house: House, now: datetime) -> int:
    """Warn of call-backs without a case that are nearly due, and breach and escalate those that are: each once, at its
    own time. How many were looked at, at most SCAN."""
    rows = connection.execute(_DUE, {"now": now}).all()
    found: list[Alert] = []
    for row in rows:
        next_at, level = row.next_at, row.level
        while next_at is not None and next_at <= now and row.state in ("waiting", "acknowledged"):
            found.append(_alert(house, row, level, next_at))
            level += 1
            next_at = _next(house, row, level)
        over = row.state not in ("waiting", "acknowledged")
        moved = {"next_at": None if over else next_at, "level": level}
        connection.execute(update(table).where(_t.id == row.id).values(moved))
    alerts.raise_all(connection, found)
    return len(rows)


_DUE = (
    select(table)
    .where(_t.next_at.is_not(None), _t.next_at <= bindparam("now", type_=UtcDateTime))
    .order_by(_t.next_at, _t.id)
    .limit(SCAN)
    .with_for_update(skip_locked=True, key_share=True)
)


def next_due(connection: Connection) -> datetime | None:
    """When `tick` has something to do."""
    return connection.execute(select(func.min(_t.next_at)).where(_t.next_at.is_not(None))).scalar()


def _next(house: House, row: Any, level: int) -> datetime | None:
    """`level` 0 is the warning, 1 the breach, from 2 on the steps of escalation."""
    if level == 1:
        return row.due_at  # type: ignore[no-any-return] # of a row
    steps = house.deadlines.escalation
    if level - 2 >= len(steps):
        return None
    counted = allowance(house.deadlines, "call_back").counted
    return after(house.calendar.of(row.department), row.due_at, steps[level - 2].after, counted)


def _alert(house: House, row: Any, level: int, at: datetime) -> Alert:
    named = f"staff:{row.owner_id}" if row.owner_id else f"department:{row.department}"
    stage: alerts.Kind = "warned" if level == 0 else "breached" if level == 1 else "escalated"
    return Alert(
        kind=stage,
        # Each time that it is due anew is another one.
        subject=f"task:{row.id}:{row.due_at:%y%m%d%H%M%S}:{level}",
        audience=house.deadlines.escalation[level - 2].to if level >= 2 else named,
        at=at,
        contact_id=row.contact_id,
        detail={"deadline": "call_back", "task": row.id, "due_at": row.due_at.isoformat()},
    )


def _open(connection: Connection, task_id: int) -> Any:
    row = _row(connection, task_id)
    if row.state not in ("waiting", "acknowledged"):
        raise CallRefused("over")
    return row


def _row(connection: Connection, task_id: int) -> Any:
    statement = select(table).where(_t.id == task_id, among(_t.kind, "call_back")).with_for_update(key_share=True)
    row = connection.execute(statement).first()
    if row is None:
        raise CallRefused("no_task")
    return row
