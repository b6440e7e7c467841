"""Supervision: who is here, who waits, what is overdue; and each agent's figures, which they see themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, get_args

from aiohttp import web
from sqlalchemy import Connection, func, select

from bot.cases import numbers
from bot.cases.rules import SETTLED, State
from bot.desk.moments import length
from bot.desk.room import Room
from bot.desk.sheets import sheet, show
from bot.desk.table import routes
from bot.desk.transcript import without_keys
from bot.desk.words import language_of, said
from bot.staff import figures, presence
from bot.staff.sessions import Member
from nlu.understanding import Language
from storage.sets import among, other_than
from storage.tables import cases, conversations

_BREACHES = 30
_DAYS = 30


@routes.get("/desk/team")
@sheet("supervisor", "admin")
async def team(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """The state of the house, now."""
    now, language = room.service.clock.now(), language_of(request)
    settings = room.service.settings

    def work(connection: Connection) -> dict[str, Any]:
        waits = among(conversations.c.owner, "queue")
        queue = select(func.count(), func.min(conversations.c.queued_at)).where(
            other_than(conversations.c.owner, "bot"), waits
        )
        count, first = connection.execute(queue).one()
        late = (
            cases.c.state.in_(sorted(set(get_args(State)) - SETTLED)),
            cases.c.responded_at.is_(None),
            cases.c.respond_by < now,
        )
        overdue = connection.execute(select(cases).where(*late).order_by(cases.c.respond_by).limit(_BREACHES)).all()
        return {
            "people": presence.team(connection, now),
            "waiting": {"count": count, "longest": length(now - first, language) if first else None},
            "breach_count": connection.execute(select(func.count()).select_from(cases).where(*late)).scalar_one(),
            "breaches": [_breach(row, now, language) for row in overdue],
        }

    found = await room.service.database.read(work)
    return show(
        request,
        member,
        "team",
        live=10,
        giving=room.service.assigning.giving,
        changes=member.role == "admin",
        patience=settings.agent_patience_minutes,
        **found,
    )


@routes.get("/desk/figures")
@sheet("agent", "supervisor", "admin")
async def own_figures(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """The member's own figures; a supervisor's view of an agent's."""
    wanted, language = request.query.get("agent", ""), language_of(request)
    whose = (
        int(wanted) if member.supervisor and wanted.isascii() and wanted.isdecimal() and len(wanted) < 18 else member.id
    )
    since = room.service.clock.now() - timedelta(days=_DAYS)
    found = await room.service.database.read(lambda connection: figures.of(connection, whose, since))
    if found is None:
        raise web.HTTPNotFound(text=said("error.no_colleague", language))
    return show(
        request,
        member,
        "figures",
        name=found.name,
        days=_DAYS,
        figures=found.counts,
        first_answer=length(found.first_answer, language) if found.first_answer is not None else None,
        rating=found.rating,
        fewest=figures.FEWEST,
    )


def _breach(row: Any, now: datetime, language: Language) -> dict[str, Any]:
    return {
        "conversation": row.conversation_id,
        "number": numbers.number(row.id),
        "title": without_keys(row.title)[:80],
        "urgency": row.urgency,
        "department": row.department,
        "late": length(now - row.respond_by, language),
    }
