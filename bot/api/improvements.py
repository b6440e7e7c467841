"""Improvements: what many cases say of one thing, who does what about it by when, and whether it helped."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection, Row, Select, func, select

from bot.api.casework import ByWorker, CaseNumber, Words, numbered, staff_of, worker_of
from bot.api.operation import Call, Nothing, Operations
from bot.api.pages import Page, Paging, Rows, page_of
from bot.api.problems import CONFLICT, NOT_FOUND, Problem
from bot.api.values import Line100, Line200, Moment
from bot.api.views import case_number
from bot.improvements import rules, service
from bot.improvements.rules import ImprovementRefused, Quadrant, State, Verdict
from storage import tables
from storage.records import Improvement

operations = Operations("improvements")
improvement, link = tables.improvements.c, tables.improvement_cases.c
PATH = r"/improvements/{id:\d{1,18}}"
SHOWN = 500
Grade = Annotated[int, Field(ge=1, le=5)]
Topic = Annotated[str, StringConstraints(pattern=r"^[a-z_]+:[^\x00-\x1f\x7f]{1,180}$", max_length=200)]


class Period(BaseModel):
    """What was heard of the topic: each figure with how many it rests on."""

    days: float
    volume: int = Field(description="How often it was told.")
    score: float | None = Field(description="The mean of its cases' ratings, of 0 to 100.")
    score_low: float | None = Field(description="Of the mean's 95 % interval.")
    score_high: float | None
    ratings: int = Field(description="How many ratings the score rests on.")
    small: bool = Field(description="Fewer than 30 of either: the figures say little.")


class Verified(BaseModel):
    """What the figures showed when it was verified."""

    verdict: Verdict = Field(description="better: told less often or rated better than chance explains, nothing worse.")
    note: str
    before: Period
    after: Period


class ImprovementView(BaseModel):
    """One improvement."""

    id: int
    title: str
    topic: str
    measure: str
    impact: int
    difficulty: int
    quadrant: Quadrant
    owner: str | None = Field(description="The login of who is to do it.")
    target: str | None
    due_at: datetime | None
    state: State
    reason: str | None = Field(description="Why it was dropped.")
    cases: int = Field(description="How many it collects.")
    made_by: str
    made_at: datetime
    done_at: datetime | None
    verified_at: datetime | None
    verified_by: str | None
    outcome: Verified | None
    version: int


class ImprovementDetail(ImprovementView):
    """One improvement, its cases, and its topic's figures as they are now."""

    collected: list[str] = Field(description="The numbers of its cases, the newest 500.")
    before: Period
    after: Period | None = Field(description="Since it was done.")
    verdict: Verdict | None = Field(description="What a verification would find now.")


class Matrix(BaseModel):
    """What is not done yet, by impact and difficulty, what is worth doing first before the rest."""

    quick_win: list[ImprovementView]
    major_project: list[ImprovementView]
    fill_in: list[ImprovementView]
    reconsider: list[ImprovementView]


class NewImprovement(ByWorker):
    title: Line200
    topic: Topic = Field(description="nature:aspect, as `topic` of a case: by it the improvement is verified.")
    measure: Words = Field(description="What is to be done.")
    impact: Grade
    difficulty: Grade
    owner: Line100 | None = Field(None, description="The login of who is to do it.")
    target: Words | None = Field(None, description="What is to be reached.")
    due_at: Moment | None = None


class Changes(ByWorker):
    version: int | None = Field(None, ge=0, description="As you read it: refused (409, moved_on) if it moved since.")
    state: State | None = Field(None, description="All but verified, which its figures decide.")
    reason: Annotated[str, StringConstraints(max_length=2_000)] = ""
    title: Line200 | None = None
    measure: Words | None = None
    impact: Grade | None = None
    difficulty: Grade | None = None
    owner: Line100 | None = None
    target: Words | None = None
    due_at: Moment | None = None


class Collected(ByWorker):
    add: list[CaseNumber] = Field(default=[], max_length=500)
    remove: list[CaseNumber] = Field(default=[], max_length=500)
    since: Moment | None = Field(None, description="Add all cases of its topic opened since then, 1,000 at most.")


class Verification(ByWorker):
    note: Annotated[str, StringConstraints(max_length=2_000)] = ""


class ImprovementFilter(Paging):
    state: State | None = None
    topic: Line200 | None = None


@operations.get("/improvements", scope="cases:read", query=ImprovementFilter, answer=Page[ImprovementView])
async def list_improvements(call: Call[Nothing, ImprovementFilter]) -> Page[ImprovementView]:
    """List improvements."""
    asked, statement = call.query, _all()
    for column, value in ((improvement.state, asked.state), (improvement.topic, asked.topic)):
        if value is not None:
            statement = statement.where(column == value)
    items, following = await page_of(call.service, "improvements", asked, statement, improvement.id, _shown)
    return Page[ImprovementView](items=items, next=following)


