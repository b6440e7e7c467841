"""Colleagues: who is here and how much each has, for whoever passes a conversation on."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bot.desk.guard import Problem, api
from bot.desk.request import body_of
from bot.desk.room import Room
from bot.desk.table import routes
from bot.desk.words import language_of
from bot.staff import presence
from bot.staff.sessions import Member


@routes.get("/desk/api/team")
@api
async def team(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`people`, and the `departments` of the house."""
    now, language = room.service.clock.now(), language_of(request)
    people = await room.service.database.read(lambda connection: presence.team(connection, now))
    names = room.service.content.departments.names
    return {"people": people, "departments": [{"key": key, "name": name.said(language)} for key, name in names.items()]}


@routes.post("/desk/api/away")
@api
async def away(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`{"away": bool}`: to be given nothing for now. What the member has stays theirs."""
    wanted = (await body_of(request)).get("away")
    if not isinstance(wanted, bool):
        raise Problem(422, "bad_request")
    await room.service.database.write(lambda connection: presence.set_away(connection, member.id, wanted))
    return {"away": wanted}
