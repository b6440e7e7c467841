"""What people do to a case at the desk: each move with its reason, refused with why and what to do instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, select

from bot.cases import assignment, numbers
from bot.cases.tasks import TaskRefused
from bot.desk import case_scope, case_sheet, case_timeline
from bot.desk.case_sheet import Reader
from bot.desk.room import Room
from bot.desk.sheets import back, sheet, show, ticking
from bot.desk.table import routes
from bot.desk.words import language_of, said
from bot.loop import handwork
from bot.loop.case_moves import IllegalMove
from bot.loop.casework import CaseRefused, NoCase, Worker
from bot.staff.presence import team
from bot.staff.sessions import Member
from storage.database import Conflict
from storage.tables import cases, staff
from storage.types import clean

CASE = r"/desk/cases/{number:\d{4,18}}"
LONGEST = 2_000
LOAD = "load"
"""Instead of a colleague: whoever is there, knows most of it and has least to do."""


class Wrong(Exception):
    """A field of a form; `key` names the text `case.<key>` that says what to do."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


@dataclass(frozen=True, slots=True)
class Given:
    """What a form says."""

    room: Room
    case: int
    by: Worker
    member: Member
    fields: Mapping[str, str]

    def text(self, name: str, *, needed: bool = True, longest: int = LONGEST) -> str:
        found = self.fields.get(name, "")
        if needed and not found:
            raise Wrong("empty")
        if len(found) > longest:
            raise Wrong("too_long", count=longest)
        return found

    @property
    def version(self) -> int | None:
        found = self.fields.get("version", "")
        return int(found) if found.isascii() and found.isdecimal() and len(found) < 10 else None

    @property
    def department(self) -> str:
        found = self.fields.get("department", "")
        if found not in self.room.service.content.departments.names:
            raise Wrong("no_department")
        return found

    @property
    def due_at(self) -> datetime | None:
        """A browser's own date and time, in the operator's zone."""
        found = self.fields.get("due", "")
        if not found:
            return None
        try:
            at = datetime.fromisoformat(found)
        except ValueError:
            raise Wrong("no_time") from None
        at = at if at.tzinfo else at.replace(tzinfo=self.room.service.content.calendar.zone)
        if at <= self.room.service.clock.now() or at.year > 9000:
            raise Wrong("past")
        return at


