"""The page of one case, on its own and in the console: what it shows, and what its forms are answered."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from bot.cases.remedies import KINDS, RemedyRefused
from bot.cases.tasks import TaskRefused
from bot.desk import case_remedies, case_scope, case_sheet, case_timeline
from bot.desk.case_acts import ACTS, LOAD, LONGEST, Given, Wrong, admitted, number_of
from bot.desk.case_sheet import Reader
from bot.desk.request import fields_of
from bot.desk.room import Room
from bot.desk.sheets import back, sheet, show, ticking
from bot.desk.table import routes
from bot.desk.words import language_of, said
from bot.loop.case_moves import IllegalMove
from bot.loop.casework import CaseRefused, NoCase, Worker
from bot.staff.presence import team
from bot.staff.sessions import Member
from nlu.understanding import Language
from storage.database import Conflict

CASE = r"/desk/cases/{number:\d{4,18}}"


@routes.get(CASE)
@sheet("agent", "supervisor", "admin")
async def case(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """The case, and what may be done about it."""
    did, language = request.query.get("done", ""), language_of(request)
    known = did in ACTS or did in ("task", "remedy")
    words = said("case.done", language, what=said(f"case_act.{did}", language)) if known else ""
    return await page(request, room, member, case_of(request), done=words)


@routes.post(CASE + "/{act:[a-z_]{1,20}}")
@sheet("agent", "supervisor", "admin")
async def act(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Do it, on the state that was seen: of two at once the second is told what the first did, and may try again."""
    case_id, name, language = case_of(request), request.match_info["act"], language_of(request)
    do = case_remedies.propose if name == "remedy" else ACTS.get(name)
    if do is None:
        raise web.HTTPNotFound
    given = Given(room, case_id, Worker(f"staff:{member.id}", member.id), member, await fields_of(request))
    await _may(room, member, case_id, language)
    try:
        await do(given)
    except Wrong as wrong:
        problem, status = said(f"case.{wrong.key}", language, **wrong.values), 422
    except RemedyRefused as refused_remedy:
        problem, status = refused_remedy.said(language), 409
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
    outcome = (await fields_of(request)).get("outcome", "")[:LONGEST]
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


# ---- what a request says, and what it is answered ----


@routes.post(CASE + r"/remedies/{remedy:\d{1,17}}/{to:approved|refused|done|cancelled}")
@sheet("agent", "supervisor", "admin")
async def move_remedy(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Approve, refuse, carry out or cancel a remedy; who may approve how much is ruled by role."""
    case_id, remedy, language = case_of(request), int(request.match_info["remedy"]), language_of(request)
    await _may(room, member, case_id, language)
    if not await room.service.database.read(lambda link: case_remedies.belongs(link, remedy, case_id)):
        raise web.HTTPNotFound
    reason, by = (await fields_of(request)).get("reason", "")[:LONGEST], Worker(f"staff:{member.id}", member.id)
    try:
        await room.service.remedying.move(remedy, request.match_info["to"], by, reason, approver=True)  # type: ignore[arg-type] # the route's own words
    except (RemedyRefused, CaseRefused, IllegalMove) as refused:
        return await page(request, room, member, case_id, 409, refused.said(language))
    except Conflict:
        return await page(request, room, member, case_id, 409, said("case.busy", language))
    raise back(request, f"/desk/cases/{request.match_info['number']}", "remedy")


def case_of(request: web.Request) -> int:
    """The case of the path. Raises HTTPNotFound."""
    found = number_of(request.match_info["number"])
    if found is None:
        raise web.HTTPNotFound
    return found


async def _may(room: Room, member: Member, case_id: int, language: Language) -> None:
    """Raises HTTPNotFound for what they may not see, HTTPForbidden for what they may only look at."""
    may = await admitted(room, member, case_id)
    if not may:
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
        found = case_sheet.read(connection, reader, case_id)
        if found is not None:
            remedies = case_remedies.shown(connection, reader, service.remedying.remedies, case_id)
            found["remedies"] = remedies
        return found, team(connection, reader.now)

    found, people = await service.database.read(work)
    if found is None:
        raise web.HTTPNotFound
    own = f"/desk/cases/{found['number']}"
    shown = {"case": found, "people": people, "tried": "", "load": LOAD, "kinds": KINDS, "me": member.id, "own": own}
    return show(
        request, member, "case", status=status, problem=problem, live=10, data=ticking(request), **(shown | values)
    )
