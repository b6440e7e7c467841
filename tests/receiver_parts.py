"""A real receiver of webhooks on a port of its own, which can be told to fail in every way that receivers do."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """Answers with the `status` of the moment; while `hangs` is not set, with nothing at all."""

    url: str = ""
    status: int = 204
    answer: dict[str, str] = field(default_factory=dict)
    hangs: asyncio.Event | None = None
    got: list[Received] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, count: int) -> None:
        """Wait until so many have come."""
        async with asyncio.timeout(10):
            while len(self.got) < count:
                self._news.clear()
                await self._news.wait()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.got.append(Received({name.lower(): value for name, value in request.headers.items()}, body))
        self._news.set()
        if self.hangs is not None:
            await self.hangs.wait()
        return web.Response(status=self.status, headers=self.answer)

    def kinds(self) -> list[str]:
        return [each.told["type"] for each in self.got]


@contextlib.asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver, listening."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook", made.take)
    server = TestServer(app)
    await server.start_server()
    made.url = str(server.make_url("/hook"))
    try:
        yield made
    finally:
        if made.hangs is not None:
            made.hangs.set()
        await server.close()
