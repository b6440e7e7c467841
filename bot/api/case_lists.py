"""Alerts and tasks: what people are called for, and what departments asked of each other."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection, select

from bot.api.cases import TaskView
from bot.api.casework import ByWorker, done, worker_of
from bot.api.operation import Call, Nothing, Operations
from bot.api.pages import Page, Paging, Rows, page_of
from bot.api.problems import CONFLICT, NOT_FOUND, Problem
from bot.api.values import Line60, Line100
from bot.api.views import case_number
from bot.cases import alerts
from storage import tables

operations = Operations("cases")

alert, task = tables.alerts.c, tables.case_tasks.c
_OPEN = ("waiting", "acknowledged")


class AlertView(BaseModel):
    """What somebody is called for."""

    id: int
    kind: str = Field(description="urgent, group, warned, breached or escalated.")
    case: str | None = Field(description="The number of its case.")
    audience: str = Field(description="supervisor, admin, department:<key> or staff:<id>.")
    pages: bool = Field(description="Repeated until somebody takes it.")
    repeats: int
    detail: dict[str, Any]
    at: datetime = Field(description="When it arose.")
    taken_at: datetime | None
    taken_by: str | None


class AlertFilter(Paging):
    taken: Literal["true", "false"] | None = Field(None, description="false: those that nobody has taken.")
    audience: Line100 | None = None
    kind: Line60 | None = None


class TaskFilter(Paging):
    open: Literal["true", "false"] | None = Field(None, description="true: waiting or acknowledged.")
    department: Line60 | None = None
    kind: Literal["hand_over", "sub_task", "call_back"] | None = None


class CaseTask(TaskView):
    """A task, and the case that it belongs to."""

    case: str | None = Field(description="The number of its case.")


class TaskMove(ByWorker):
    to: Literal["acknowledged", "done", "returned"]
    outcome: Annotated[str, StringConstraints(max_length=2_000)] = Field("", description="Returned: why; needed then.")


class Settled(BaseModel):
    """It is so."""

    id: int


@operations.get("/alerts", scope="cases:read", query=AlertFilter, answer=Page[AlertView])
async def list_alerts(call: Call[Nothing, AlertFilter]) -> Page[AlertView]:
    """List what people are called for."""
    asked = call.query
    names = [name for name in AlertView.model_fields if name != "case"]
    statement = select(*(alert[name] for name in names), alert.case_id)
    if asked.taken is not None:
        statement = statement.where(alert.taken_at.is_not(None) if asked.taken == "true" else alert.taken_at.is_(None))
    for column, value in ((alert.audience, asked.audience), (alert.kind, asked.kind)):
        if value is not None:
            statement = statement.where(column == value)

    def shown(_: Connection, rows: Rows) -> list[AlertView]:
        return [
            AlertView(**dict(zip(names, row, strict=False)) | {"detail": row.detail or {}}, case=case_number(row[-1]))
            for row in rows
        ]

    items, following = await page_of(call.service, "alerts", asked, statement, alert.id, shown)
    return Page[AlertView](items=items, next=following)


@operations.post(r"/alerts/{id:\d{1,18}}/take", scope="cases:write", body=ByWorker, answer=Settled, problems=(404, 409))
async def take_alert(call: Call[ByWorker, Nothing]) -> Settled:
    """Take an alert: somebody looks after it, and it is repeated no more."""
    id, by, now = int(call.path["id"]), await worker_of(call, call.body.agent), call.now

    def work(connection: Connection) -> bool | None:
        if connection.execute(select(alert.id).where(alert.id == id)).first() is None:
            return None
        return alerts.take(connection, id, by.actor, now)

    taken = await call.service.database.write(work)
    if taken is None:
        raise Problem(NOT_FOUND, "There is no alert of this id.")
    if not taken:
        raise Problem(CONFLICT, "Somebody has taken this alert already.", code="taken")
    return Settled(id=id)


@operations.get("/tasks", scope="cases:read", query=TaskFilter, answer=Page[CaseTask])
async def list_tasks(call: Call[Nothing, TaskFilter]) -> Page[CaseTask]:
    """List hand-overs, sub-tasks and call-backs."""
    asked = call.query
    names = list(TaskView.model_fields)
    statement = select(*(task[name] for name in names), task.case_id)
    if asked.open is not None:
        statement = statement.where(task.state.in_(_OPEN) if asked.open == "true" else task.state.not_in(_OPEN))
    for column, value in ((task.department, asked.department), (task.kind, asked.kind)):
        if value is not None:
            statement = statement.where(column == value)

    def shown(_: Connection, rows: Rows) -> list[CaseTask]:
        return [CaseTask(**dict(zip(names, row, strict=False)), case=case_number(row[-1])) for row in rows]

    items, following = await page_of(call.service, "tasks", asked, statement, task.id, shown)
    return Page[CaseTask](items=items, next=following)


@operations.post(r"/tasks/{id:\d{1,18}}/moves", scope="cases:write", body=TaskMove, answer=Settled, problems=(404, 409))
async def move_task(call: Call[TaskMove, Nothing]) -> Settled:
    """Acknowledge, finish or return a task. A hand-over that is returned brings its case back to the hub."""
    id, body = int(call.path["id"]), call.body
    await done(call, call.service.casework.task(id, body.to, await worker_of(call, body.agent), body.outcome))
    return Settled(id=id)
