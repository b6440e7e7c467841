"""The page where staff enter what was said elsewhere: one at a time, or a whole table, looked through first."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import secrets
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, select

from bot.api.episode_rows import FileError
from bot.cases import numbers
from bot.desk import case_scope, offline
from bot.desk.case_sheet import Reader
from bot.desk.case_timeline import state_name
from bot.desk.offline import WHERE
from bot.desk.offline_rows import MOST, Table, Wrong, entry_of, table_of
from bot.desk.request import fields_of
from bot.desk.room import Room
from bot.desk.sheets import sheet, show
from bot.desk.table import routes
from bot.desk.transcript import without_keys
from bot.desk.words import language_of, named, said
from bot.loop.intake import Overloaded
from bot.staff.sessions import Member
from nlu.understanding import Language
from storage.database import Conflict, is_outage
from storage.tables import cases, conversations

ENTRY = "/desk/entry"
_KEY = re.compile(r"[0-9a-f]{32}")
_SHOWN = 200
"""Refused rows that are shown."""

_AT_ONCE = 50
LARGEST = 700_000
"""Bytes of a file: the page holds it, in letters, until it is taken in."""


@routes.get(ENTRY)
@sheet("agent", "supervisor", "admin")
async def form(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """The form, empty; above it what became of the entry before."""
    made = request.query.get("entered", "")
    entered = (
        await _entered(request, room, member, made)
        if re.fullmatch(r"(hotline|store|interview|paper):[0-9a-f]{32}", made)
        else None
    )
    return _page(request, room, member, entered=entered)


@routes.post(ENTRY)
@sheet("agent", "supervisor", "admin")
async def take_one(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Take one in. Sent twice it is one."""
    given, language, service = await fields_of(request), language_of(request), room.service
    key = given.get("key", "")
    if not _KEY.fullmatch(key):
        return _page(request, room, member, 400, said("error.bad_request", language), given=given)
    try:
        made = entry_of(given, key, _spoken(given, language), *_house(room))
        await offline.take(service, [made], (member.id, member.name))
    except Wrong as wrong:
        return _page(request, room, member, 422, _why(wrong, language), given=given)
    except (Conflict, Overloaded):
        return _page(request, room, member, 503, said("offline.busy", language), given=given)
    except Exception as error:
        if not is_outage(error):
            raise
        return _page(request, room, member, 503, said("error.outage", language), given=given)
    raise web.HTTPSeeOther(f"{ENTRY}?entered={made.where}:{made.key}")


@routes.post(ENTRY + "/table")
@sheet("supervisor", "admin")
async def take_table(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Look through a table, and say what is wrong with which line; taken in is only what was looked at first."""
    language = language_of(request)
    try:
        posted = await request.post()
    except web.HTTPRequestEntityTooLarge:
        return _page(request, room, member, 413, said("offline.file_too_many", language, count=MOST))
    where, go = str(posted.get("where", "")), "take" in posted
    name, content = _file(posted)
    if not content:
        return _page(request, room, member, 422, said("offline.no_file", language))
    if len(content) > LARGEST:
        return _page(request, room, member, 413, said("offline.file_too_many", language, count=MOST))
    spoken = _spoken({"language": str(posted.get("language", ""))}, language)
    try:
        found = await asyncio.to_thread(table_of, name, content, where, spoken, *_house(room))
    except FileError as error:
        words = named(f"offline.file_{error.code}", language, count=MOST) or said("offline.file_unreadable", language)
        return _page(request, room, member, 422, words)
    if go:
        try:
            for start in range(0, len(found.entries), _AT_ONCE):
                some = found.entries[start : start + _AT_ONCE]
                await offline.take(room.service, some, (member.id, member.name))
        except (Conflict, Overloaded):
            return _page(request, room, member, 503, said("offline.table_busy", language))
    held = base64.b64encode(content).decode() if not go else ""
    table = _report(found, language) | {"held": held, "name": name, "where": where, "taken": go, "spoken": spoken}
    return _page(request, room, member, table=table)


def _file(posted: Any) -> tuple[str, bytes]:
    """The file that was chosen, or, once it was looked at, the one that the page holds."""
    chosen, held = posted.get("file"), posted.get("held")
    if isinstance(chosen, web.FileField):
        return chosen.filename[-100:], chosen.file.read()
    try:
        return str(posted.get("name", ""))[-100:], base64.b64decode(str(held or ""), validate=True)
    except (binascii.Error, ValueError):
        return "", b""


def _report(found: Table, language: Language) -> dict[str, Any]:
    return {
        "good": len(found.entries),
        "rated": found.rated,
        "by_where": [(said(f"offline.{where}", language), count) for where, count in found.by_where.most_common()],
        "refused": [(line, _why(wrong, language)) for line, wrong in found.refused[:_SHOWN]],
        "bad": len(found.refused),
    }


def _why(wrong: Wrong, language: Language) -> str:
    values = dict(wrong.values)
    if "field" in values:
        values["field"] = said(f"offline.{values['field']}", language)
    return said(f"offline.{wrong.code}", language, **values)


def _house(room: Room) -> tuple[Any, Any, Any]:
    content = room.service.content
    return content.surveys.for_trigger("volunteered"), content.calendar.zone, room.service.clock.now()


def _spoken(given: Any, otherwise: Language) -> Language:
    wanted = given.get("language", "")
    return "zh" if wanted == "zh" else "en" if wanted == "en" else otherwise


async def _entered(request: web.Request, room: Room, member: Member, made: str) -> dict[str, Any] | None:
    """What became of an entry: its cases, or that it is still being understood."""
    where, _, key = made.partition(":")
    one = offline.Entry(where=where, key=key, words="", value=None, language="zh")  # type: ignore[arg-type] # the pattern's own words
    reader = Reader(member, room.service.content, room.service.clock.now(), language_of(request))

    def work(connection: Connection) -> dict[str, Any] | None:
        lane = offline.lane(room.service, one)
        talk = connection.execute(select(conversations.c.id).where(conversations.c.lane == lane)).scalar()
        if talk is None:
            return None
        rows = connection.execute(
            select(cases.c.id, cases.c.title, cases.c.state)
            .where(cases.c.conversation_id == talk, case_scope.shown_to(member))
            .order_by(cases.c.id)
        )
        found = [
            {
                "number": numbers.number(row.id),
                "title": without_keys(row.title),
                "state": state_name(row.state, reader.language),
            }
            for row in rows
        ]
        return {"conversation": talk, "cases": found, "waits": offline.unread(connection, room.service, one)}

    return await room.service.database.read(work)


def _page(
    request: web.Request, room: Room, member: Member, status: int = 200, problem: str = "", **values: Any
) -> web.Response:
    language = language_of(request)
    definition = room.service.content.surveys.for_trigger("volunteered")
    options = (
        [(value, definition.scale.labels[value].said(language)) for value in definition.scale.values]
        if definition
        else []
    )
    entered = values.get("entered")
    filled = {
        "given": {},
        "entered": None,
        "table": None,
        "options": options,
        "places": WHERE,
        "most": MOST,
        "imports": member.supervisor,
        "own": ENTRY,
        "live": 2 if entered and entered["waits"] else 0,
        "key": secrets.token_hex(16),
    } | values
    if _KEY.fullmatch(str(filled["given"].get("key", ""))):
        filled["key"] = filled["given"]["key"]  # tried again it is the same entry
    return show(request, member, "offline", status=status, problem=problem, **filled)
