"""Everything that a customer said before, on every channel, newest first."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection, select

from bot.desk import transcript
from bot.desk.guard import Problem, api
from bot.desk.request import id_of, number
from bot.desk.room import Room
from bot.desk.table import routes
from bot.desk.transcript import Judging
from bot.staff.sessions import Member
from storage.tables import conversations

_PAGE = 20
_TALKS = 20
"""Conversations of one customer that are looked at."""


@routes.get("/desk/api/conversations/{id}/before")
@api
async def before(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`messages` of the customer's other conversations, in order, each with its `conversation` and `channel`; `more` if
    there are earlier ones, before the message `before`."""
    which, earliest = id_of(request, "id"), request.query.get("before")
    upto = number(earliest) if earliest else None

    def work(connection: Connection) -> dict[str, Any]:
        contact = connection.execute(select(conversations.c.contact_id).where(conversations.c.id == which)).scalar()
        if contact is None:
            raise Problem(404, "no_conversation")
        others = connection.execute(
            select(conversations.c.id, conversations.c.channel)
            .where(conversations.c.contact_id == contact, conversations.c.id != which)
            .order_by(conversations.c.active_at.desc())
            .limit(_TALKS)
        ).all()
        judged = transcript.judging(connection, member, [contact]).get(contact, Judging())
        found: list[dict[str, Any]] = []
        more = False
        for talk in others:
            page = transcript.page(connection, talk.id, judged, before=upto, size=_PAGE)
            more = more or page["more"]
            found += [each | {"conversation": talk.id, "channel": talk.channel} for each in page["messages"]]
        found = [each for each in found if each["author"] != "system"]
        found.sort(key=lambda each: int(each["id"]))
        return {"messages": found[-_PAGE:], "more": more or len(found) > _PAGE}

    return await room.service.database.read(work)
