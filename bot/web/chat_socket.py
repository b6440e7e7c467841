"""The web chat's socket. The browser says hello with its token, then sends one message at a time and waits for its
acknowledgement; the server tells what is new on the transcript. Hints wake it; what it tells is read from the database.

    browser   {type: hello, token, after, waiting, language} · {type: text, id, text} · {type: tap, id, seq, index}
              {type: ping} · {type: typing}
    server    {type: welcome, token, new, limit} · {type: messages, items, upto, more, fresh, done, state}
              {type: token, token} · {type: ack, id} · {type: refused, id, reason, said, seconds} · {type: pong}
              {type: typing}: somebody of ours writes. Neither is kept anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from bot.service import SERVICE, Service
from bot.web.hearing import Refused, Sender, dedupe_key, hear, ids_of, keys_of, largest, parse, position
from bot.web.language import language_of
from bot.web.limits import LIMITS, Key, Limits, Rate, sender
from bot.web.live import Watch, typing
from bot.web.server import CLOSING
from bot.web.transcript import view, with_hours
from bot.web.visitors import SESSION, from_here, known, stranger, token_of

log = structlog.get_logger()

PING = 30.0  # seconds between two pings; half of it is waited for the pong
HELLO_WITHIN = 10.0  # seconds until a socket has said who it is
STALLED = 20.0  # seconds that a browser may take no data in
CLOSED_WITHIN = 2.0  # seconds that a browser may take to say goodbye
LOOK_AGAIN = 30.0  # seconds after which the transcript is looked at even without a hint: hints may be lost
MALFORMED = 5  # frames that make no sense, after which the socket is closed
OF_VISITOR, OF_SENDER = 8, 300  # sockets at once
HELLOS = Rate(burst=120, per_second=10)  # from one address: what a network's outage brings back at once

TYPING = Rate(burst=2, per_second=0.5)  # signs of writing from one visitor

TRY_LATER = 4429
routes = web.RouteTableDef()


@routes.get("/chat/ws")
async def socket(request: web.Request) -> web.StreamResponse:
    """The socket of one open chat."""
    service = request.app[SERVICE]
    if not from_here(service, request, browser=True):
        service.count("chat_forged.web")
        raise web.HTTPForbidden(text="this socket is for our own page; if it is ours, set EARFUL_PUBLIC_URL")
    limits, address = request.app[LIMITS], sender(request)
    ws = web.WebSocketResponse(timeout=CLOSED_WITHIN, heartbeat=PING, max_msg_size=largest(service), compress=False)
    with limits.holding({("socket", address): OF_SENDER}) as granted:
        wait = limits.take({("hello", address): HELLOS}, service.clock.now())
        if not granted or wait > 0:
            service.count("chat_slowed.web")
            raise web.HTTPTooManyRequests(headers={"Retry-After": "5"}, text="too many connections, come back later")
        await ws.prepare(request)
        try:
            await _serve(request, ws, service, limits, address)
        except TimeoutError:
            service.count("chat_stalled.web")
            if request.transport is not None:
                request.transport.abort()
        except ConnectionResetError:
            pass  # they are gone; what they sent is kept, and what they did not see waits for them
    return ws


async def _serve(
    request: web.Request, ws: web.WebSocketResponse, service: Service, limits: Limits, address: str
) -> None:
    hello = await _hello(ws)
    if hello is None:
        await ws.close(code=WSCloseCode.POLICY_VIOLATION, message=b"say hello first")
        return
    visitor = known(service, hello.get("token"))
    new = visitor is None
    visitor = visitor or stranger()
    language = hello.get("language")
    who = Sender(visitor, address, language if language in ("zh", "en") else language_of(request, "zh"))
    with limits.holding({("sockets-of", visitor.id): OF_VISITOR}) as granted:
        if not granted:
            await ws.close(code=TRY_LATER, message=b"too many windows")
            return
        with service.live.watch(visitor.lane) as watch:
            talk = Talk(service, limits, ws, who, watch, request.app[CLOSING], new)
            if not new:
                talk.upto = position(hello.get("after"))
                talk.waiting.update(keys_of(visitor, hello.get("waiting")))
            await talk.run()


async def _hello(ws: web.WebSocketResponse) -> dict[str, Any] | None:
    try:
        first = await ws.receive(timeout=HELLO_WITHIN)
        said = parse(first.data) if first.type is WSMsgType.TEXT else {}
    except (TimeoutError, ValueError):
        return None
    return said if said.get("type") == "hello" else None


@dataclass(slots=True)
class Talk:
    """An open socket of a visitor who said hello."""

    service: Service
    limits: Limits
    ws: web.WebSocketResponse
    who: Sender
    watch: Watch
    closing: asyncio.Event
    new: bool
    upto: int = 0
    told: set[int] = field(default_factory=set)  # of what stands after `upto`
    waiting: set[str] = field(default_factory=set)  # dedupe keys, not on the transcript yet
    state: dict[str, Any] | None = None
    renew_at: datetime | None = None

    async def run(self) -> None:
        """Listen and tell until they leave, or we must. Raises TimeoutError, ConnectionResetError."""
        tasks = [
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._tell_on()),
            asyncio.create_task(self._until_closing()),
            asyncio.create_task(self._written_on()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        code = WSCloseCode.SERVICE_RESTART if self.closing.is_set() else WSCloseCode.OK
        for error in ended:
            if isinstance(error, TimeoutError | ConnectionResetError):
                raise error
            if isinstance(error, Exception):
                log.error("a chat socket failed; the browser comes back", error=type(error).__name__)
                code = WSCloseCode.INTERNAL_ERROR
        with contextlib.suppress(TimeoutError):
            # A server that stops hears no answer any more: aiohttp has ended the reading.
            async with asyncio.timeout(0.1 if self.closing.is_set() else CLOSED_WITHIN):
                await self.ws.close(code=code)

    async def tell(self) -> None:
        """What is new on the transcript, if anything is."""
        waiting = sorted(self.waiting)
        read = view(self.who.visitor.lane, after=self.upto, waiting=waiting)
        found = with_hours(
            await self.service.database.read(read), self.service.content.calendar, self.service.clock.now()
        )
        items = [item for item in found.items if found.fresh or item["seq"] not in self.told]
        if self.state is None or items or found.fresh or found.done or found.state != self.state:
            body = found.as_json() | {"items": items, "done": ids_of(found.done)}
            await self._send("messages", body)
        self.upto, self.state = found.upto, found.state
        self.told = {item["seq"] for item in found.items if item["seq"] > found.upto}
        self.waiting.difference_update(found.done)

    async def _tell_on(self) -> None:
        await self._send(
            "welcome", {"token": self._renewed(), "new": self.new, "limit": self.service.settings.text_limit}
        )
        while True:
            await self.tell()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN):
                    await self.watch.changed()
            if self.renew_at and self.service.clock.now() >= self.renew_at:
                await self._send("token", {"token": self._renewed()})

    async def _until_closing(self) -> None:
        await self.closing.wait()

    def _renewed(self) -> str:
        self.renew_at = self.service.clock.now() + SESSION / 2
        return token_of(self.service, self.who.visitor)

    async def _listen(self) -> None:
        malformed = 0
        async for frame in self.ws:
            if frame.type is WSMsgType.ERROR:
                return
            try:
                said = parse(frame.data) if frame.type is WSMsgType.TEXT else {}
            except ValueError:
                said = {}
            match said.get("type"):
                case "text" | "tap":
                    await self._hear(said)
                case "ping":
                    await self._send("pong", {})
                case "typing":
                    self._typing()
                case _:
                    malformed += 1
                    if malformed >= MALFORMED:
                        await self.ws.close(code=WSCloseCode.INVALID_TEXT, message=b"this is not our protocol")
                        return

    async def _hear(self, said: dict[str, Any]) -> None:
        try:
            id = await hear(self.service, self.limits, self.who, said)
        except Refused as refused:
            await self._send("refused", refused.as_json())
            return
        self.waiting.add(dedupe_key(self.who.visitor, id))
        await self._send("ack", {"id": id})
        # Its turn may have been over before we waited for it: look once more.
        self.watch.tell(self.who.visitor.lane)

    def _typing(self) -> None:
        """They write: whoever has the conversation sees it. Nobody else is told, and too often is as good as never."""
        wanted: dict[Key, Rate] = {("typing", self.who.visitor.id): TYPING}
        if (self.state or {}).get("owner") != "agent" or self.limits.take(wanted, self.service.clock.now()) > 0:
            return
        self.service.router.changed([typing("customer", self.who.visitor.lane)])

    async def _written_on(self) -> None:
        """Tell them that somebody of ours writes."""
        with self.service.live.watch(typing("agent", self.who.visitor.lane)) as watch:
            while True:
                await watch.changed()
                await self._send("typing", {})

    async def _send(self, kind: str, body: dict[str, Any]) -> None:
        """Raises TimeoutError where the other end takes nothing in."""
        async with asyncio.timeout(STALLED):
            await self.ws.send_str(json.dumps({"type": kind, **body}, ensure_ascii=False, separators=(",", ":")))
