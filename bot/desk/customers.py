"""The list of customers who may leave: each with its reason, and the call-back that is due."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, select

from bot.contacts.care import RISKS
from bot.desk import risk
from bot.desk.moments import length
from bot.desk.room import Room
from bot.desk.sheets import sheet, show
from bot.desk.table import routes
from bot.desk.words import language_of
from bot.staff.sessions import Member
from nlu.understanding import Language
from storage.sets import among, one_of
from storage.tables import care_watches, case_tasks, contacts, conversations, staff

PAGE = 50
_who, _watch, _task = contacts.c, care_watches.c, case_tasks.c


@routes.get("/desk/risk")
@sheet("agent", "supervisor", "admin")
async def at_risk(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Customers at risk, the newest first; of one reason, if it is asked for."""
    now, language = room.service.clock.now(), language_of(request)
    why = request.query.get("why", "")
    before = request.query.get("before", "")
    last = int(before) if before.isascii() and before.isdecimal() and len(before) < 18 else None

    def work(connection: Connection) -> dict[str, Any]:
        statement = (
            select(
                _who.id, _who.name, _who.external_id, _who.segment, _who.risk, _watch.since, _watch.id.label("place")
            )
            .join(care_watches, _watch.contact_id == _who.id)
            .where(_who.risk.is_not(None))
            .order_by(_watch.id.desc())
            .limit(PAGE + 1)
        )
        if why in RISKS:
            statement = statement.where(_who.risk == why)
        if last is not None:
            statement = statement.where(_watch.id < last)
        rows = connection.execute(statement).all()
        seen = risk.of(connection, [row.id for row in rows[:PAGE]], member.id)
        found = [row for row in rows[:PAGE] if row.id in seen]
        ids = [row.id for row in found]
        calls, talks = _calls(connection, ids), _talks(connection, ids)
        return {
            "customers": [_row(row, calls.get(row.id), talks.get(row.id), now, language) for row in found],
            "next": rows[PAGE - 1].place if len(rows) > PAGE else None,
        }

    found = await room.service.database.read(work)
    return show(request, member, "risk", live=60, reasons=RISKS, why=why if why in RISKS else "", **found)


def _row(row: Any, call: Any, talk: int | None, now: datetime, language: Language) -> dict[str, Any]:
    return {
        "name": row.name or row.external_id or f"#{row.id}",
        "high_value": row.segment == "high_value",
        "reason": row.risk,
        "since": length(now - row.since, language) if row.since else "–",
        "conversation": talk,
        "call": None if call is None else {"who": call.name, "late": call.due_at is not None and call.due_at < now},
    }


def _calls(connection: Connection, ids: list[int]) -> dict[int, Any]:
    """The open call-back of each."""
    statement = (
        select(_task.contact_id, _task.due_at, staff.c.name)
        .outerjoin(staff, staff.c.id == _task.owner_id)
        .where(
            one_of(_task.contact_id, "ids"),
            among(_task.kind, "call_back"),
            among(_task.state, "waiting", "acknowledged"),
        )
        .order_by(_task.id)
    )
    return {row.contact_id: row for row in connection.execute(statement, {"ids": ids})} if ids else {}


def _talks(connection: Connection, ids: list[int]) -> dict[int, int]:
    """The conversation of each that was last spoken in."""
    talk = conversations.c
    statement = select(talk.contact_id, talk.id).where(one_of(talk.contact_id, "ids")).order_by(talk.active_at)
    return {row.contact_id: row.id for row in connection.execute(statement, {"ids": ids})} if ids else {}
