"""What one asks of another: hand-overs, sub-tasks, call-backs; what is required, by when, and that it is acknowledged.

Parts of a unit of work. waiting → acknowledged → done, or returned with a reason; cancelled with their case.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from bot.cases import clocks
from bot.cases.clocks import House
from bot.yamlfile import Words
from nlu.understanding import Language
from storage.sets import among
from storage.tables import case_tasks as table

Kind = Literal["hand_over", "sub_task", "call_back"]
State = Literal["waiting", "acknowledged", "done", "returned", "cancelled"]

_MOVES: dict[str, frozenset[str]] = {
    "waiting": frozenset({"acknowledged", "done", "returned"}),
    "acknowledged": frozenset({"done", "returned"}),
}
_REFUSALS = {
    "no_task": Words("没有这项任务", "There is no such task"),
    "over": Words("这项任务已经结束", "This task is over"),
    "already": Words("这项任务已有人确认", "This task is acknowledged already"),
    "needs_reason": Words("退回要写明原因", "Say why it is returned"),
}


class TaskRefused(Exception):
    """Nothing was changed. `said` gives the reason; `code` is stable."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    def said(self, language: Language) -> str:
        return _REFUSALS[self.code].said(language)


def add(
    connection: Connection,
    house: House,
    *,
    kind: Kind,
    department: str,
    required: str,
    by: str,
    at: datetime,
    case_id: int | None = None,
    contact_id: int | None = None,
    from_department: str | None = None,
    owner_id: int | None = None,
    due_at: datetime | None = None,
    why: str | None = None,
) -> int:
    """A task with a deadline: of its own case's, or of its own where it has none. `why` is a call-back's. Its id."""
    row = clocks.values(house, "call_back" if kind == "call_back" else "task", at, department, due_at=due_at)
    made = int(
        connection.execute(
            insert(table)
            .values(
                case_id=case_id,
                contact_id=contact_id,
                kind=kind,
                from_department=from_department,
                department=department,
                owner_id=owner_id,
                required=required,
                due_at=row["due_at"],
                state="waiting",
                made_by=by[:60],
                made_at=at,
                why=why,
                next_at=row["next_at"] if case_id is None else None,
                level=0 if row["warn_at"] < row["due_at"] else 1,
            )
            .returning(table.c.id)
        ).scalar_one()
    )
    if case_id is not None:
        clocks.start(connection, case_id, row | {"subject": f"task:{made}"})
    return made


def move(
    connection: Connection, house: House, task_id: int, new: State, at: datetime, outcome: str = ""
) -> tuple[int | None, str, str]:
    """Acknowledge, finish or return a task. Its case, kind and department. Raises TaskRefused."""
    row = connection.execute(select(table).where(table.c.id == task_id).with_for_update(key_share=True)).first()
    if row is None:
        raise TaskRefused("no_task")
    if new not in _MOVES.get(row.state, frozenset()):
        raise TaskRefused("already" if row.state == new == "acknowledged" else "over")
    if new == "returned" and not outcome.strip():
        raise TaskRefused("needs_reason")
    values: dict[str, object] = {"state": new, "outcome": outcome.strip() or row.outcome}
    if row.acknowledged_at is None:
        values["acknowledged_at"] = at
    if new in ("done", "returned"):
        values["ended_at"] = at
    connection.execute(update(table).where(table.c.id == task_id).values(values))
    # A hand-over is kept by its acknowledgement: from then on the case's own deadlines count.
    met = new in ("done", "returned") or (row.kind == "hand_over" and new == "acknowledged")
    if row.case_id is not None and met:
        kind = "call_back" if row.kind == "call_back" else "task"
        how: clocks.Ending = "cancelled" if new == "returned" else "met"
        clocks.end(connection, row.case_id, (kind,), at, how, subject=f"task:{task_id}", house=house)
    return row.case_id, row.kind, row.department


def cancel_all(connection: Connection, case_id: int, at: datetime) -> None:
    """The case is over, and what was asked for it with it."""
    connection.execute(
        update(table)
        .where(table.c.case_id == case_id, among(table.c.state, "waiting", "acknowledged"))
        .values(state="cancelled", ended_at=at)
    )


def cancel_hand_overs(connection: Connection, house: House, case_id: int, at: datetime) -> None:
    """The case has gone on: nobody acknowledges or returns it any more who has it no longer."""
    ended = (
        update(table)
        .where(table.c.case_id == case_id, table.c.kind == "hand_over", among(table.c.state, "waiting", "acknowledged"))
        .values(state="cancelled", ended_at=at)
        .returning(table.c.id)
    )
    for task_id in connection.execute(ended).scalars().all():
        clocks.end(connection, case_id, ("task",), at, "cancelled", subject=f"task:{task_id}", house=house)


def any_of(connection: Connection, case_id: int, kind: Kind) -> bool:
    """Whether a case has, or had, a task of this kind."""
    statement = select(table.c.id).where(table.c.case_id == case_id, table.c.kind == kind).limit(1)
    return connection.execute(statement).first() is not None
