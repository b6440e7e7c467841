"""A platform on port 0: the base of the fakes that stand in for real ones, with faults to inject."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from aiohttp import web
from multidict import CIMultiDict


@dataclass(frozen=True, slots=True)
class Call:
    """A request as the platform received it. `path` is decoded; `headers` ignore case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one call.

    `answer` gives `status`, `headers` and `body`; `hang` never answers; `close` ends the connection without a byte;
    `half` ends it in the middle of the answer; `slow` answers as usual, but only after `FakePlatform.release()`.
    `taken`: the platform did what it was asked before that, so that a message is out although nobody was told.
    """

    act: Literal["answer", "hang", "close", "half", "slow"] = "answer"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    taken: bool = False


class FakePlatform:
    """An HTTP server whose `answer` a subclass writes as the platform documents it.

    Used as an async context manager; `url` is its address without a slash at the end, `calls` what it was asked.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.url = ""
        self.port = 0
        self._faults: deque[Fault] = deque()
        self._released = asyncio.Event()
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def answer(self, call: Call) -> web.Response:
        """The platform's answer where nothing goes wrong."""
        return web.json_response({})

    def fail(self, *faults: Fault) -> None:
        """The next calls go wrong, one fault a call, in this order."""
        self._faults.extend(faults)

    def release(self) -> None:
        """Let the `slow` calls, past and coming, go on."""
        self._released.set()

    async def arrived(self, count: int) -> None:
        """Wait until `count` calls have arrived in all."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.calls) >= count)

    async def stop(self) -> None:
        """Close the port: from here on, connecting is refused."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 22)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        call = Call(
            request.method, request.path, dict(request.query), CIMultiDict(request.headers), await request.read()
        )
        self.calls.append(call)
        async with self._arrived:
            self._arrived.notify_all()
        if not self._faults:
            return await self.answer(call)
        fault = self._faults.popleft()
        if fault.taken:
            await self.answer(call)
        if fault.act == "hang":
            await asyncio.Event().wait()  # until the caller gives up
        if fault.act == "slow":
            await self._released.wait()
            return await self.answer(call)
        if fault.act == "close" and request.transport is not None:
            request.transport.abort()
        if fault.act == "half":
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'{"half')
            if request.transport is not None:
                request.transport.close()
            return response
        return web.Response(status=fault.status, body=fault.body, headers=fault.headers)