@operations.get("/improvements/matrix", scope="cases:read", answer=Matrix)
async def read_matrix(call: Call[Nothing, Nothing]) -> Matrix:
    """Read the matrix of what is not done yet, at most 500: high impact and low difficulty first."""
    statement = _all().where(improvement.state.in_(["open", "in_progress"])).order_by(improvement.id.desc())
    found = await call.service.database.read(lambda c: _shown(c, c.execute(statement.limit(SHOWN)).all()))
    found.sort(key=lambda each: (rules.place(each.impact, each.difficulty), each.id))
    return Matrix(**{name: [each for each in found if each.quadrant == name] for name in rules.QUADRANTS})


@operations.get(PATH, scope="cases:read", answer=ImprovementDetail, problems=(404,))
async def read_improvement(call: Call[Nothing, Nothing]) -> ImprovementDetail:
    """Read one improvement with its cases, and the score and volume of its topic before and after."""
    return await _detail(call, int(call.path["id"]))


@operations.post("/improvements", scope="cases:write", body=NewImprovement, answer=ImprovementDetail)
async def make_improvement(call: Call[NewImprovement, Nothing]) -> ImprovementDetail:
    """Propose an improvement."""
    by, values = await _by(call), await _values(call)
    id = await call.service.database.write(lambda c: service.make(c, values, by, call.now))
    return await _detail(call, id)


@operations.post(f"{PATH}/changes", scope="cases:write", body=Changes, answer=ImprovementDetail, problems=(404, 409))
async def change_improvement(call: Call[Changes, Nothing]) -> ImprovementDetail:
    """Change an improvement, or say how far it is."""
    by, values, body, id = await _by(call), await _values(call), call.body, int(call.path["id"])

    def work(connection: Connection) -> None:
        service.change(connection, id, values, by, call.now, to=body.state, reason=body.reason, version=body.version)

    await _done(call, work)
    return await _detail(call, id)


@operations.post(f"{PATH}/cases", scope="cases:write", body=Collected, answer=ImprovementDetail, problems=(404, 409))
async def collect_cases(call: Call[Collected, Nothing]) -> ImprovementDetail:
    """Collect cases that the improvement is about, by number or all of its topic; or let go of some."""
    by, body, id = await _by(call), call.body, int(call.path["id"])
    add = [numbered(each, f"/add/{n}") for n, each in enumerate(body.add)]
    remove = [numbered(each, f"/remove/{n}") for n, each in enumerate(body.remove)]
    await _done(call, lambda c: service.collect(c, id, add, remove, by, call.now, since=body.since))
    return await _detail(call, id)


@operations.post(
    f"{PATH}/verifications", scope="cases:write", body=Verification, answer=ImprovementDetail, problems=(404, 409)
)
async def verify_improvement(call: Call[Verification, Nothing]) -> ImprovementDetail:
    """Look whether it helped, 30 days after it was done or later: what is told less often, or rated better, is."""
    by, note, id = await _by(call), call.body.note, int(call.path["id"])
    await _done(call, lambda c: service.verify(c, id, by, call.now, note))
    return await _detail(call, id)


# ---- within ----


async def _by(call: Call[Any, Any]) -> str:
    return (await worker_of(call, call.body.agent)).actor


async def _values(call: Call[Any, Any]) -> dict[str, Any]:
    names = {"title", "topic", "measure", "impact", "difficulty", "target", "due_at"}
    values: dict[str, Any] = call.body.model_dump(include=names, exclude_none=True)
    if call.body.owner is not None:
        values["owner_id"] = (await staff_of(call, call.body.owner, "/owner")).id
    return values


async def _done(call: Call[Any, Any], work: Any) -> None:
    try:
        await call.service.database.write(work)
    except ImprovementRefused as refused:
        kind = NOT_FOUND if refused.code == "no_improvement" else CONFLICT
        raise Problem(kind, refused.said(call.language), code=refused.code) from None


async def _detail(call: Call[Any, Any], id: int) -> ImprovementDetail:
    now = call.now

    def work(connection: Connection) -> ImprovementDetail | None:
        found = connection.execute(_all().where(improvement.id == id)).first()
        row = Improvement.one(connection, improvement.id == id)
        if found is None or row is None:
            return None
        before, after = service.figures(connection, row, now)
        collected = select(link.case_id).where(link.improvement_id == id).order_by(link.id.desc()).limit(SHOWN)
        return ImprovementDetail(
            **_view(found),
            collected=[case_number(case) or "" for case in connection.execute(collected).scalars()],
            before=Period(**service.shown(before)),
            after=Period(**service.shown(after)) if after else None,
            verdict=rules.verdict(before, after) if after else None,
        )

    detail = await call.service.database.read(work)
    if detail is None:
        raise Problem(NOT_FOUND, "There is no improvement of this id.")
    return detail


def _all() -> Select[Any]:
    count = select(func.count()).where(link.improvement_id == improvement.id).correlate(tables.improvements)
    return select(
        *tables.improvements.c, tables.staff.c.login.label("owner"), count.scalar_subquery().label("cases")
    ).outerjoin_from(tables.improvements, tables.staff, tables.staff.c.id == improvement.owner_id)


def _shown(_: Connection, rows: Rows) -> list[ImprovementView]:
    return [ImprovementView(**_view(row)) for row in rows]


def _view(row: Row[Any]) -> dict[str, Any]:
    found = {name: getattr(row, name) for name in ImprovementView.model_fields if name != "quadrant"}
    return found | {"quadrant": rules.quadrant(row.impact, row.difficulty)}
