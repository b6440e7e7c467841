"""Before the server: a platform's call that is plain HTTP/1.1 is read and answered here, for a third of what the server
takes for it. Everything else on a connection, from the first byte that is not such a call, is the server's.

Plain means: a POST to /hooks/CHANNEL/ACCOUNT with one Content-Length and no header that changes how a request is read.
Nothing is guessed: what is unusual is handed over as it came.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple, cast

from aiohttp import web

from bot.service import Service
from bot.web.hooks import NOBODY, Reply, hear
from bot.web.manners import HEADERS, incident
from channels.base import Answer, Request

IDLE = 75.0
"""Seconds after which a connection on which nothing happens is closed; as long as the server's own."""
HEAD_LIMIT = 16 << 10
STOPS_WITHIN = 5.0
_BEGINS = b"POST /hooks/"
_LINE = re.compile(rb"POST (/hooks/([a-z0-9_]{1,40})/([A-Za-z0-9_.-]{1,100})) HTTP/1\.1")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_LENGTH = re.compile(r"[0-9]{1,9}")
_THE_SERVERS = frozenset({"transfer-encoding", "expect", "upgrade", "connection", "content-encoding", "trailer"})
"""Headers that change how a request is read, or what becomes of the connection."""


class Front:
    """Makes the protocol of each connection. `behind` makes the server's own, for what is handed over."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.limit = service.settings.body_limit
        self.behind: Callable[[], asyncio.Protocol] | None = None
        self.open: set[_Connection] = set()
        self.closing = False
        self._date = (0, "")

    def __call__(self) -> asyncio.Protocol:
        return _Connection(self)

    async def close(self) -> None:
        """Answer what is under way, and hang up."""
        self.closing = True
        work = [connection.task for connection in self.open if connection.task is not None]
        for connection in list(self.open):
            connection.hang_up_if_idle()
        if work:
            await asyncio.wait(work, timeout=STOPS_WITHIN)

    async def answer(self, call: _Call) -> Reply:
        adapter = self.service.adapter(call.channel, call.account)
        if adapter is None:
            return NOBODY
        url = self.service.settings.address + call.path
        try:
            return await hear(
                self.service, adapter, Request(method="POST", url=url, body=call.body, headers=call.headers)
            )
        except Exception as error:
            return Reply(Answer(status=500, body=incident("/hooks/{channel}/{account}", error).encode()))

    def date(self) -> str:
        """The Date of an answer, the same for all within a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True))
        return self._date[1]


FRONT: web.AppKey[Front] = web.AppKey("front", Front)


class Site(web.BaseSite):
    """Listens, with the front before the server."""

    def __init__(self, runner: web.AppRunner, front: Front, host: str, port: int) -> None:
        super().__init__(runner)
        self._front = front
        self._at = (host, port)

    @property
    def name(self) -> str:
        return f"http://{self._at[0]}:{self._at[1]}"

    async def start(self) -> None:
        await super().start()
        self._front.behind = self._runner.server
        self._server = await asyncio.get_running_loop().create_server(self._front, *self._at, backlog=self._backlog)


class _Call(NamedTuple):
    """A whole request."""

    path: str
    channel: str
    account: str
    headers: dict[str, str]
    body: bytes


class _Connection(asyncio.Protocol):
    """Reads one call after another, and answers each before it reads the next."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._used = self._loop.time()
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None

    # ---- what the event loop calls ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._timer = self._loop.call_later(IDLE, self._look)
        self._front.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if self.task is None:
            self._read()
        elif self._transport is not None and len(self._buffer) > self._front.limit:
            self._paused = True
            self._transport.pause_reading()  # until what was asked before is answered

    # ---- reading ----

    def _read(self) -> None:
        """Begin to answer what is in the buffer, hand it over, or wait for more of it."""
        buffer = self._buffer
        if not _BEGINS.startswith(buffer[: len(_BEGINS)]):
            self._hand_over()
            return
        end = buffer.find(b"\r\n\r\n", 0, HEAD_LIMIT)
        if end < 0:
            if len(buffer) > HEAD_LIMIT:
                self._hand_over()
            return
        found = _head(buffer[:end])
        length = int(found.headers["content-length"]) if found else 0
        if found is None or length > self._front.limit:
            self._hand_over()
            return
        whole = end + 4 + length
        if len(buffer) < whole:
            return
        self._buffer = buffer[whole:]
        self.task = self._loop.create_task(self._answer(found._replace(body=buffer[end + 4 : whole])))

    async def _answer(self, call: _Call) -> None:
        answer, headers = await self._front.answer(call)
        self.task = None
        self._used = self._loop.time()
        transport = self._transport
        if transport is None:  # they hung up; what they said is kept all the same
            return
        closing = self._front.closing
        more = [f"{name}: {value}\r\n" for name, value in headers.items()]
        if closing:
            more.append("Connection: close\r\n")
        transport.write(_written(answer, self._front.date(), "".join(more)))
        if closing:
            transport.close()
            return
        if self._paused:
            self._paused = False
            transport.resume_reading()
        if self._buffer:
            self._read()

    # ---- the end ----

    def hang_up_if_idle(self) -> None:
        if self.task is None and self._transport is not None:
            self._transport.close()

    def _hand_over(self) -> None:
        """From here on the connection is the server's."""
        transport, buffer, behind = self._transport, self._buffer, self._front.behind
        self._leave()
        if transport is None or behind is None:
            return
        protocol = behind()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(buffer)

    def _leave(self) -> None:
        self._front.open.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """One timer a connection, not one a request."""
        left = self._used + IDLE - self._loop.time()
        if self.task is None and left <= 0:
            self.hang_up_if_idle()
        else:
            self._timer = self._loop.call_later(max(left, 1.0), self._look)


def _head(head: bytes) -> _Call | None:
    """A call without its body; None if it is not plain."""
    first, *lines = head.split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        return None
    headers: dict[str, str] = {}
    for each in lines:
        found = _HEADER.fullmatch(each)
        if found is None:
            return None
        name = found[1].decode("ascii").lower()
        if name in headers:
            return None
        headers[name] = found[2].decode("utf-8", "surrogateescape").rstrip(" \t")
    if headers.get("connection", "").lower() == "keep-alive":
        del headers["connection"]
    if "host" not in headers or _LENGTH.fullmatch(headers.get("content-length", "")) is None:
        return None
    if not _THE_SERVERS.isdisjoint(headers):
        return None
    path, channel, account = (part.decode("ascii") for part in line.groups())
    return _Call(path, channel, account, headers, b"")


_ALWAYS = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())


def _written(answer: Answer, date: str, headers: str) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\nDate: {date}\r\n{_ALWAYS}{headers}\r\n"
    )
    return head.encode("ascii") + answer.body
