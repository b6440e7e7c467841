"""GET /cases: what customers complained of, where each case stands, and its timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row, Select, Table, select

from bot.api.operation import Call, Nothing, Operations
from bot.api.pages import Page, Paging, Rows, page_of
from bot.api.problems import NOT_FOUND, Problem
from bot.api.values import Line60, Line100, Line200, Moment
from bot.api.views import CUSTOMER, CustomerView, case_number, customer_of, part
from bot.cases import numbers, rules, views
from bot.cases.deadlines import Task
from bot.cases.filters import Wanted, conditions
from bot.cases.remedies import Kind as RemedyKind
from bot.cases.remedies import State as RemedyState
from nlu.understanding import Nature, Urgency
from storage import tables

operations = Operations("cases")
V = TypeVar("V", bound=BaseModel)


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
    version: int = Field(description="Moves with every change: give it with yours, so as not to undo another's.")
    attempt: int = Field(description="1, and one more with each reopening.")
    reports: int = Field(description="How often it was told: what joined it is counted here.")
    waiting_since: datetime | None = Field(description="We asked the customer something; deadlines stand still.")
    handed_at: datetime | None = Field(description="Since when it is with its department.")
    plan: str | None
    cause: str | None
    countermeasure: str | None
    result: str | None
    score: float | None = Field(description="The customer's rating of the last attempt, of 0 to 100.")
    merged_into: str | None = Field(description="The number of the case that this one is a part of.")
    group: int | None = Field(description="The group of cases of one matter.")
    topic: str | None = Field(description="nature:aspect, by which many are seen to say the same.")


class CaseEvent(BaseModel):
    """A line of a timeline: who did what, when and why."""

    at: datetime
    actor: str = Field(description="customer, bot, system or staff:<id>.")
    kind: str
    from_state: str | None
    to_state: str | None
    note: str | None


class DeadlineView(BaseModel):
    """A deadline of a case."""

    kind: Task
    subject: str = Field(description="task:ID or remedy:ID; empty: the case itself.")
    state: Literal["running", "frozen", "met", "cancelled"]
    attempt: int
    started_at: datetime
    due_at: datetime
    warned_at: datetime | None
    breached_at: datetime | None
    level: int = Field(description="How many steps up it was escalated.")
    ended_at: datetime | None
    took_seconds: float | None = Field(description="As this deadline counts, without the time it stood still.")


class TaskView(BaseModel):
    """What one department asked of another."""

    id: int
    kind: Literal["hand_over", "sub_task", "call_back"]
    from_department: str | None
    department: str
    required: str
    due_at: datetime | None
    state: Literal["waiting", "acknowledged", "done", "returned", "cancelled"]
    outcome: str | None
    made_by: str
    made_at: datetime
    acknowledged_at: datetime | None
    ended_at: datetime | None


class ReportView(BaseModel):
    """What a customer told again within a day, and what joined their open case for it."""

    id: int
    at: datetime
    channel: str
    conversation: int
    text: str
    urgency: Urgency
    fields: dict[str, Any]
    split_into: str | None = Field(description="The number of the case that it became: it was something else.")


class RemedyView(BaseModel):
    """What makes good."""

    id: int
    kind: RemedyKind
    amount: float | None = Field(description="In the house's currency.")
    note: str | None
    state: RemedyState
    made_by: str
    made_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None = Field(description="Why it was refused, or cancelled.")
    promised_until: datetime | None = Field(description="By when the customer was promised it.")
    done_by: str | None
    done_at: datetime | None


class CaseDetail(CaseView):
    """One case with its deadlines, tasks and timeline."""

    remedies: list[RemedyView]
    joined: list[ReportView] = Field(description="What joined it, the oldest first.")
    parts: list[str] = Field(description="The numbers of cases that were merged into it.")
    deadlines: list[DeadlineView]
    tasks: list[TaskView]
    timeline: list[CaseEvent] = Field(description="The oldest first.")


Yes = Literal["true", "false"]


class CaseChoice(BaseModel):
    """Which cases are meant; what is left out does not matter."""

    model_config = ConfigDict(extra="forbid")

    state: rules.State | None = None
    open: Yes | None = Field(None, description="true: those that are still worked on.")
    urgency: Urgency | None = None
    department: Line60 | None = None
    customer: Line200 | None = Field(None, description="The customer's id.")
    owner: Line100 | None = Field(None, description="The login of who has it.")
    owned: Yes | None = Field(None, description="false: those that nobody has.")
    nature: Nature | None = Field(None, description="What it is about in the first place.")
    overdue: Yes | None = Field(None, description="true: a deadline that runs has passed.")
    waiting: Yes | None = Field(None, description="true: we asked the customer something.")
    group: int | None = Field(None, ge=1, le=10**17, description="Those of a group: many told the same matter.")
    opened_from: Moment | None = None
    opened_before: Moment | None = None

    def wanted(self) -> Wanted:
        given = {name: getattr(self, name) for name in CaseChoice.model_fields}
        return Wanted(**{name: _YES.get(value, value) for name, value in given.items()})

    @classmethod
    def of(cls, wanted: Wanted) -> CaseChoice:
        kept = wanted.as_json()
        return cls.model_validate({name: str(v).lower() if isinstance(v, bool) else v for name, v in kept.items()})


class CaseNamed(CaseChoice):
    view: Line60 | None = Field(None, description="A saved view; what else is given here wins over it.")


class CaseFilter(CaseNamed, Paging):
    pass


_YES: dict[Any, Any] = {"true": True, "false": False}


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
    case.version,
    case.attempt,
    case.reports,
    case.waiting_since,
    case.handed_at,
    case.plan,
    case.cause,
    case.countermeasure,
    case.result,
    case.score,
    case.merged_into,
    case.group_id,
    case.topic,
)
CASE = r"/cases/{number:\d{4,18}}"


@operations.get("/cases", scope="cases:read", query=CaseFilter, answer=Page[CaseView], problems=(404,))
async def list_cases(call: Call[Nothing, CaseFilter]) -> Page[CaseView]:
    """List cases."""
    statement = _cases().where(*conditions(await wanted_of(call, call.query)))
    items, following = await page_of(call.service, "cases", call.query, statement, case.id, _shown)
    return Page[CaseView](items=items, next=following)


@operations.get(CASE, scope="cases:read", answer=CaseDetail, problems=(404,))
async def read_case(call: Call[Nothing, Nothing]) -> CaseDetail:
    """Read one case, by the number that the customer was told."""
    case_id = case_id_of(call)

    def work(connection: Connection) -> CaseDetail | None:
        row = connection.execute(_cases().where(case.id == case_id)).first()
        if row is None:
            return None

        def of(table: Table, view: type[V]) -> list[V]:
            columns = [table.c[name] for name in view.model_fields]
            found = connection.execute(select(*columns).where(table.c.case_id == case_id).order_by(table.c.id))
            return [view.model_validate(dict(each)) for each in found.mappings()]

        return CaseDetail(
            **_values(row),
            remedies=_remedies(connection, case_id),
            joined=_joined(connection, case_id),
            parts=_parts(connection, case_id),
            deadlines=of(tables.deadlines, DeadlineView),
            tasks=of(tables.case_tasks, TaskView),
            timeline=of(tables.case_events, CaseEvent),
        )

    found = await call.service.database.read(work)
    if found is None:
        raise Problem(NOT_FOUND, "There is no case of this number.")
    return found


async def wanted_of(call: Call[Any, Any], asked: CaseNamed) -> Wanted:
    """What a call asks for: its view, and over it what it says itself. Raises Problem where there is no such view."""
    kept = Wanted()
    if asked.view is not None:
        found = await views.find(call.service.database, asked.view)
        if found is None:
            raise Problem(NOT_FOUND, "There is no view of this name.")
        kept = found
    return Wanted.from_json(kept.as_json() | asked.wanted().as_json())


def case_id_of(call: Call[Any, Any]) -> int:
    """The case that the path names. Raises Problem for what is no case number."""
    given = call.path["number"]
    case_id = numbers.parse(given)
    # Only the number itself: its last digit is a check that catches a slip.
    if case_id is None or numbers.number(case_id) != given:
        raise Problem(NOT_FOUND, "This is not a case number: look for a slip.")
    return case_id


async def view_of(call: Call[Any, Any], case_id: int) -> CaseView:
    """A case as it stands now."""
    statement = _cases().where(case.id == case_id)
    return CaseView(**_values(await call.service.database.read(lambda c: c.execute(statement).one())))


def _cases() -> Select[Any]:
    return (
        select(*_CASE, *CUSTOMER)
        .select_from(tables.cases)
        .join(tables.contacts, tables.contacts.c.id == case.contact_id)
        .outerjoin(tables.staff, tables.staff.c.id == case.owner_id)
    )


def remedy_of(row: Row[Any]) -> dict[str, Any]:
    """The values of a RemedyView."""
    values = {name: getattr(row, name) for name in RemedyView.model_fields}
    return values | {"amount": None if row.amount is None else row.amount / 100}


def _remedies(connection: Connection, case_id: int) -> list[RemedyView]:
    table = tables.case_remedies
    found = connection.execute(select(*table.c).where(table.c.case_id == case_id).order_by(table.c.id))
    return [RemedyView(**remedy_of(row)) for row in found]


def _joined(connection: Connection, case_id: int) -> list[ReportView]:
    report, talk = tables.case_reports.c, tables.conversations
    columns = (report.id, report.at, talk.c.channel, report.text, report.urgency, report.fields, report.split_into)
    statement = (
        select(*columns, talk.c.id.label("conversation"))
        .join_from(tables.case_reports, talk, talk.c.id == report.conversation_id)
        .where(report.case_id == case_id)
        .order_by(report.id)
    )
    return [
        ReportView(**dict(row) | {"split_into": case_number(row["split_into"])})
        for row in connection.execute(statement).mappings()
    ]


def _parts(connection: Connection, case_id: int) -> list[str]:
    found = connection.execute(select(case.id).where(case.merged_into == case_id).order_by(case.id))
    return [numbers.number(id) for id in found.scalars()]


def _shown(_: Connection, rows: Rows) -> list[CaseView]:
    return [CaseView(**_values(row)) for row in rows]


def _values(row: Row[Any]) -> dict[str, Any]:
    names = [column.name for column in _CASE]
    values = dict(zip(names, row, strict=False))
    return values | {
        "number": numbers.number(values["id"]),
        "owner": values["login"],
        "conversation": values["conversation_id"],
        "merged_into": case_number(values["merged_into"]),
        "group": values["group_id"],
        "customer": customer_of(part(row, len(_CASE), CUSTOMER)),
    }
