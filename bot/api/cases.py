"""GET /cases: what customers complained of, where each case stands, and its timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Connection, Row, Select, select

from bot.api.operation import Call, Nothing, Operations
from bot.api.pages import Page, Paging, Rows, page_of
from bot.api.problems import NOT_FOUND, Problem
from bot.api.values import Line60, Line200
from bot.api.views import CUSTOMER, CustomerView, customer_of, part
from bot.cases import numbers, rules
from bot.cases.rules import SETTLED
from nlu.understanding import Urgency
from storage import tables

operations = Operations("cases")


class CaseView(BaseModel):
    """One case."""

    number: str = Field(description="What the customer was told.")
    state: rules.State
    title: str
    nature: list[str] = Field(description="What it is about, the main first.")
    aspect: list[str]
    urgency: Urgency
    department: str | None = Field(description="Who leads.")
    fields: dict[str, Any] = Field(description="What the customer told: an order number, a place.")
    language: str
    owner: str | None = Field(description="The login of who owns it.")
    customer: CustomerView
    conversation: int
    opened_at: datetime
    respond_by: datetime = Field(description="The deadline of the first response.")
    responded_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None


class CaseEvent(BaseModel):
    """A line of a timeline: who did what, when and why."""

    at: datetime
    actor: str = Field(description="customer, bot, system or staff:<id>.")
    kind: str
    from_state: str | None
    to_state: str | None
    note: str | None


class CaseDetail(CaseView):
    """One case with its timeline."""

    timeline: list[CaseEvent] = Field(description="The oldest first.")


class CaseFilter(Paging):
    state: rules.State | None = None
    open: Literal["true", "false"] | None = Field(None, description="true: those that are still worked on.")
    urgency: Urgency | None = None
    department: Line60 | None = None
    customer: Line200 | None = Field(None, description="The customer's id.")


case = tables.cases.c
_CASE = (
    case.id,
    case.state,
    case.title,
    case.nature,
    case.aspect,
    case.urgency,
    case.department,
    case.fields,
    case.language,
    tables.staff.c.login,
    case.conversation_id,
    case.opened_at,
    case.respond_by,
    case.responded_at,
    case.resolved_at,
    case.closed_at,
)


@operations.get("/cases", scope="cases:read", query=CaseFilter, answer=Page[CaseView])
async def list_cases(call: Call[Nothing, CaseFilter]) -> Page[CaseView]:
    """List cases."""
    asked = call.query
    statement = _cases()
    for column, value in (
        (case.state, asked.state),
        (case.urgency, asked.urgency),
        (case.department, asked.department),
        (tables.contacts.c.external_id, asked.customer),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if asked.open is not None:
        settled = sorted(SETTLED)
        statement = statement.where(case.state.not_in(settled) if asked.open == "true" else case.state.in_(settled))
    items, following = await page_of(call.service, "cases", asked, statement, case.id, _shown)
    return Page[CaseView](items=items, next=following)


@operations.get(r"/cases/{number:\d{4,18}}", scope="cases:read", answer=CaseDetail, problems=(404,))
async def read_case(call: Call[Nothing, Nothing]) -> CaseDetail:
    """Read one case, by the number that the customer was told."""
    given = call.path["number"]
    case_id = numbers.parse(given)
    # Only the number itself: its last digit is a check that catches a slip.
    if case_id is None or numbers.number(case_id) != given:
        raise Problem(NOT_FOUND, "This is not a case number: look for a slip.")
    statement, event = _cases().where(case.id == case_id), tables.case_events.c
    timeline = (
        select(event.at, event.actor, event.kind, event.from_state, event.to_state, event.note)
        .where(event.case_id == case_id)
        .order_by(event.id)
    )

    def work(connection: Connection) -> tuple[Row[Any] | None, Rows]:
        return connection.execute(statement).first(), connection.execute(timeline).all()

    row, events = await call.service.database.read(work)
    if row is None:
        raise Problem(NOT_FOUND, "There is no case of this number.")
    names = list(CaseEvent.model_fields)
    lines = [CaseEvent.model_validate(dict(zip(names, each, strict=True))) for each in events]
    return CaseDetail(**_values(row), timeline=lines)


def _cases() -> Select[Any]:
    return (
        select(*_CASE, *CUSTOMER)
        .select_from(tables.cases)
        .join(tables.contacts, tables.contacts.c.id == case.contact_id)
        .outerjoin(tables.staff, tables.staff.c.id == case.owner_id)
    )


def _shown(_: Connection, rows: Rows) -> list[CaseView]:
    return [CaseView(**_values(row)) for row in rows]


def _values(row: Row[Any]) -> dict[str, Any]:
    names = [column.name for column in _CASE]
    values = dict(zip(names, row, strict=False))
    return values | {
        "number": numbers.number(values["id"]),
        "owner": values["login"],
        "conversation": values["conversation_id"],
        "customer": customer_of(part(row, len(_CASE), CUSTOMER)),
    }
