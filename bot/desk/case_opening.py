"""A case that an agent opens beside the conversation, because the customer asks for something that nobody caught."""

from __future__ import annotations

from typing import Any, cast, get_args

from aiohttp import web
from sqlalchemy import Connection, select

from bot.cases import numbers
from bot.cases.departments import NATURES
from bot.desk.guard import Problem, api
from bot.desk.request import body_of, id_of, lane_of, text_of
from bot.desk.room import Room
from bot.desk.table import routes
from bot.loop import handwork
from bot.loop.cases import TITLE_LIMIT
from bot.loop.casework import Worker
from bot.staff.sessions import Member
from nlu.understanding import Nature, Urgency
from storage.tables import conversations

_ORDER = 60


@routes.post("/desk/api/conversations/{id}/cases")
@api
async def open_case(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`{"title", "nature", "urgency", "order_number", "tell"}`: the `number` of the case, which is the member's own.
    Refused where a colleague has the conversation."""
    given = await body_of(request)
    title, order = text_of(given, "title", TITLE_LIMIT), text_of(given, "order_number", _ORDER, needed=False)
    nature, urgency = given.get("nature"), given.get("urgency")
    if nature not in NATURES or nature == "none" or urgency not in get_args(Urgency):
        raise Problem(422, "bad_request")
    lane, talk = await lane_of(request, room), id_of(request, "id")

    def free(connection: Connection) -> bool:
        row = connection.execute(
            select(conversations.c.owner, conversations.c.agent_id).where(conversations.c.id == talk)
        ).one()
        return row.owner != "agent" or row.agent_id == member.id or member.supervisor

    if not await room.service.database.read(free):
        raise Problem(403, "with_colleague")
    case = await handwork.open_case(
        room.service.casework,
        lane,
        Worker(f"staff:{member.id}", member.id),
        title=" ".join(title.split()),
        nature=[cast(Nature, nature)],
        urgency=cast(Urgency, urgency),
        fields={"order_number": order} if order else {},
        tell=given.get("tell") is True,
    )
    return {"number": numbers.number(case)}
