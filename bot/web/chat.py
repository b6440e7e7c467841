"""The web chat: its page, the widget that embeds it, and plain HTTP for browsers that get no socket through."""

from __future__ import annotations

import asyncio
import hashlib
import json
from functools import cache
from typing import Any

from aiohttp import web

from bot.service import SERVICE, Service
from bot.web import chat_socket, files
from bot.web.hearing import Refused, Sender, hear, ids_of, keys_of, largest, parse
from bot.web.language import LANGUAGES, language_of, texts
from bot.web.limits import LIMITS, Rate, sender
from bot.web.manners import CSP
from bot.web.rendering import HERE, STATIC, page
from bot.web.server import CLOSING, static
from bot.web.transcript import View, earlier, view, with_hours
from bot.web.visitors import Visitor, from_here, known, stranger, token_of

HELD = 25.0
"""Seconds that a poll is held open while there is nothing new: below the 30 s after which many proxies give up."""

OF_VISITOR = 4  # polls at once
SESSIONS = Rate(burst=120, per_second=5)  # new ones from one address
LOOKS = Rate(burst=60, per_second=4)  # looks at the transcript by one visitor
OPENED = Rate(burst=120, per_second=4)  # files that one visitor looks at
_own = web.RouteTableDef()


@_own.get("/chat")
async def chat(request: web.Request) -> web.Response:
    """The page: by itself, or in the widget's frame. It writes nothing; the first message makes the conversation."""
    service = request.app[SERVICE]
    language = language_of(request, service.settings.language)
    known_to_script = {
        "language": language,
        "limit": service.settings.text_limit,
        "file_limit": service.settings.attachment_limit,
        "texts": texts().all("client", language),
    }
    response = page(request, "chat", language, script=known_to_script)
    ancestors = " ".join(service.settings.frame_origins) if service.settings.frame_origins else "*"
    response.headers["Content-Security-Policy"] = CSP.replace(
        "frame-ancestors 'none'", f"frame-ancestors 'self' {ancestors}; require-trusted-types-for 'script'"
    ).replace("img-src 'self' data:", "img-src 'self' data: blob:")  # a picture of theirs, fetched with their token
    return response


@_own.get("/chat/widget.js")
async def widget(request: web.Request) -> web.StreamResponse:
    """`<script src="https://…/chat/widget.js" async></script>` on any website: a button that opens the chat."""
    headers = {"Cache-Control": "public, max-age=3600", "Cross-Origin-Resource-Policy": "cross-origin"}
    script = _widget(request.app[SERVICE].settings.language)
    return web.Response(text=script, content_type="text/javascript", headers=headers)


@_own.post("/chat/session")
async def session(request: web.Request) -> web.Response:
    """`{token?}` to `{token, new, limit}`: the same visitor with a fresh token, or a new one."""
    service = _ours(request)
    visitor = known(service, (await _body(request)).get("token"))
    if visitor is None:
        key = ("session", sender(request))
        wait = request.app[LIMITS].take({key: SESSIONS}, service.clock.now())
        if wait > 0:
            raise web.HTTPTooManyRequests(headers={"Retry-After": "5"}, text="too many new visitors from your network")
    fresh = visitor or stranger()
    return _json({"token": token_of(service, fresh), "new": visitor is None, "limit": service.settings.text_limit})


@_own.post("/chat/messages")
async def say(request: web.Request) -> web.Response:
    """`{id, text}`, with `file` where one was sent up, or `{id, seq, index}`, a tap. 202 `{id}` once committed."""
    service = _ours(request)
    who = Sender(_visitor(service, request), sender(request), language_of(request, service.settings.language))
    try:
        id = await hear(service, request.app[LIMITS], who, await _body(request))
    except Refused as refused:
        headers = {"Retry-After": str(refused.seconds)} if refused.seconds else {}
        return _json(refused.as_json(), refused.status, headers)
    return _json({"id": id}, 202)


