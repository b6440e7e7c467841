"""A case beside the conversation: one that an agent opens, because the customer asks for something that nobody caught;
or one that there is already, to which the conversation is linked."""

from __future__ import annotations

from typing import Any, cast, get_args

from aiohttp import web
from sqlalchemy import Connection, select

from bot.cases import numbers
from bot.cases.departments import NATURES
from bot.desk import case_scope
from bot.desk.case_acts import number_of
from bot.desk.guard import Problem, api, json
from bot.desk.request import body_of, id_of, lane_of, text_of
from bot.desk.room import Room
from bot.desk.table import routes
from bot.desk.words import language_of, said
from bot.loop import handwork, linking
from bot.loop.cases import TITLE_LIMIT
from bot.loop.casework import CaseRefused, NoCase, Worker
from bot.staff.sessions import Member
from nlu.understanding import Nature, Urgency
from storage.tables import contacts, conversations

_ORDER = 60
_WORDS = 300


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
    lane = await _free(request, room, member)
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


@routes.post("/desk/api/conversations/{id}/cases/link")
@api
async def link_case(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`{"number", "words", "sure"}`: what is said here is the matter of that case. `sure`: though the case is another
    customer's. Refused where a colleague has the conversation, where the case is settled or has it already."""
    given = await body_of(request)
    words = " ".join(text_of(given, "words", _WORDS, needed=False).split())
    case, talk = number_of(text_of(given, "number", _ORDER)), id_of(request, "id")
    lane = await _free(request, room, member)

    def whose(connection: Connection) -> tuple[bool, str | None]:
        row = None if case is None else case_scope.visible(connection, member, case)
        if row is None:
            raise Problem(404, "no_case")
        here = connection.execute(select(conversations.c.contact_id).where(conversations.c.id == talk)).scalar()
        name = connection.execute(select(contacts.c.name).where(contacts.c.id == row.contact_id)).scalar()
        return here == row.contact_id, name or said("row.visitor", language_of(request), number=row.contact_id)

    same, name = await room.service.database.read(whose)
    if not same and given.get("sure") is not True:
        raise Problem(409, "other_customer", name=name)
    by = Worker(f"staff:{member.id}", member.id)
    try:
        await linking.link(room.service.casework, lane, cast(int, case), by, words, name=member.name)
    except CaseRefused as refused:
        return json({"error": refused.code, "message": refused.said(language_of(request))}, 409)  # type: ignore[return-value] # a response is passed on
    except NoCase:
        raise Problem(404, "no_case") from None
    return {"number": numbers.number(cast(int, case))}


async def _free(request: web.Request, room: Room, member: Member) -> str:
    """The lane of the conversation in the path, which no colleague has. Raises Problem."""
    lane, talk = await lane_of(request, room), id_of(request, "id")

    def free(connection: Connection) -> bool:
        row = connection.execute(
            select(conversations.c.owner, conversations.c.agent_id).where(conversations.c.id == talk)
        ).one()
        return row.owner != "agent" or row.agent_id == member.id or member.supervisor

    if not await room.service.database.read(free):
        raise Problem(403, "with_colleague")
    return lane
