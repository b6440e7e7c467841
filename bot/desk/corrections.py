"""An agent's word on what a message meant: kept as an example to train on, beside what the bot had made of it."""

from __future__ import annotations

from typing import Any, get_args

from aiohttp import web
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.cases.departments import NATURES
from bot.desk.guard import Problem, api
from bot.desk.request import body_of, id_of, lane_of
from bot.desk.room import Room
from bot.desk.table import routes
from bot.desk.words import texts
from bot.staff.sessions import Member
from nlu.understanding import Polarity, Urgency
from storage.tables import corrections, messages

_MOST_NATURES = 3


@routes.post("/desk/api/conversations/{id}/messages/{message}/correction")
@api
async def correct(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`{"intent", "nature": [main first], "sentiment", "urgency"}`; the last word on a message counts."""
    given = await body_of(request)
    meant = {
        "intent": _one_of(given.get("intent"), _intents()),
        "nature": _natures(given.get("nature")),
        "sentiment": _one_of(given.get("sentiment"), get_args(Polarity)),
        "urgency": _one_of(given.get("urgency"), get_args(Urgency)),
    }
    lane, talk, message = await lane_of(request, room), id_of(request, "id"), id_of(request, "message")
    now = room.service.clock.now()

    def work(connection: Connection) -> None:
        said = select(messages.c.data).where(
            messages.c.id == message, messages.c.conversation_id == talk, messages.c.author == "customer"
        )
        found = connection.execute(said).first()
        if found is None:
            raise Problem(404, "no_conversation")
        understood = (found.data or {}).get("understood")
        row = meant | {"message_id": message, "staff_id": member.id, "understood": understood, "created_at": now}
        made = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(corrections)
        again = {name: made.excluded[name] for name in (*meant, "staff_id", "created_at")}
        connection.execute(made.on_conflict_do_update(index_elements=["message_id"], set_=again), row)

    await room.service.database.write(work)
    room.service.turns.sent([], [lane])
    return {}


@routes.post("/desk/api/conversations/{id}/messages/{message}/correction/undo")
@api
async def take_back(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """Nobody said anything of this message: the next training forgets it too."""
    lane, talk, message = await lane_of(request, room), id_of(request, "id"), id_of(request, "message")

    def work(connection: Connection) -> None:
        said = select(messages.c.id).where(messages.c.id == message, messages.c.conversation_id == talk)
        gone = delete(corrections).where(corrections.c.message_id == said.scalar_subquery())
        if not connection.execute(gone).rowcount:
            raise Problem(404, "no_conversation")

    await room.service.database.write(work)
    room.service.turns.sent([], [lane])
    return {}


def _intents() -> list[str]:
    """Those that have a name here, which agents can choose from."""
    return [key.partition(".")[2] for key in texts() if key.startswith("intent.")]


def _one_of(value: Any, known: Any) -> str | None:
    if value is None or value == "":
        return None
    if value not in known:
        raise Problem(422, "bad_request")
    return str(value)


def _natures(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > _MOST_NATURES or any(each not in NATURES for each in value):
        raise Problem(422, "bad_request")
    return list(dict.fromkeys(value))
