"""POST below /cases/{number}: what people do to a case; and the tasks that they give each other."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar

from pydantic import Field, StringConstraints
from sqlalchemy import Connection

from bot.api.cases import CASE, CaseView, case_id_of, view_of
from bot.api.operation import Call, Nothing, Operations
from bot.api.problems import CONFLICT, NOT_FOUND, Problem, at
from bot.api.values import Given, Line60, Line100, Line200, Moment
from bot.cases import numbers
from bot.cases.remedies import RemedyRefused
from bot.cases.tasks import TaskRefused
from bot.loop import merging
from bot.loop.case_moves import IllegalMove
from bot.loop.casework import CaseRefused, NoCase, Worker
from bot.loop.splitting import Part
from bot.staff.service import folded
from nlu.understanding import Nature, Urgency
from storage import tables
from storage.records import Staff

operations = Operations("cases")
T = TypeVar("T")

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
CaseNumber = Annotated[str, StringConstraints(pattern=r"^\d{4,18}$")]
AUTO = "auto"


class ByWorker(Given):
    """Who acts."""

    agent: Line100 | None = Field(None, description="The login of a member of the staff; without it: this token.")


class ByStaff(ByWorker):
    """Who acts, and on which state of the case."""

    version: int | None = Field(
        None, ge=0, description="`version` of the case as you read it: refused (409, moved_on) if it moved since."
    )


class Assignment(ByStaff):
    department: Line60 | None = Field(None, description="A department of departments.yml.")
    owner: Line100 | None = Field(None, description=f"A login; {AUTO}: by presence, skill and load.")
    required: Words | None = Field(None, description="With another department: what is required of it.")
    due_at: Moment | None = Field(None, description="With another department: by when it is acknowledged.")


class Reason(ByStaff):
    reason: Words


class Plan(ByStaff):
    plan: Words = Field(description="What will be done, in words for the customer.")
    tell: bool = Field(True, description="Tell the customer.")


class Question(ByStaff):
    question: Words = Field(description="What only the customer knows; deadlines stand still until they answer.")


class Result(ByStaff):
    result: Words = Field(description="What was done, in words for the customer.")


class Merger(ByStaff):
    into: CaseNumber = Field(description="The number of the other case.")
    reason: Words
    same: bool = Field(False, description="As a duplicate of the other.")


class Split(ByStaff):
    report: int | None = Field(None, ge=1, lt=10**18, description="The id of what joined; it goes.")
    merged: CaseNumber | None = Field(None, description="Or the number of a case that was merged into this one.")
    title: Line200 | None = Field(None, description="Else, or to say it better: what the new case is about.")
    nature: list[Nature] | None = Field(None, min_length=1, max_length=5)
    aspect: list[Line60] | None = Field(None, max_length=20)
    urgency: Urgency | None = None
    reason: Words


class Answer(ByStaff):
    score: float = Field(ge=0, le=100, description="The customer's own word, of 0 to 100.")
    note: Annotated[str, StringConstraints(max_length=500)] = ""


class Findings(ByStaff):
    cause: Words | None = None
    countermeasure: Words | None = None
    result: Words | None = None


@operations.post(f"{CASE}/assignments", scope="cases:write", body=Assignment, answer=CaseView, problems=(404, 409))
async def assign_case(call: Call[Assignment, Nothing]) -> CaseView:
    """Assign a case to a department, a person, or both.

    Another department is handed it: with what is required and by when, as a task that it acknowledges.
    """
    case, body = case_id_of(call), call.body
    work = call.service.casework
    if body.owner == AUTO:
        by_load = work.assign_by_load(
            case,
            await _worker(call),
            body.department,
            required=body.required or "",
            due_at=body.due_at,
            version=body.version,
        )
        await done(call, by_load)
        return await view_of(call, case)
    owner = await staff_of(call, body.owner, "/owner") if body.owner else None
    act = work.assign(
        case,
        await _worker(call),
        department=body.department,
        owner_id=owner.id if owner else None,
        required=body.required or "",
        due_at=body.due_at,
        version=body.version,
    )
    await done(call, act)
    return await view_of(call, case)


@operations.post(f"{CASE}/returns", scope="cases:write", body=Reason, answer=CaseView, problems=(404, 409))
async def return_case(call: Call[Reason, Nothing]) -> CaseView:
    """Return a case to the hub, because another department should have it; say why."""
    case, body = case_id_of(call), call.body
    work = call.service.casework.give_back(case, await _worker(call), body.reason, version=body.version)
    await done(call, work)
    return await view_of(call, case)


@operations.post(f"{CASE}/plans", scope="cases:write", body=Plan, answer=CaseView, problems=(404, 409))
async def plan_case(call: Call[Plan, Nothing]) -> CaseView:
    """Say what will be done about a case; the customer is told."""
    case, body = case_id_of(call), call.body
    work = call.service.casework.plan(case, await _worker(call), body.plan, tell=body.tell, version=body.version)
    await done(call, work)
    return await view_of(call, case)


@operations.post(f"{CASE}/starts", scope="cases:write", body=ByStaff, answer=CaseView, problems=(404, 409))
async def start_case(call: Call[ByStaff, Nothing]) -> CaseView:
    """Begin to work on a case."""
    case = case_id_of(call)
    await done(call, call.service.casework.begin(case, await _worker(call), version=call.body.version))
    return await view_of(call, case)


@operations.post(f"{CASE}/questions", scope="cases:write", body=Question, answer=CaseView, problems=(404, 409))
async def ask_about_case(call: Call[Question, Nothing]) -> CaseView:
    """Ask the customer something about their case. Until they answer its deadlines stand still."""
    case, body = case_id_of(call), call.body
    await done(call, call.service.casework.ask(case, await _worker(call), body.question, version=body.version))
    return await view_of(call, case)


@operations.post(f"{CASE}/resumptions", scope="cases:write", body=ByStaff, answer=CaseView, problems=(404, 409))
async def resume_case(call: Call[ByStaff, Nothing]) -> CaseView:
    """Wait for the customer no longer: deadlines run again."""
    case = case_id_of(call)
    await done(call, call.service.casework.resume(case, await _worker(call), version=call.body.version))
    return await view_of(call, case)


@operations.post(f"{CASE}/resolutions", scope="cases:write", body=Result, answer=CaseView, problems=(404, 409))
async def resolve_case(call: Call[Result, Nothing]) -> CaseView:
    """Say that a case is settled. The customer is told and asked to rate; only their rating closes it."""
    case, body = case_id_of(call), call.body
    await done(call, call.service.casework.resolve(case, await _worker(call), body.result, version=body.version))
    return await view_of(call, case)


@operations.post(f"{CASE}/mergers", scope="cases:write", body=Merger, answer=CaseView, problems=(404, 409))
async def merge_case(call: Call[Merger, Nothing]) -> CaseView:
    """Merge a case into another one of the same matter. What becomes of that one is what its customer is told, also if
    they are somebody else."""
    case, body = case_id_of(call), call.body
    into = numbered(body.into, "/into")
    by = await _worker(call)
    work = merging.merge(call.service.casework, case, into, by, body.reason, same=body.same, version=body.version)
    await done(call, work)
    return await view_of(call, case)


@operations.post(f"{CASE}/splits", scope="cases:write", body=Split, answer=CaseView, problems=(404, 409))
async def split_case(call: Call[Split, Nothing]) -> CaseView:
    """Take a part of a case out of it: what joined it, a case that was merged into it, or what `title` says.

    The new case is answered; both timelines tell of it, and so is the customer.
    """
    case, body = case_id_of(call), call.body
    merged = numbered(body.merged, "/merged") if body.merged else None
    if (body.report is not None) + (merged is not None) > 1 or not (body.report or merged or body.title):
        raise at("/report", "Say one of `report` and `merged`, or give a `title`.")
    part = Part(
        report=body.report,
        merged=merged,
        title=body.title,
        nature=body.nature,
        aspect=body.aspect,
        urgency=body.urgency,
    )
    by = await _worker(call)
    made = await done(call, call.service.splitting.split(case, by, part, body.reason, version=body.version))
    return await view_of(call, made)


@operations.post(f"{CASE}/answers", scope="cases:write", body=Answer, answer=CaseView, problems=(404, 409))
async def answer_for_case(call: Call[Answer, Nothing]) -> CaseView:
    """Record what the customer said of the result when they were called.

    It counts as a rating does: it closes the case, or opens it again.
    """
    case, body = case_id_of(call), call.body
    by = await _worker(call)
    await done(call, call.service.casework.answered(case, by, body.score, body.note, version=body.version))
    return await view_of(call, case)


@operations.post(f"{CASE}/findings", scope="cases:write", body=Findings, answer=CaseView, problems=(404, 409))
async def note_findings(call: Call[Findings, Nothing]) -> CaseView:
    """Note the cause, the countermeasure and the result of a case."""
    case = case_id_of(call)
    given = call.body.model_dump(include={"cause", "countermeasure", "result"}, exclude_none=True)
    by = await _worker(call)
    await done(call, call.service.casework.note(case, by, version=call.body.version, **given))
    return await view_of(call, case)


async def worker_of(call: Call[Any, Any], login: str | None) -> Worker:
    """The member of the staff named, else the token itself. Raises Problem."""
    if login is None:
        return Worker(call.caller.actor)
    found = await staff_of(call, login, "/agent")
    return Worker(f"staff:{found.id}", found.id)


def numbered(given: str, pointer: str) -> int:
    """The case of this number. Raises Problem for what is no case number."""
    found = numbers.parse(given)
    if found is None or numbers.number(found) != given:
        raise at(pointer, "This is not a case number: look for a slip.")
    return found


async def _worker(call: Call[Any, Any]) -> Worker:
    return await worker_of(call, call.body.agent)


async def staff_of(call: Call[Any, Any], login: str, pointer: str) -> Staff:
    """The member of the staff of this login. Raises Problem, at `pointer`."""
    staff = tables.staff.c

    def work(connection: Connection) -> Staff | None:
        return Staff.one(connection, staff.login == folded(login), staff.disabled_at.is_(None))

    found = await call.service.database.read(work)
    if found is None:
        raise at(pointer, f"There is no member of the staff with the login '{login}'.")
    return found


async def done(call: Call[Any, Any], act: Awaitable[T]) -> T:
    """What `act` gives; its refusals as problems."""
    try:
        return await act
    except RemedyRefused as refused:
        kind = NOT_FOUND if refused.code == "no_remedy" else CONFLICT
        raise Problem(kind, refused.said(call.language), code=refused.code) from None
    except (IllegalMove, CaseRefused) as refused:
        raise Problem(CONFLICT, refused.said(call.language), code=refused.code) from None
    except TaskRefused as refused:
        kind = NOT_FOUND if refused.code == "no_task" else CONFLICT
        raise Problem(kind, refused.said(call.language), code=refused.code) from None
    except NoCase:
        raise Problem(NOT_FOUND, "There is no case of this number.") from None