@_own.get("/chat/messages")
async def look(request: web.Request) -> web.Response:
    """The transcript after `after`, or the page before `before`. With `mark`, the last answer's, it is held until there
    is something else to tell. `waiting`: ids, with commas, of what was sent and is not seen on the transcript."""
    service = request.app[SERVICE]
    visitor = _visitor(service, request)
    limits = request.app[LIMITS]
    if limits.take({("looked", visitor.id): LOOKS}, service.clock.now()) > 0:
        raise web.HTTPTooManyRequests(headers={"Retry-After": "1"}, text="slow down")
    before = _number(request, "before")
    if before:
        return _json(_told(await service.database.read(earlier(visitor.lane, before)))[0])
    after, mark = _number(request, "after"), request.query.get("mark", "")
    waiting = keys_of(visitor, request.query.get("waiting", "").split(","))
    with limits.holding({("polls-of", visitor.id): OF_VISITOR}) as granted:
        if not granted:
            raise web.HTTPTooManyRequests(headers={"Retry-After": "5"}, text="too many windows")
        return _json(await _held(service, visitor, after, waiting, mark, request.app[CLOSING]))


@_own.post("/chat/files")
async def send_file(request: web.Request) -> web.Response:
    """A file as the body, its `name` in the query. 201 `{file}`; it is said with a message that names its `key`."""
    service = _ours(request)
    visitor = _visitor(service, request)
    return await files.send_up(request, visitor, language_of(request, service.settings.language))


@_own.get("/chat/files/{key}")
async def see_file(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    visitor = _visitor(service, request)
    if request.app[LIMITS].take({("opened", visitor.id): OPENED}, service.clock.now()) > 0:
        raise web.HTTPTooManyRequests(headers={"Retry-After": "1"}, text="slow down")
    return await files.hand_out(service, visitor, request.match_info["key"])


@cache
def _widget(language: str) -> str:
    """The script with its texts. JSON inside a template literal: backslashes, backticks and dollars are escaped."""
    said = json.dumps({each: texts().all("widget", each) for each in LANGUAGES}, ensure_ascii=False)
    for sign in ("\\", "`", "$"):
        said = said.replace(sign, "\\" + sign)
    script = (HERE / "templates" / "widget.js").read_text("utf-8")
    return script.replace("{{texts}}", said).replace("{{language}}", language)


async def _held(
    service: Service, visitor: Visitor, after: int, waiting: list[str], mark: str, closing: asyncio.Event
) -> dict[str, Any]:
    async def look_now() -> View:
        found = await service.database.read(view(visitor.lane, after=after, waiting=waiting))
        return with_hours(found, service.content.calendar, service.clock.now())

    with service.live.watch(visitor.lane) as watch:
        body, new = _told(await look_now())
        gone = asyncio.create_task(closing.wait())
        try:
            async with asyncio.timeout(HELD):
                while new == mark and not gone.done():
                    changed = asyncio.create_task(watch.changed())
                    try:
                        await asyncio.wait({changed, gone}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        changed.cancel()
                    body, new = _told(await look_now())
        except TimeoutError:
            pass
        finally:
            gone.cancel()
    return body


def _told(found: View) -> tuple[dict[str, Any], str]:
    """A view for a browser, and its mark."""
    body = found.as_json() | {"done": ids_of(found.done)}
    mark = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
    return body | {"mark": mark}, mark


def _ours(request: web.Request) -> Service:
    service = request.app[SERVICE]
    if not from_here(service, request):
        service.count("chat_forged.web")
        raise web.HTTPForbidden(text="this address is for our own page; if it is ours, set EARFUL_PUBLIC_URL")
    return service


def _visitor(service: Service, request: web.Request) -> Visitor:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    visitor = known(service, token) if scheme.lower() == "bearer" else None
    if visitor is None:
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"}, text="ask for a session first")
    return visitor


async def _body(request: web.Request) -> dict[str, Any]:
    most = largest(request.app[SERVICE])
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=request.content_length or 0)
    raw = await request.read()
    if len(raw) > most:
        raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(raw))
    try:
        return parse(raw or b"{}")
    except ValueError:
        raise web.HTTPBadRequest(text="the body is not a JSON object") from None


def _number(request: web.Request, name: str) -> int:
    digits = request.query.get(name, "0")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        raise web.HTTPBadRequest(text=f"{name} is a number")
    return int(digits)


def _json(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"} | (headers or {}))


static(_own, STATIC, HERE / "static")
routes: list[web.AbstractRouteDef] = [*_own, *chat_socket.routes]
