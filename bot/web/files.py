"""Files in the web chat: a visitor sends one up, then says it; and is handed those of their own conversation."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import structlog
from aiohttp import web
from sqlalchemy import Connection

from bot.attachments import serving, store
from bot.attachments.kinds import NotTaken, taken
from bot.service import SERVICE, Service
from bot.web.language import texts
from bot.web.limits import LIMITS, Rate, sender
from bot.web.visitors import Visitor
from nlu.understanding import Language
from storage.database import is_outage
from storage.types import clean

log = structlog.get_logger()

OF_VISITOR = Rate(burst=10, per_second=1 / 20)
OF_SENDER = Rate(burst=40, per_second=1 / 5)
"""A company, or a village, may sit behind one address."""

AT_ONCE, AT_ONCE_OF_SENDER, AT_ONCE_IN_ALL = 2, 10, 24
PATIENCE = 120.0
"""Seconds that sending one up may take."""

DAY = timedelta(days=1)
_KEY = re.compile(r"[0-9a-f]{32}")


async def send_up(request: web.Request, visitor: Visitor, language: Language) -> web.Response:
    """The file itself as the body, its `name` in the query: 201 `{file}`, or why not, in words."""
    service, limits = request.app[SERVICE], request.app[LIMITS]
    now, limit, address = service.clock.now(), service.settings.attachment_limit, sender(request)

    def refused(status: int, reason: str, **values: object) -> web.Response:
        service.count("chat_file_refused.web")
        said = texts().said("refused", reason, language, **values)
        return _json({"reason": reason, "said": said}, status)

    wait = limits.take({("files", visitor.id): OF_VISITOR, ("files-from", address): OF_SENDER}, now)
    places = {("sending", visitor.id): AT_ONCE, ("sending-from", address): AT_ONCE_OF_SENDER}
    with limits.holding(places | {("sending-all",): AT_ONCE_IN_ALL}) as granted:
        if wait > 0 or not granted:
            return refused(429, "slow_down")
        today = await service.database.read(lambda connection: store.sent_up(connection, now - DAY))
        if today >= service.settings.attachments_a_day:
            return refused(503, "file_later")
        try:
            async with asyncio.timeout(PATIENCE):
                content = await serving.read(request.content, request.content_length, limit)
            kind, kept = await asyncio.to_thread(taken, content)
        except serving.TooLarge:
            return refused(413, "file_too_large", most=limit // 1_000_000 or 1)
        except TimeoutError:
            return refused(408, "busy")
        except NotTaken as why:
            return refused(415, "file_broken" if why.code == "broken" else "file_kind")
        name = clean(request.query.get("name", "")[:300])
        try:
            file = await store.keep(service.database, kept, kind, name, now, lane=visitor.lane, sender="customer")
        except Exception as error:
            if not is_outage(error):
                raise
            log.error("the database did not take a file", error=type(error).__name__)
            return refused(503, "busy")
    service.count("chat_file_accepted.web")
    return _json({"file": file.as_json()}, 201)


async def hand_out(service: Service, visitor: Visitor, key: str) -> web.Response:
    """A file that the visitor sent, or was sent."""

    def work(connection: Connection) -> store.File | None:
        file = store.find(connection, [key]).get(key) if _KEY.fullmatch(key) else None
        if file is None or file.lane != visitor.lane:
            return None
        return file if file.sender == "customer" or file.state == "said" else None

    file = await service.database.read(work)
    content = await store.content(service.database, file) if file else None
    if file is None or content is None:
        raise web.HTTPNotFound(text="there is no such file")
    return web.Response(body=content, headers=serving.headers(file, inline=True))


async def sayable(service: Service, visitor: Visitor, key: object) -> store.File | None:
    """A file that the visitor sent up, to be said now; said again after a lost acknowledgement, it is the same."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        return None
    file = (await service.database.read(lambda connection: store.find(connection, [key]))).get(key)
    own = file is not None and (file.lane, file.sender) == (visitor.lane, "customer")
    return file if own and file is not None and file.whole else None


def _json(body: dict[str, Any], status: int) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})
