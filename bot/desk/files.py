"""Files at the desk: sent up for a reply, and handed to those who may see the conversation, which all staff may."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from aiohttp import web

from bot.attachments import serving, store
from bot.attachments.kinds import NotTaken, taken
from bot.desk.guard import Problem, api
from bot.desk.request import lane_of
from bot.desk.room import Room
from bot.desk.table import routes
from bot.staff.sessions import Member
from storage.types import clean

AT_ONCE = 3
"""Files that one member may send up at the same time."""

PATIENCE = 120.0
"""Seconds that sending one up may take."""

_KEY = re.compile(r"[0-9a-f]{32}")
_uploading: dict[int, int] = {}


@routes.post("/desk/api/conversations/{id}/files")
@api
async def send_up(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """The file itself as the body, its `name` in the query. It goes out with the reply that names its `key`."""
    lane, limit = await lane_of(request, room), room.service.settings.attachment_limit
    if _uploading.get(member.id, 0) >= AT_ONCE:
        raise Problem(429, "file_many")
    _uploading[member.id] = _uploading.get(member.id, 0) + 1
    try:
        async with asyncio.timeout(PATIENCE):
            content = await serving.read(request.content, request.content_length, limit)
        kind, kept = await asyncio.to_thread(taken, content)
    except serving.TooLarge:
        raise Problem(413, "file_too_large", most=limit // 1_000_000 or 1) from None
    except TimeoutError:
        raise Problem(408, "offline") from None
    except NotTaken as refused:
        raise Problem(415, "file_broken" if refused.code == "broken" else "file_kind") from None
    finally:
        _uploading[member.id] -= 1
        if not _uploading[member.id]:
            del _uploading[member.id]
    name, now = clean(request.query.get("name", "")[:300]), room.service.clock.now()
    file = await store.keep(room.service.database, kept, kind, name, now, lane=lane, sender="agent", staff_id=member.id)
    return {"file": file.as_json()}


@routes.get("/desk/api/files/{key}")
@api
async def hand_out(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """A file of any conversation; a picture is shown, everything else is saved."""
    key = request.match_info["key"]
    if not _KEY.fullmatch(key):
        raise Problem(404, "no_file")
    database = room.service.database
    file = (await database.read(lambda connection: store.find(connection, [key]))).get(key)
    content = await store.content(database, file) if file else None
    if file is None or content is None:
        raise Problem(404, "no_file")
    return web.Response(body=content, headers=serving.headers(file, inline="save" not in request.query))
