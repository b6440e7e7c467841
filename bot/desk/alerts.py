"""Alerts at the desk: what people are called for. A page stands above everything until somebody takes it."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import ColumnElement, Connection, or_, select

from bot.cases import alerts, numbers
from bot.desk import case_scope
from bot.desk.guard import Problem, api
from bot.desk.moments import length
from bot.desk.room import Room
from bot.desk.sheets import back, done, sheet, show
from bot.desk.table import routes
from bot.desk.words import language_of, said
from bot.staff.sessions import Member
from storage.tables import alerts as table
from storage.tables import cases, staff

ALERTS = "/desk/alerts"
MOST = 100


@routes.get("/desk/api/alerts")
@api
async def pages(request: web.Request, room: Room, member: Member) -> Any:
    """The pages that call this member: `alerts`."""
    language = language_of(request)
    found = await _open(room, member, pages=True)
    return {"alerts": [_shown(room, row, language) for row in found]}


@routes.post("/desk/api/alerts/{id}/take")
@api
async def take_page(request: web.Request, room: Room, member: Member) -> Any:
    """This member looks after it."""
    if not await _take(request, room, member):
        raise Problem(409, "alert_taken")
    return {}


@routes.get(ALERTS)
@sheet("agent", "supervisor", "admin")
async def all_alerts(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """What nobody has taken yet, pages first."""
    language = language_of(request)
    found = [_shown(room, row, language) for row in await _open(room, member)]
    return show(request, member, "alerts", alerts=found, live=10, done=done(request))


@routes.post(ALERTS + "/{id}/take")
@sheet("agent", "supervisor", "admin")
async def take(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    raise back(request, ALERTS, "taken" if await _take(request, room, member) else "taken_before")


async def _take(request: web.Request, room: Room, member: Member) -> bool:
    wanted = request.match_info["id"]
    if not wanted.isascii() or not wanted.isdecimal() or len(wanted) > 17:
        raise web.HTTPNotFound
    now, theirs = room.service.clock.now(), await _theirs(room, member)

    def work(connection: Connection) -> bool:
        mine = select(table.c.id).where(table.c.id == int(wanted), theirs)
        if connection.execute(mine).first() is None:
            return False
        return alerts.take(connection, int(wanted), f"staff:{member.id}", now)

    return await room.service.database.write(work)


async def _open(room: Room, member: Member, *, pages: bool = False) -> list[Any]:
    theirs = await _theirs(room, member)
    statement = (
        select(table, cases.c.conversation_id, cases.c.urgency, cases.c.department)
        .outerjoin(cases, cases.c.id == table.c.case_id)
        .where(table.c.taken_at.is_(None), theirs, or_(table.c.case_id.is_(None), case_scope.shown_to(member)))
        .order_by(table.c.pages.desc(), table.c.at.desc())
        .limit(MOST)
    )
    if pages:
        statement = statement.where(table.c.pages)
    found = await room.service.database.read(lambda connection: connection.execute(statement).all())
    # Two are called for one thing; whoever is both sees it once.
    return list({row.subject: row for row in reversed(found)}.values())[::-1]


async def _theirs(room: Room, member: Member) -> ColumnElement[bool]:
    """Supervisors see what anybody is called for; agents what they or their department are."""
    if member.supervisor:
        return table.c.id.is_not(None)
    own = select(staff.c.department).where(staff.c.id == member.id)
    department = await room.service.database.read(lambda connection: connection.execute(own).scalar())
    calls = [table.c.audience == f"staff:{member.id}"]
    if department:
        calls.append(table.c.audience == f"department:{department}")
    return or_(*calls)


def _shown(room: Room, row: Any, language: Any) -> dict[str, Any]:
    detail = row.detail or {}
    name = room.service.content.departments.names.get(row.department) if row.department else None
    kind = row.kind if row.kind in _KINDS else "other"
    about = numbers.number(row.case_id) if row.case_id is not None else ""
    words = said(f"alerts.{kind}", language, number=about, customers=detail.get("customers", ""))
    return {
        "id": row.id,
        "kind": row.kind,
        "words": words,
        "pages": bool(row.pages),
        "repeats": row.repeats,
        "conversation": row.conversation_id,
        "department": name.said(language) if name else "",
        "since": length(room.service.clock.now() - row.at, language),
    }


_KINDS = ("urgent", "group", "warned", "breached", "escalated", "undelivered")
