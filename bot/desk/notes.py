"""Notes among staff in a conversation, and the colleagues they name."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from bot.desk.guard import api
from bot.desk.request import body_of, id_of, key_of, lane_of, text_of
from bot.desk.room import Room
from bot.desk.table import routes
from bot.staff.sessions import Member
from bot.takeover import whispers


@routes.post("/desk/api/conversations/{id}/whispers")
@api
async def whisper(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`{"text", "client_key"}`: a note that no customer sees. The same key twice is one."""
    given = await body_of(request)
    text, key = text_of(given, "text", whispers.LONGEST), key_of(given, member)
    lane, number = await lane_of(request, room), id_of(request, "id")
    service = room.service

    def work(connection: Connection) -> int:
        return whispers.whisper(connection, number, member.id, text, key, service.clock.now())

    try:
        made = await service.database.write(work)
    except IntegrityError:
        made = await service.database.write(work)  # under way twice at once: the other one is found
    service.turns.sent([], [lane])
    return {"id": made}


@routes.post("/desk/api/conversations/{id}/seen")
@api
async def seen(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """The member has looked at what they were called for."""
    number, now = id_of(request, "id"), room.service.clock.now()
    return {"seen": await room.service.database.write(lambda link: whispers.see(link, member.id, number, now))}


def shown(connection: Connection, conversation: int) -> list[dict[str, Any]]:
    """Whispers for the browser."""
    return [
        {
            "id": row.id,
            "kind": row.kind,
            "text": row.text,
            "at": row.created_at,
            "staff": row.staff_id,
            "name": row.name,
        }
        for row in whispers.said(connection, conversation)
    ]
