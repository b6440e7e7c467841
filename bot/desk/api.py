"""What the desk's page reads and does, as JSON. Every call needs a session; every change goes through `People`."""

from __future__ import annotations

from typing import Any, get_args

from aiohttp import web
from sqlalchemy import Connection, select

from bot.cases.calendar import is_open, opens_at
from bot.desk import customer, lists, transcript
from bot.desk.guard import Problem, api
from bot.desk.lists import VIEWS, Wanted
from bot.desk.room import Room
from bot.desk.table import routes
from bot.desk.transcript import Judging
from bot.desk.words import language_of
from bot.staff.sessions import Member
from bot.takeover.rules import Agent
from nlu.understanding import Language
from storage.tables import conversations
from storage.types import clean

TEXT_LIMIT = 4_000
"""Characters of a reply. A channel that carries less gets it in parts."""

_KEY_LIMIT = 60
_BIGGEST = 2**63 - 1


# ---- reading ----


@routes.get("/desk/api/conversations")
@api
async def conversations_list(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """A page of a list, how many each list holds, and when the office opens if it is closed."""
    wanted = _wanted(request)

    def work(connection: Connection) -> dict[str, Any]:
        found = lists.page(connection, member, wanted)
        return found | {"counts": lists.counts(connection, member)}

    found = await room.service.database.read(work)
    following = found["next"]
    now, calendar = room.service.clock.now(), room.service.content.calendar
    return found | {
        "next": None if following is None else f"{following[0]}.{following[1]}",
        "opens_at": None if is_open(calendar, now) else opens_at(calendar, now),
        "now": now,
    }


@routes.get("/desk/api/conversations/{id}")
@api
async def conversation(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """A conversation with its last messages, and what is known of the customer."""
    number, language, content = _id(request, "id"), language_of(request), room.service.content

    def work(connection: Connection) -> dict[str, Any]:
        summary = lists.one(connection, member, number)
        if summary is None:
            raise Problem(404, "no_conversation")
        contact = int(summary["contact"])
        judged = transcript.judging(connection, member, [contact]).get(contact, Judging())
        return {
            "conversation": summary,
            **transcript.page(connection, number, judged),
            "customer": customer.about(connection, contact, number, judged, content, language),
        }

    found = await room.service.database.read(work)
    return found | {"now": room.service.clock.now()}


@routes.get("/desk/api/conversations/{id}/messages")
@api
async def messages(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """The messages before the one named, a page of them."""
    number, before = _id(request, "id"), _number(request.query.get("before", ""))

    def work(connection: Connection) -> dict[str, Any]:
        contact = connection.execute(select(conversations.c.contact_id).where(conversations.c.id == number)).scalar()
        if contact is None:
            raise Problem(404, "no_conversation")
        judged = transcript.judging(connection, member, [contact]).get(contact, Judging())
        return transcript.page(connection, number, judged, before=before)

    return await room.service.database.read(work)


# ---- acting ----


@routes.post("/desk/api/conversations/{id}/claim")
@api
async def claim(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    await room.service.people.claim(await _lane(request, room), _agent(member))
    return {}


@routes.post("/desk/api/conversations/{id}/hand-back")
@api
async def hand_back(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    await room.service.people.hand_back(await _lane(request, room), _agent(member))
    return {}


@routes.post("/desk/api/conversations/{id}/requeue")
@api
async def requeue(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    await room.service.people.requeue(await _lane(request, room), _agent(member))
    return {}


@routes.post("/desk/api/conversations/{id}/resolve")
@api
async def resolve(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    await room.service.people.resolve(await _lane(request, room), _agent(member))
    return {}


@routes.post("/desk/api/conversations/{id}/messages")
@api
async def reply(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`{"text", "client_key"}`. The same key twice is one message."""
    given = await _body(request)
    text, key = given.get("text"), given.get("client_key")
    if not isinstance(text, str) or not text.strip():
        raise Problem(422, "empty")
    if len(text) > TEXT_LIMIT:
        raise Problem(422, "too_long", count=TEXT_LIMIT)
    if not isinstance(key, str) or not 1 <= len(key) <= _KEY_LIMIT or not key.isascii():
        raise Problem(422, "bad_request")
    lane = await _lane(request, room)
    # The key is the sender's own: nobody's message is taken for somebody else's.
    message = await room.service.people.reply(lane, _agent(member), clean(text.strip()), f"{member.id}.{key}")
    return {"id": message}


@routes.post("/desk/api/conversations/{id}/outbox/{row}/again")
@api
async def send_again(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """Send once more what failed or may not have arrived."""
    row = _id(request, "row")
    if not await room.service.people.send_again(await _lane(request, room), _agent(member), row):
        raise Problem(409, "not_sendable")
    return {}


# ---- what a request says ----


def _agent(member: Member) -> Agent:
    return Agent(member.id, member.name, member.supervisor)


async def _lane(request: web.Request, room: Room) -> str:
    statement = select(conversations.c.lane).where(conversations.c.id == _id(request, "id"))
    lane = await room.service.database.read(lambda connection: connection.execute(statement).scalar())
    if lane is None:
        raise Problem(404, "no_conversation")
    return str(lane)


def _id(request: web.Request, name: str) -> int:
    return _number(request.match_info[name])


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:20]) <= _BIGGEST:
        raise Problem(404, "no_conversation")
    return int(text)


def _wanted(request: web.Request) -> Wanted:
    query = request.query
    view = query.get("view", "queue")
    if view not in VIEWS:
        raise Problem(422, "bad_request")
    language = query.get("language") or None
    if language is not None and language not in get_args(Language):
        raise Problem(422, "bad_request")
    return Wanted(
        view,
        channel=query.get("channel", "")[:40] or None,
        language=language,
        reason=query.get("reason", "")[:40] or None,
        urgent=query.get("urgent") == "1",
        after=_after(query.get("after")),
    )


def _after(text: str | None) -> tuple[int, int] | None:
    if not text:
        return None
    when, _, last = text.partition(".")
    if not (text.isascii() and when.isdecimal() and last.isdecimal() and len(when) <= 16 and len(last) <= 18):
        raise Problem(422, "bad_request")
    return int(when), int(last)


async def _body(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise Problem(415, "bad_request")
    try:
        body = await request.json()
    except (ValueError, UnicodeDecodeError, RecursionError):
        raise Problem(400, "bad_request") from None
    if not isinstance(body, dict):
        raise Problem(400, "bad_request")
    return body
