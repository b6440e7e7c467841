"""/call-backs: whom to telephone, why, by when, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection, Select, select

from bot.api.casework import ByWorker, Words, staff_of, worker_of
from bot.api.operation import Call, Nothing, Operations
from bot.api.pages import Page, Paging, Rows, page_of
from bot.api.problems import CONFLICT, NOT_FOUND, Problem, at
from bot.api.values import Given, Line60, Line100, Line200, Moment
from bot.api.views import CUSTOMER, CustomerView, case_number, customer_of, part
from bot.cases import numbers
from bot.cases.call_backs import CallRefused, Result
from bot.loop.calling import NoCustomer
from bot.loop.casework import NoCase
from storage import tables

operations = Operations("cases")

_OPEN = ("waiting", "acknowledged")
_task, _contact, _staff, _try = tables.case_tasks.c, tables.contacts.c, tables.staff.c, tables.call_tries.c
_CALL = r"/call-backs/{id:\d{1,18}}"


class CallTry(BaseModel):
    """One call, and what came of it."""

    at: datetime
    actor: str = Field(description="staff:<id> or api:<token>.")
    result: Result
    note: str | None
    again_at: datetime | None


class CallBack(BaseModel):
    """Somebody to be telephoned."""

    id: int
    why: str | None = Field(
        description="unreachable: the follow-up could not be sent; interview: they agreed to a talk; asked: by a "
        "person; low_ratings, complaints, silent: a customer at risk; high_value."
    )
    required: str = Field(description="What to call for, in words.")
    state: Literal["waiting", "acknowledged", "done", "returned", "cancelled"]
    due_at: datetime | None
    again_at: datetime | None = Field(description="When the customer wants to be called.")
    overdue: bool
    tries: int = Field(description="Calls in vain.")
    result: Literal["reached", "not_reached"] | None = Field(description="How it ended.")
    outcome: str | None = Field(description="The last note.")
    department: str
    owner: str | None = Field(description="The login of whoever has taken it.")
    case: str | None = Field(description="The number of its case.")
    customer: CustomerView | None
    phone: str | None
    made_at: datetime
    ended_at: datetime | None


class CallBackDetail(CallBack):
    calls: list[CallTry] = Field(description="The oldest first.")


class CallFilter(Paging):
    open: Literal["true", "false"] | None = Field(None, description="true: those that are not over.")
    overdue: Literal["true"] | None = None
    owner: Line100 | None = Field(None, description="A login.")
    department: Line60 | None = None
    why: Line60 | None = None
    customer: Line200 | None = Field(None, description="The customer's id.")


class NewCall(ByWorker):
    case: Annotated[str, StringConstraints(pattern=r"^\d{4,18}$")] | None = Field(None, description="Its number, or:")
    customer: Line200 | None = Field(None, description="the customer's id.")
    required: Words = Field(description="What to call for.")
    owner: Line100 | None = Field(None, description="A login: whose it is.")
    due_at: Moment | None = Field(None, description="Without it: as deadlines.yml says of call_back.")


class Taking(Given):
    agent: Line100 = Field(description="The login of whoever takes it.")


class Outcome(ByWorker):
    """reached: it is over. not_reached: it is due again, until it was tried as often as the house says. again: the
    customer wants to be called at `at`."""

    result: Result
    at: Moment | None = Field(None, description="With again: when.")
    note: Annotated[str, StringConstraints(max_length=2_000)] = ""
    score: float | None = Field(
        None, ge=0, le=100, description="With reached: the customer's word on the result of their case, of 0 to 100."
    )


@operations.get("/call-backs", scope="cases:read", query=CallFilter, answer=Page[CallBack])
async def list_call_backs(call: Call[Nothing, CallFilter]) -> Page[CallBack]:
    """List call-backs."""
    asked, now = call.query, call.now
    statement = _calls()
    if asked.open is not None:
        statement = statement.where(_task.state.in_(_OPEN) if asked.open == "true" else _task.state.not_in(_OPEN))
    if asked.overdue is not None:
        statement = statement.where(_task.state.in_(_OPEN), _task.due_at < now)
    for column, value in (
        (_staff.login, asked.owner),
        (_task.department, asked.department),
        (_task.why, asked.why),
        (_contact.external_id, asked.customer),
    ):
        if value is not None:
            statement = statement.where(column == value)

    def shown(_: Connection, rows: Rows) -> list[CallBack]:
        return [CallBack(**_values(row, now)) for row in rows]

    items, following = await page_of(call.service, "call-backs", asked, statement, _task.id, shown)
    return Page[CallBack](items=items, next=following)


@operations.get(_CALL, scope="cases:read", answer=CallBackDetail, problems=(404,))
async def read_call_back(call: Call[Nothing, Nothing]) -> CallBackDetail:
    """Read one call-back, with every call that was made."""
    return await _read(call, int(call.path["id"]))


@operations.post("/call-backs", scope="cases:write", body=NewCall, answer=CallBackDetail, status=201, problems=(404,))
async def ask_for_call_back(call: Call[NewCall, Nothing]) -> CallBackDetail:
    """Ask for a call-back: of a case or of a customer."""
    body = call.body
    if (body.case is None) == (body.customer is None):
        raise at("/case", "Name either a case or a customer.")
    case_id = contact_id = None
    if body.case is not None:
        case_id = numbers.parse(body.case)
        if case_id is None or numbers.number(case_id) != body.case:
            raise at("/case", "This is not a case number: look for a slip.")
    else:
        statement = select(_contact.id).where(_contact.external_id == body.customer)
        contact_id = await call.service.database.read(lambda c: c.execute(statement).scalar())
        if contact_id is None:
            raise Problem(NOT_FOUND, "There is no customer of this id.")
    owner = await staff_of(call, body.owner, "/owner") if body.owner else None
    try:
        made = await call.service.calling.ask(
            await worker_of(call, body.agent),
            body.required,
            case_id=case_id,
            contact_id=contact_id,
            owner_id=owner.id if owner else None,
            due_at=body.due_at,
        )
    except NoCase:
        raise Problem(NOT_FOUND, "There is no case of this number.") from None
    except NoCustomer:
        raise Problem(NOT_FOUND, "There is no customer of this id.") from None
    return await _read(call, made)


@operations.post(f"{_CALL}/takings", scope="cases:write", body=Taking, answer=CallBackDetail, problems=(404, 409))
async def take_call_back(call: Call[Taking, Nothing]) -> CallBackDetail:
    """Take a call-back: of two who take it one wins."""
    id, who = int(call.path["id"]), await staff_of(call, call.body.agent, "/agent")
    try:
        await call.service.calling.take(id, who.id)
    except CallRefused as refused:
        raise _problem(call, refused) from None
    return await _read(call, id)


@operations.post(f"{_CALL}/leavings", scope="cases:write", body=ByWorker, answer=CallBackDetail, problems=(404, 409))
async def leave_call_back(call: Call[ByWorker, Nothing]) -> CallBackDetail:
    """Leave a call-back to a colleague."""
    id = int(call.path["id"])
    try:
        await call.service.calling.leave(id)
    except CallRefused as refused:
        raise _problem(call, refused) from None
    return await _read(call, id)


@operations.post(f"{_CALL}/outcomes", scope="cases:write", body=Outcome, answer=CallBackDetail, problems=(404, 409))
async def tell_outcome(call: Call[Outcome, Nothing]) -> CallBackDetail:
    """Tell what came of a call."""
    id, body = int(call.path["id"]), call.body
    by = await worker_of(call, body.agent)
    try:
        await call.service.calling.outcome(
            id, by, body.result, note=body.note, again_at=body.at if body.result == "again" else None, score=body.score
        )
    except CallRefused as refused:
        raise _problem(call, refused) from None
    return await _read(call, id)


def _problem(call: Call[Any, Any], refused: CallRefused) -> Problem:
    kind = NOT_FOUND if refused.code == "no_task" else CONFLICT
    return Problem(kind, refused.said(call.language), code=refused.code)


_COLUMNS = (
    _task.id,
    _task.why,
    _task.required,
    _task.state,
    _task.due_at,
    _task.again_at,
    _task.tries,
    _task.result,
    _task.outcome,
    _task.department,
    _task.made_at,
    _task.ended_at,
    _task.case_id,
    _staff.login,
    _contact.phone,
)


def _calls() -> Select[Any]:
    return (
        select(*_COLUMNS, _contact.id.label("contact"), *CUSTOMER)
        .select_from(tables.case_tasks)
        .outerjoin(tables.contacts, _contact.id == _task.contact_id)
        .outerjoin(tables.staff, _staff.id == _task.owner_id)
        .where(_task.kind == "call_back")
    )


def _values(row: Any, now: datetime) -> dict[str, Any]:
    names = [column.name for column in _COLUMNS]
    found = dict(zip(names, row, strict=False))
    customer = customer_of(part(row, len(_COLUMNS) + 1, CUSTOMER)) if row.contact is not None else None
    late = found["state"] in _OPEN and found["due_at"] is not None and found["due_at"] < now
    return found | {
        "owner": found["login"],
        "case": case_number(found["case_id"]),
        "customer": customer,
        "overdue": late,
    }


async def _read(call: Call[Any, Any], id: int) -> CallBackDetail:
    def work(connection: Connection) -> tuple[Any, list[CallTry]]:
        row = connection.execute(_calls().where(_task.id == id)).first()
        names = list(CallTry.model_fields)
        tried = select(*(_try[name] for name in names)).where(_try.task_id == id).order_by(_try.id)
        return row, [CallTry(**dict(zip(names, each, strict=True))) for each in connection.execute(tried)]

    row, calls = await call.service.database.read(work)
    if row is None:
        raise Problem(NOT_FOUND, "There is no call-back of this id.")
    return CallBackDetail(**_values(row, call.now), calls=calls)
