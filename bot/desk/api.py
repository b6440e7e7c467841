"""What the desk's page reads and does, as JSON. Every call needs a session; every change goes through `People`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

from aiohttp import web
from sqlalchemy import Connection, select

from bot.cases.calendar import is_open, opens_at
from bot.desk import customer, limits, lists, notes, transcript
from bot.desk.guard import Problem, api
from bot.desk.lists import VIEWS, Wanted
from bot.desk.request import agent_of, body_of, id_of, key_of, lane_of, number, text_of
from bot.desk.room import Room
from bot.desk.table import routes
from bot.desk.transcript import Judging
from bot.desk.words import language_of
from bot.loop.passing import NoSuchPlace, TooLate
from bot.staff.sessions import Member
from bot.takeover import whispers
from nlu.understanding import Language
from storage.tables import conversations
from storage.types import clean

TEXT_LIMIT = 4_000
"""Characters of a reply. A channel that carries less gets it in parts."""

HOLD = 10
"""Seconds that a reply may be held at most, for its writer to think again."""


FILES = 5
"""Files that go with one reply at most."""


# ---- reading ----


@routes.get("/desk/api/conversations")
@api
async def conversations_list(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """A page of a list, how many each list holds, and when the office opens if it is closed."""
    wanted = _wanted(request)

    found = await room.lists.page(member, wanted)
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
    which, language, content = id_of(request, "id"), language_of(request), room.service.content

    def work(connection: Connection) -> dict[str, Any]:
        summary = lists.one(connection, member, which)
        if summary is None:
            raise Problem(404, "no_conversation")
        contact = int(summary["contact"])
        judged = transcript.judging(connection, member, [contact]).get(contact, Judging())
        return {
            "conversation": summary,
            **transcript.page(connection, which, judged),
            "whispers": notes.shown(connection, which),
            "customer": customer.about(connection, contact, which, judged, content, language),
            "channel": limits.of(connection, which, room.service),
        }

    found = await room.service.database.read(work)
    return found | {"now": room.service.clock.now()}


@routes.get("/desk/api/conversations/{id}/messages")
@api
async def messages(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """The messages before the one named, a page of them."""
    which, before = id_of(request, "id"), number(request.query.get("before", ""))

    def work(connection: Connection) -> dict[str, Any]:
        contact = connection.execute(select(conversations.c.contact_id).where(conversations.c.id == which)).scalar()
        if contact is None:
            raise Problem(404, "no_conversation")
        judged = transcript.judging(connection, member, [contact]).get(contact, Judging())
        return transcript.page(connection, which, judged, before=before)

    return await room.service.database.read(work)


# ---- acting ----


@routes.post("/desk/api/conversations/{id}/claim")
@api
async def claim(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    await room.service.people.claim(await lane_of(request, room), agent_of(member))
    return {}


@routes.post("/desk/api/conversations/{id}/hand-back")
@api
async def hand_back(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`{"summary"}`: what was settled, for the bot and for whoever comes next."""
    summary = text_of(await body_of(request), "summary", 1_000, needed=False)
    await room.service.people.hand_back(await lane_of(request, room), agent_of(member), summary)
    return {}


@routes.post("/desk/api/conversations/{id}/requeue")
@api
async def requeue(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    await room.service.people.requeue(await lane_of(request, room), agent_of(member))
    return {}


@routes.post("/desk/api/conversations/{id}/resolve")
@api
async def resolve(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    await room.service.people.resolve(await lane_of(request, room), agent_of(member))
    return {}


@routes.post("/desk/api/conversations/{id}/messages")
@api
async def reply(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`{"text", "client_key", "hold", "files"}`. The same key twice is one message; it goes out after `hold` seconds.
    With `files`, keys of what was sent up, there need be no words."""
    given = await body_of(request)
    files = _files(given.get("files", []))
    text, key = text_of(given, "text", TEXT_LIMIT, needed=not files), key_of(given, member)
    hold = given.get("hold", 0)
    if type(hold) is not int or not 0 <= hold <= HOLD:
        raise Problem(422, "bad_request")
    lane = await lane_of(request, room)
    message = await room.service.people.reply(lane, agent_of(member), text, key, timedelta(seconds=hold), files)
    return {"id": message}


@routes.post("/desk/api/conversations/{id}/messages/{message}/take-back")
@api
async def take_back(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """What is still held does not go out. `{"text"}`: the words, to write them anew."""
    lane, message = await lane_of(request, room), id_of(request, "message")
    try:
        return {"text": await room.service.passing.take_back(lane, agent_of(member), message)}
    except TooLate:
        raise Problem(409, "too_late") from None


@routes.post("/desk/api/conversations/{id}/transfer")
@api
async def transfer(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`{"to": colleague}` or `{"department": key}`, with a `note` for whoever comes."""
    given = await body_of(request)
    note, to, department = (
        text_of(given, "note", whispers.LONGEST, needed=False),
        given.get("to"),
        given.get("department"),
    )
    lane, passing = await lane_of(request, room), room.service.passing
    try:
        if type(to) is int and 0 < to < 2**63:
            await passing.to_colleague(lane, agent_of(member), to, note)
        elif isinstance(department, str):
            await passing.to_department(lane, agent_of(member), department, note)
        else:
            raise Problem(422, "bad_request")
    except NoSuchPlace:
        raise Problem(422, "no_colleague") from None
    return {}


@routes.post("/desk/api/conversations/{id}/outbox/{row}/again")
@api
async def send_again(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """Send once more what failed or may not have arrived."""
    row = id_of(request, "row")
    if not await room.service.people.send_again(await lane_of(request, room), agent_of(member), row):
        raise Problem(409, "not_sendable")
    return {}


# ---- what a request says ----


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
        channel=clean(query.get("channel", "")[:40]) or None,
        language=language,
        reason=clean(query.get("reason", "")[:40]) or None,
        department=clean(query.get("department", "")[:60]) or None,
        urgent=query.get("urgent") == "1",
        high_value=query.get("high_value") == "1",
        risk=query.get("risk") == "1",
        longest=query.get("longest") == "1",
        after=_after(query.get("after")),
    )


def _files(given: Any) -> list[str]:
    """Keys of files, as they were given; a key is looked up, whatever it is."""
    if not isinstance(given, list) or len(given) > FILES or not all(isinstance(key, str) for key in given):
        raise Problem(422, "bad_request")
    return [clean(key[:64]) for key in given]


def _after(text: str | None) -> tuple[int, int] | None:
    if not text:
        return None
    when, _, last = text.partition(".")
    if not (text.isascii() and when.isdecimal() and last.isdecimal() and len(when) <= 16 and len(last) <= 18):
        raise Problem(422, "bad_request")
    return int(when), int(last)
