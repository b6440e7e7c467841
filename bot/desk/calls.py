"""The call-back list: whom to telephone, why and by when; taken, left, and told what came of each call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, get_args

from aiohttp import web
from sqlalchemy import Connection, and_, or_, select

from bot.cases import numbers
from bot.cases.call_backs import CallRefused, Result
from bot.desk import case_scope, case_timeline
from bot.desk.case_acts import LONGEST, moment_of
from bot.desk.case_scope import Scope, shown_to
from bot.desk.case_sheet import Reader
from bot.desk.moments import length
from bot.desk.request import fields_of
from bot.desk.room import Room
from bot.desk.sheets import back, sheet, show, ticking
from bot.desk.table import routes
from bot.desk.transcript import without_keys
from bot.desk.words import language_of, said
from bot.loop.casework import NoCase, Worker
from bot.staff.sessions import Member
from storage.database import Conflict
from storage.sets import among, one_of
from storage.tables import call_tries, case_tasks, cases, contacts, conversations, staff

CALLS = "/desk/call-backs"
CALL = CALLS + r"/{task:\d{1,17}}"
MOST = 100
_DONE = timedelta(days=30)
"""How long what is over stays in sight."""

Whose = Literal["mine", "open", "over"]
_t = case_tasks.c


@routes.get(CALLS)
@sheet("agent", "supervisor", "admin")
async def call_backs(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Those that this member may make, the next due first."""
    did = request.query.get("done", "")
    words = said(f"calls.did_{did}", language_of(request)) if did in ("take", "leave", "again", "over") else ""
    return await _page(request, room, member, done=words)


