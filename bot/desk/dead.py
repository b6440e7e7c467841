"""Dead letters at the desk: what could not be worked, everything known of it, and another try. For administrators."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import Connection

from bot.desk.room import Room
from bot.desk.sheets import back, done, sheet, show
from bot.desk.table import routes
from bot.desk.words import language_of, said, texts
from bot.loop import dead
from bot.staff.service import record
from bot.staff.sessions import Member
from nlu.understanding import Language
from storage.types import clean

HERE = "/desk/admin/dead-letters"
PAGE = 50
SHOWN = 20_000
"""Characters of an event that are shown; the command line shows all of it."""


@routes.get(HERE)
@sheet("admin")
async def letters(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """The newest first; never what anybody wrote."""
    before, language = _id(request.query.get("before", "")), language_of(request)
    zone = room.service.content.calendar.zone

    def work(connection: Connection) -> tuple[int, list[Any]]:
        return dead.count(connection), dead.listed(connection, before=before, most=PAGE + 1)

    count, rows = await room.service.database.read(work)
    shown = [_row(row, zone, language) for row in rows[:PAGE]]
    return show(
        request,
        member,
        "dead",
        done=done(request),
        count=count,
        rows=shown,
        further=f"{HERE}?before={rows[PAGE - 1].id}" if len(rows) > PAGE else None,
        letter=None,
        zone=str(zone),
    )


@routes.get(HERE + "/{id}")
@sheet("admin")
async def letter(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Everything about one. It holds what somebody wrote: who looked stands in the audit."""
    id = _wanted(request)
    found = await room.service.database.read(lambda connection: dead.one(connection, id))
    if found is None:
        raise web.HTTPSeeOther(HERE)
    await record(room.service.database, room.service.clock, f"staff:{member.id}", "dead_letter_read", f"inbox:{id}")
    zone = room.service.content.calendar.zone
    facts = {name: found[name] for name in ("channel", "account", "lane", "dedupe_key", "attempts", "reason")}
    facts |= {"received_at": _clock(found["received_at"], zone)}
    bodies = {name: _readable(found[name]) for name in ("event", "raw") if found[name] is not None}
    return show(
        request,
        member,
        "dead",
        count=1,
        rows=[],
        further=None,
        letter={"id": id, "facts": facts, "bodies": bodies},
        zone=str(zone),
    )


@routes.post(HERE + "/replay")
@sheet("admin")
async def replay(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Those that are named are tried again, at once; who did it stands in the audit."""
    form = await request.post()
    ids = sorted({id for each in form.getall("id", []) if (id := _id(str(each))) is not None})[: 10 * PAGE]
    service = room.service
    lanes = await service.database.write(lambda connection: dead.again(connection, ids))
    if not lanes:
        raise web.HTTPSeeOther(HERE)  # pressed twice, or by somebody else a moment ago
    what = f"inbox:{ids[0]}" if len(ids) == 1 else f"inbox:{ids[0]}..{ids[-1]}"
    await record(service.database, service.clock, f"staff:{member.id}", "dead_letters_replayed", what, {"ids": ids})
    service.router.wake(sorted(set(lanes)))
    raise back(request, HERE, "replayed")


def _id(said: str) -> int | None:
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 18 else None


def _wanted(request: web.Request) -> int:
    found = _id(request.match_info["id"])
    if found is None:
        raise web.HTTPNotFound
    return found


def _row(row: Any, zone: ZoneInfo, language: Language) -> dict[str, Any]:
    name = f"channel.{row.channel}"
    return {
        "id": row.id,
        "at": _clock(row.received_at, zone),
        "channel": said(name, language) if name in texts() else row.channel,
        "account": row.account,
        "conversation": row.conversation,
        "attempts": row.attempts,
        "reason": row.reason or "",
    }


def _clock(when: Any, zone: ZoneInfo) -> str:
    return str(when.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"))


def _readable(body: bytes | memoryview) -> str:
    """Laid out where it is JSON; else as far as it can be read."""
    text = dead.words(body)
    with contextlib.suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    text = clean(text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} …"