@routes.get(CASE)
@sheet("agent", "supervisor", "admin")
async def case(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """The case, and what may be done about it."""
    did, language = request.query.get("done", ""), language_of(request)
    known = did in ACTS or did == "task"
    words = said("case.done", language, what=said(f"case_act.{did}", language)) if known else ""
    return await page(request, room, member, case_of(request), done=words)


@routes.post(CASE + "/{act:[a-z_]{1,20}}")
@sheet("agent", "supervisor", "admin")
async def act(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Do it, on the state that was seen: of two at once the second is told what the first did, and may try again."""
    case_id, name, language = case_of(request), request.match_info["act"], language_of(request)
    do = ACTS.get(name)
    if do is None:
        raise web.HTTPNotFound
    given = Given(room, case_id, Worker(f"staff:{member.id}", member.id), member, await fields(request))
    await _admitted(room, member, case_id, language)
    try:
        await do(given)
    except Wrong as wrong:
        problem, status = said(f"case.{wrong.key}", language, **wrong.values), 422
    except CaseRefused as refused:
        problem, status = refused.said(language), 409
        if refused.code == "moved_on":
            problem = await _meanwhile(request, room, case_id, given) or problem
    except IllegalMove as illegal:
        problem, status = illegal.said(language), 409
    except Conflict:
        problem, status = said("case.busy", language), 409
    except NoCase:
        problem, status = said("case.no_such", language), 422
    else:
        raise back(request, f"/desk/cases/{request.match_info['number']}", name)
    kept = {name: value for name, value in given.fields.items() if name not in ("version", "seen")}
    return await page(request, room, member, case_id, status, problem, tried=name, given=kept)


@routes.post(CASE + r"/tasks/{task:\d{1,17}}/{to:acknowledged|done|returned}")
@sheet("agent", "supervisor", "admin")
async def answer_task(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Acknowledge, finish or return what was asked; returning says why."""
    case_id, task_id, language = case_of(request), int(request.match_info["task"]), language_of(request)
    outcome = (await fields(request)).get("outcome", "")[:LONGEST]
    if not await room.service.database.read(lambda link: may_answer(link, room, member, task_id, case_id)):
        raise web.HTTPForbidden(text=said("case.not_yours", language))
    by = Worker(f"staff:{member.id}", member.id)
    try:
        await room.service.casework.task(task_id, request.match_info["to"], by, outcome)  # type: ignore[arg-type] # the route's own words
    except (TaskRefused, CaseRefused, IllegalMove) as refused:
        return await page(request, room, member, case_id, 409, refused.said(language))
    except Conflict:
        return await page(request, room, member, case_id, 409, said("case.busy", language))
    raise back(request, f"/desk/cases/{request.match_info['number']}", "task")


def may_answer(connection: Connection, room: Room, member: Member, task_id: int, case_id: int | None) -> bool:
    """Whether a task is this member's to answer. Raises HTTPNotFound."""
    row = case_scope.visible_task(connection, member, task_id)
    if row is None or row.case_id != case_id:
        raise web.HTTPNotFound
    return case_scope.scope(connection, member, room.service.content.departments.hub).acts_on_task(row)


# ---- the acts ----


async def _take(given: Given) -> None:
    await _work(given).assign(given.case, given.by, owner_id=given.member.id, version=given.version)


async def _assign(given: Given) -> None:
    whom = given.fields.get("owner", "")
    if whom == LOAD:
        await _work(given).assign_by_load(given.case, given.by, version=given.version)
        return
    if not whom.isascii() or not whom.isdecimal() or len(whom) > 17:
        raise Wrong("nobody_there")

    def look(connection: Connection) -> tuple[bool, int | None]:
        there = select(staff.c.id).where(staff.c.id == int(whom), staff.c.disabled_at.is_(None))
        origin = connection.execute(select(cases.c.origin).where(cases.c.id == given.case)).scalar_one()
        return connection.execute(there).first() is not None, assignment.judged(connection, origin)

    known, judged = await given.room.service.database.read(look)
    if not known:
        raise Wrong("nobody_there")
    if judged == int(whom):
        raise Wrong("judged")
    note = given.text("required", needed=False)
    await _work(given).assign(given.case, given.by, owner_id=int(whom), required=note, version=given.version)


async def _hand_over(given: Given) -> None:
    await _work(given).assign(
        given.case,
        given.by,
        department=given.department,
        required=given.text("required"),
        due_at=given.due_at,
        version=given.version,
    )


async def _give_part(given: Given) -> None:
    await handwork.give_part(
        _work(given),
        given.case,
        given.by,
        department=given.department,
        required=given.text("required"),
        due_at=given.due_at,
        version=given.version,
    )


async def _give_back(given: Given) -> None:
    await _work(given).give_back(given.case, given.by, given.text("reason"), version=given.version)


async def _plan(given: Given) -> None:
    tell = "tell" in given.fields
    await _work(given).plan(given.case, given.by, given.text("plan"), tell=tell, version=given.version)


async def _begin(given: Given) -> None:
    await _work(given).begin(given.case, given.by, version=given.version)


async def _ask(given: Given) -> None:
    await _work(given).ask(given.case, given.by, given.text("question"), version=given.version)


async def _resume(given: Given) -> None:
    await _work(given).resume(given.case, given.by, version=given.version)


async def _resolve(given: Given) -> None:
    await _work(given).resolve(given.case, given.by, given.text("result"), version=given.version)


async def _follow_up(given: Given) -> None:
    await handwork.follow_up(_work(given), given.case, given.by, version=given.version)


async def _answered(given: Given) -> None:
    score = given.fields.get("score", "")
    if not score.isascii() or not score.isdecimal() or int(score[:4]) > 100:
        raise Wrong("no_score")
    note = given.text("note", needed=False, longest=500)
    await _work(given).answered(given.case, given.by, float(score), note, version=given.version)


async def _reopen(given: Given) -> None:
    await handwork.reopen(_work(given), given.case, given.by, given.text("reason"), version=given.version)


async def _merge(given: Given) -> None:
    into = number_of(given.text("into", longest=40))
    if into is None:
        raise Wrong("no_number")
    # Joined is only what they may touch on both sides.
    await _admitted(given.room, given.member, into, None)
    same = "same" in given.fields
    await _work(given).merge(given.case, into, given.by, given.text("reason"), same=same, version=given.version)


async def _findings(given: Given) -> None:
    texts = {name: text for name in case_sheet.FINDINGS if (text := given.text(name, needed=False))}
    row = await given.room.service.database.read(lambda link: case_scope.visible(link, given.member, given.case))
    new = {name: text for name, text in texts.items() if getattr(row, name) != text}
    if not new:
        raise Wrong("nothing_new")
    await _work(given).note(given.case, given.by, version=given.version, **new)


ACTS: Mapping[str, Callable[[Given], Awaitable[None]]] = {
    "take": _take,
    "plan": _plan,
    "begin": _begin,
    "resolve": _resolve,
    "follow_up": _follow_up,
    "answered": _answered,
    "ask": _ask,
    "resume": _resume,
    "assign": _assign,
    "hand_over": _hand_over,
    "give_part": _give_part,
    "give_back": _give_back,
    "reopen": _reopen,
    "merge": _merge,
    "findings": _findings,
}


def _work(given: Given) -> Any:
    return given.room.service.casework


# ---- what a request says, and what it is answered ----


async def fields(request: web.Request) -> dict[str, str]:
    """The fields of a form, cleaned and stripped."""
    form = await request.post()
    return {name: clean(value).replace("\r\n", "\n").strip() for name, value in form.items() if isinstance(value, str)}


def number_of(text: str) -> int | None:
    """The case that these digits name: only the whole number, whose last digit catches a slip."""
    digits = text.strip().lstrip("#").strip()
    found = numbers.parse(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else None
    return found if found is not None and numbers.number(found) == digits else None


def case_of(request: web.Request) -> int:
    """The case of the path. Raises HTTPNotFound."""
    found = number_of(request.match_info["number"])
    if found is None:
        raise web.HTTPNotFound
    return found


async def _admitted(room: Room, member: Member, case_id: int, language: Any) -> None:
    """Raises HTTPNotFound for what they may not see, HTTPForbidden for what they may only look at; with no `language`
    NoCase for both: it is another case than the page's."""

    def look(connection: Connection) -> bool | None:
        row = case_scope.visible(connection, member, case_id)
        if row is None:
            return None
        scope = case_scope.scope(connection, member, room.service.content.departments.hub)
        return scope.acts_on(row, case_scope.holds(connection, member, row.conversation_id))

    may = await room.service.database.read(look)
    if may:
        return
    if language is None:
        raise NoCase(case_id)
    raise web.HTTPNotFound if may is None else web.HTTPForbidden(text=said("case.not_yours", language))


async def _meanwhile(request: web.Request, room: Room, case_id: int, given: Given) -> str:
    """Who changed the case, and how, since it was seen; empty where the timeline does not say."""
    seen, language = given.fields.get("seen", ""), language_of(request)
    if not seen.isascii() or not seen.isdecimal() or len(seen) > 17:
        return ""
    content, now = room.service.content, room.service.clock.now()
    found = await room.service.database.read(
        lambda link: case_timeline.lines(link, case_id, content, now, language, after=int(seen))
    )
    return said("case.meanwhile", language, what=case_timeline.newer(found, language)) if found else ""


async def page(
    request: web.Request,
    room: Room,
    member: Member,
    case_id: int,
    status: int = 200,
    problem: str = "",
    /,
    **values: Any,
) -> web.Response:
    """The case's page. Raises HTTPNotFound where there is none for this member."""
    service, language = room.service, language_of(request)
    reader = Reader(member, service.content, service.clock.now(), language)

    def work(connection: Connection) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        return case_sheet.read(connection, reader, case_id), team(connection, reader.now)

    found, people = await service.database.read(work)
    if found is None:
        raise web.HTTPNotFound
    own = f"/desk/cases/{found['number']}"
    shown = {"case": found, "people": people, "tried": "", "load": LOAD, "me": member.id, "own": own}
    return show(
        request, member, "case", status=status, problem=problem, live=10, data=ticking(request), **(shown | values)
    )