@routes.post(CALL + "/{act:take|leave|outcome}")
@sheet("agent", "supervisor", "admin")
async def act(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Take it, leave it to a colleague, or tell what came of the call: reached, not reached, call again at."""
    task, given, language = int(request.match_info["task"]), await fields_of(request), language_of(request)
    service, name = room.service, request.match_info["act"]

    def may(connection: Connection) -> bool | None:
        row = case_scope.visible_task(connection, member, task)
        if row is None or row.kind != "call_back":
            return None
        return case_scope.scope(connection, member, service.content.departments.hub).acts_on_task(row)

    allowed = await service.database.read(may)
    if not allowed:
        raise web.HTTPNotFound if allowed is None else web.HTTPForbidden(text=said("case.not_yours", language))
    try:
        if name == "take":
            await service.calling.take(task, member.id)
        elif name == "leave":
            await service.calling.leave(task)
        else:
            name = await _outcome(room, member, task, given)
    except CallRefused as refused:
        return await _page(request, room, member, 409, refused.said(language), tried=task, given=given)
    except ValueError as wrong:
        problem = said(f"case.{wrong}", language, count=LONGEST)
        return await _page(request, room, member, 422, problem, tried=task, given=given)
    except (Conflict, NoCase):
        return await _page(request, room, member, 409, said("case.busy", language), tried=task, given=given)
    raise back(request, CALLS, name)


async def _outcome(room: Room, member: Member, task: int, given: dict[str, str]) -> str:
    """Whether it is over or due again. Raises ValueError with the key of the text that says what to do."""
    result, score, note = given.get("result", ""), given.get("score", ""), given.get("note", "")
    if result not in get_args(Result):
        raise ValueError("no_result")
    if len(note) > LONGEST:
        raise ValueError("too_long")
    if score and not (score.isascii() and score.isdecimal() and int(score[:4]) <= 100):
        raise ValueError("no_score")
    zone, now = room.service.content.calendar.zone, room.service.clock.now()
    again = moment_of(given.get("due", ""), zone, now) if result == "again" else None
    if result == "again" and again is None:
        raise ValueError("no_time")
    over = await room.service.calling.outcome(
        task,
        Worker(f"staff:{member.id}", member.id),
        result,  # type: ignore[arg-type] # one of them
        note=note,
        again_at=again,
        score=float(score) if score and result == "reached" else None,
    )
    return "over" if over else "again"


async def _page(
    request: web.Request, room: Room, member: Member, status: int = 200, problem: str = "", **values: Any
) -> web.Response:
    wished = request.query.get("whose", "")
    whose: Whose = wished if wished in get_args(Whose) else "open"  # type: ignore[assignment] # one of them
    service = room.service
    reader = Reader(member, service.content, service.clock.now(), language_of(request))

    def work(connection: Connection) -> list[dict[str, Any]]:
        scope = case_scope.scope(connection, member, service.content.departments.hub)
        return listed(connection, reader, scope, whose)

    filled = {
        "calls": await service.database.read(work),
        "whose": whose,
        "lists": get_args(Whose),
        "tried": 0,
        "given": {},
        "own": CALLS,
        "live": 20,
        "data": ticking(request),
    }
    return show(request, member, "call_backs", status=status, problem=problem, **(filled | values))


def listed(connection: Connection, reader: Reader, scope: Scope, whose: Whose) -> list[dict[str, Any]]:
    """Call-backs in words. What judges the member, or is another department's, is not among them."""
    where = [among(_t.kind, "call_back"), or_(_t.case_id.is_(None), shown_to(reader.member))]
    if whose == "over":
        ended = _t.ended_at > reader.now - _DONE
        where += [among(_t.state, "done", "returned", "cancelled"), ended]
        order: Sequence[Any] = (_t.ended_at.desc(), _t.id.desc())
    else:
        where.append(among(_t.state, "waiting", "acknowledged"))
        order = (_t.due_at, _t.id)
    mine = _t.owner_id == reader.member.id
    if whose == "mine":
        where.append(mine)
    elif not scope.member.supervisor and scope.department is not None:
        where.append(or_(mine, _t.department == scope.department))
    statement = (
        select(case_tasks, staff.c.name.label("owner"), contacts.c.name, contacts.c.phone, contacts.c.segment)
        .add_columns(cases.c.state.label("case_state"), cases.c.title, cases.c.result.label("case_result"))
        .outerjoin(cases, cases.c.id == _t.case_id)
        .outerjoin(contacts, contacts.c.id == _t.contact_id)
        .outerjoin(staff, staff.c.id == _t.owner_id)
        .where(and_(*where))
        .order_by(*order)
        .limit(MOST)
    )
    rows = connection.execute(statement).all()
    tried, talks = _tries(connection, reader, [row.id for row in rows]), _talks(connection, rows)
    return [
        {
            "id": row.id,
            "why": row.why,
            "required": without_keys(row.required),
            "customer": row.name,
            "contact": row.contact_id,
            "phone": row.phone,
            "high_value": row.segment == "high_value",
            "conversation": talks.get(row.contact_id),
            "case": None if row.case_id is None else numbers.number(row.case_id),
            "title": None if row.title is None else without_keys(row.title)[:120],
            "judges": row.case_state in ("resolved", "following_up", "closed_unconfirmed"),
            "open": row.state in ("waiting", "acknowledged"),
            "result": row.result,
            "mine": row.owner_id == reader.member.id,
            "owner": row.owner,
            "department": reader.department(row.department),
            "due_at": row.due_at,
            "due": reader.stamp(row.due_at),
            "late": row.due_at is not None and row.due_at < reader.now,
            "left": None if row.due_at is None else length(abs(row.due_at - reader.now), reader.language),
            "wished": row.again_at is not None,
            "ended": reader.stamp(row.ended_at),
            "tries": tried.get(row.id, []),
        }
        for row in rows
    ]


def _tries(connection: Connection, reader: Reader, ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The calls that were made, the oldest first."""
    statement = select(call_tries).where(one_of(call_tries.c.task_id, "ids")).order_by(call_tries.c.id)
    rows = connection.execute(statement, {"ids": list(ids)}).all()
    who = case_timeline.names(connection, [row.actor for row in rows])
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row.task_id].append(
            {
                "who": case_timeline.actor(row.actor, who, reader.language),
                "when": reader.stamp(row.at),
                "result": row.result,
                "again": reader.stamp(row.again_at),
                "note": without_keys(row.note) if row.note else None,
            }
        )
    return found


def _talks(connection: Connection, rows: Sequence[Any]) -> dict[int, int]:
    """The last conversation of each customer: what was said, for whoever calls."""
    wanted = sorted({row.contact_id for row in rows if row.contact_id is not None})
    statement = (
        select(conversations.c.contact_id, conversations.c.id, conversations.c.active_at)
        .where(one_of(conversations.c.contact_id, "ids"))
        .order_by(conversations.c.active_at)
    )
    return {row.contact_id: row.id for row in connection.execute(statement, {"ids": wanted})}
