"""Remedies of cases: proposed by whoever works on them, approved by whom their limit allows, carried out, told."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import Connection, Row, select

from bot.api.cases import CASE, RemedyView, case_id_of, remedy_of
from bot.api.casework import ByStaff, ByWorker, done, worker_of
from bot.api.operation import Call, Nothing, Operations
from bot.api.pages import Page, Paging, Rows, page_of
from bot.api.problems import at
from bot.api.views import case_number
from bot.cases import remedies as rules
from bot.cases.remedies import Kind, State
from storage import tables

operations = Operations("cases")
remedy = tables.case_remedies.c
APPROVES = "remedies:approve"


class Proposal(ByStaff):
    kind: Kind
    amount: Annotated[float, Field(gt=0, le=10**9)] | None = Field(
        None, description="In the house's currency, with two decimals at most; of a refund and a compensation."
    )
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] = Field(
        "", description="What for. An apology: its words, as the customer reads them."
    )


class RemedyMove(ByWorker):
    to: Literal["approved", "refused", "done", "cancelled"]
    reason: Annotated[str, StringConstraints(max_length=2_000)] = Field("", description="Refused, cancelled: why.")


class RemedyFilter(Paging):
    state: State | None = None
    kind: Kind | None = None


class CaseRemedy(RemedyView):
    """A remedy, and the case that it belongs to."""

    case: str | None = Field(description="The number of its case.")


@operations.get("/remedies", scope="cases:read", query=RemedyFilter, answer=Page[CaseRemedy])
async def list_remedies(call: Call[Nothing, RemedyFilter]) -> Page[CaseRemedy]:
    """List remedies: with `state=proposed`, what waits for somebody who may approve it."""
    asked = call.query
    statement = select(*tables.case_remedies.c)
    for column, value in ((remedy.state, asked.state), (remedy.kind, asked.kind)):
        if value is not None:
            statement = statement.where(column == value)
    items, following = await page_of(call.service, "remedies", asked, statement, remedy.id, _shown)
    return Page[CaseRemedy](items=items, next=following)


@operations.post(f"{CASE}/remedies", scope="cases:write", body=Proposal, answer=CaseRemedy, problems=(404, 409))
async def propose_remedy(call: Call[Proposal, Nothing]) -> CaseRemedy:
    """Propose a remedy for a case.

    With a token that has `remedies:approve` it is approved at once where it is within the limit of `agent`.
    """
    case, body = case_id_of(call), call.body
    amount = None
    if body.amount is not None:
        try:
            amount = rules.hundredths(Decimal(str(body.amount)))
        except ValueError as error:
            raise at("/amount", f"{error}.") from None
    if body.kind == "apology" and not body.note:
        raise at("/note", "Write the words of the apology: the customer reads them.")
    by = await worker_of(call, body.agent)
    approve = APPROVES in call.caller.scopes
    act = call.service.remedying.propose(case, by, body.kind, amount, body.note, approve=approve, version=body.version)
    return await _view(call, await done(call, act))


@operations.post(
    r"/remedies/{id:\d{1,18}}/moves", scope="cases:write", body=RemedyMove, answer=CaseRemedy, problems=(404, 409)
)
async def move_remedy(call: Call[RemedyMove, Nothing]) -> CaseRemedy:
    """Approve, refuse, carry out or cancel a remedy.

    To decide on it takes a token with `remedies:approve` and, as `agent`, somebody whose limit allows it.
    """
    id, body = int(call.path["id"]), call.body
    by = await worker_of(call, body.agent)
    approver = APPROVES in call.caller.scopes
    await done(call, call.service.remedying.move(id, body.to, by, body.reason, approver=approver))
    return await _view(call, id)


async def _view(call: Call[Any, Any], id: int) -> CaseRemedy:
    statement = select(*tables.case_remedies.c).where(remedy.id == id)
    return _one(await call.service.database.read(lambda c: c.execute(statement).one()))


def _shown(_: Connection, rows: Rows) -> list[CaseRemedy]:
    return [_one(row) for row in rows]


def _one(row: Row[Any]) -> CaseRemedy:
    return CaseRemedy(**remedy_of(row), case=case_number(row.case_id))
