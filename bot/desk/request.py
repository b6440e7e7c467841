"""What a request to the desk's API says: whose conversation, who asks, and a body of JSON."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import select

from bot.contacts.belongings import is_hollow
from bot.desk.guard import Problem
from bot.desk.room import Room
from bot.staff.sessions import Member
from bot.takeover.rules import Agent
from storage.tables import conversations
from storage.types import clean

_KEY_LIMIT = 60
_BIGGEST = 2**63 - 1


def agent_of(member: Member) -> Agent:
    return Agent(member.id, member.name, member.supervisor)


async def lane_of(request: web.Request, room: Room) -> str:
    """The lane of the conversation in the path. Raises Problem."""
    statement = select(conversations.c.lane).where(conversations.c.id == id_of(request, "id"))
    lane = await room.service.database.read(lambda connection: connection.execute(statement).scalar())
    if lane is None or is_hollow(lane.rpartition(":")[2]):
        raise Problem(404, "no_conversation")
    return str(lane)


def id_of(request: web.Request, name: str) -> int:
    return number(request.match_info[name])


def number(text: str) -> int:
    """An id. Raises Problem for what cannot be one."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:20]) <= _BIGGEST:
        raise Problem(404, "no_conversation")
    return int(text)


async def body_of(request: web.Request) -> dict[str, Any]:
    """The body, an object. Raises Problem."""
    if request.content_type != "application/json":
        raise Problem(415, "bad_request")
    try:
        body = await request.json()
    except (ValueError, UnicodeDecodeError, RecursionError):
        raise Problem(400, "bad_request") from None
    if not isinstance(body, dict):
        raise Problem(400, "bad_request")
    return body


def text_of(body: dict[str, Any], name: str, longest: int, *, needed: bool = True) -> str:
    """A text of the body, without what surrounds it. Raises Problem."""
    found = body.get(name, "")
    if not isinstance(found, str):
        raise Problem(422, "bad_request")
    if needed and not found.strip():
        raise Problem(422, "empty")
    if len(found) > longest:
        raise Problem(422, "too_long", count=longest)
    return clean(found.strip())


def key_of(body: dict[str, Any], member: Member) -> str:
    """The sender's own key of what is sent; nobody's message is taken for somebody else's. Raises Problem."""
    key = body.get("client_key")
    if not isinstance(key, str) or not 1 <= len(key) <= _KEY_LIMIT or not key.isascii():
        raise Problem(422, "bad_request")
    return f"{member.id}.{key}"


async def fields_of(request: web.Request) -> dict[str, str]:
    """The fields of a form, cleaned and stripped."""
    form = await request.post()
    return {name: clean(value).replace("\r\n", "\n").strip() for name, value in form.items() if isinstance(value, str)}
