"""Platforms' calls are answered before the server where they are plain, and by it where they are not: one and the same
to whoever calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import select
from web_parts import house

from bot import app
from bot.loop.intake import Overloaded
from bot.service import Service
from bot.web import front, health, hooks
from bot.web.front import Front
from bot.web.server import application, put_before, serve
from channels.http import Http
from channels.telegram.adapter import TelegramAdapter, TelegramSettings
from storage import tables
from storage.database import Database

TOKEN = "123456:" + "t" * 35
SECRET = "a-webhook-secret-of-some-length"


@dataclass
class Place:
    service: Service
    front: Front
    port: int
    runner: object

    async def said(self) -> list[str]:
        """What was kept, in the order of arrival."""
        events = select(tables.inbox.c.event).order_by(tables.inbox.c.id)
        found = await self.service.database.read(lambda connection: list(connection.execute(events).scalars()))
        return [event["text"] for event in found]


@asynccontextmanager
async def place(database: Database) -> AsyncIterator[Place]:
    settings = TelegramSettings.model_validate({"token": TOKEN, "secret_token": SECRET})
    service = house(database, more={("telegram", "main"): TelegramAdapter("main", settings, Http())}, body_limit=20_000)
    made = application(service, [hooks.routes, health.routes])
    before = Front(service)
    put_before(made, before)
    runner, port = await serve(made, "127.0.0.1", 0)
    try:
        yield Place(service, before, port, runner)
    finally:
        await runner.cleanup()


@pytest.fixture
async def there(sqlite: Database) -> AsyncIterator[Place]:
    async with place(sqlite) as found:
        yield found


class Line:
    """A connection, spoken to in bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.01)  # so that each piece arrives by itself

    async def hear(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(5):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-1])}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), headers, body

    async def closed(self) -> bool:
        async with asyncio.timeout(5):
            return await self._reader.read() == b""


@asynccontextmanager
async def line(port: int) -> AsyncIterator[Line]:
    made = Line(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield made
    finally:
        made.writer.close()


def call(number: int, *more: str, text: str = "", secret: str = SECRET, path: str = "telegram/main") -> bytes:
    """A webhook as Telegram writes it, with `more` headers."""
    chat = {"id": 7, "type": "private", "first_name": "P"}
    message = {"message_id": number, "from": {"id": 7, "is_bot": False, "first_name": "P"}, "chat": chat}
    body = json.dumps({"update_id": number, "message": {**message, "date": 1, "text": text or f"t{number}"}}).encode()
    lines = [f"POST /hooks/{path} HTTP/1.1", "Host: here", f"X-Telegram-Bot-Api-Secret-Token: {secret}"]
    lines += more or [f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def test_a_plain_call_is_kept_and_answered_however_it_arrives(there: Place) -> None:
    """Whole, in pieces cut anywhere, or two at once: each is committed before its answer, in their order, on one
    connection that stays open; the answers have what every answer has."""
    first, second, third, fourth = (call(number) for number in range(1, 5))
    async with line(there.port) as platform:
        await platform.say(first)
        status, headers, body = await platform.hear()
        assert (status, body) == (200, b"")
        assert await there.said() == ["t1"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["date"].endswith("GMT")
        await platform.say(second[:3], second[3:90], second[90:-5], second[-5:] + third + fourth[:40], fourth[40:])
        assert [(await platform.hear())[0] for _ in range(3)] == [200, 200, 200]
    assert await there.said() == ["t1", "t2", "t3", "t4"]


async def test_what_is_not_plain_is_the_servers(there: Place) -> None:
    """Another page, chunks, a header twice, a folded one, a call to prepare for, no length: handed over with what came
    before it, and answered as the server answers; the connection is its own from then on."""
    chunked = call(2, "Transfer-Encoding: chunked")
    head, _, body = chunked.partition(b"\r\n\r\n")
    chunked = head + b"\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    async with line(there.port) as platform:
        await platform.say(call(1) + b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
        assert [(await platform.hear())[0] for _ in range(2)] == [200, 200]
        await platform.say(chunked)
        assert (await platform.hear())[0] == 200
        await platform.say(call(3))
        assert (await platform.hear())[0] == 200
    assert await there.said() == ["t1", "t2", "t3"]
    bare = len(call(9).partition(b"\r\n\r\n")[2])
    length = f"Content-Length: {bare}"
    for odd in (
        call(9, length, length),
        call(9, f"Content-Length: {bare}", f"Content-Length: {bare - 1}"),
        call(9, "Content-Length: -1"),
        call(9, length, "X-Bad\x00Header: 1"),
        call(9, length, "No colon"),
        b"POST /hooks/telegram/main HTTP/1.1\nHost: here\n\n" + b"x" * front.HEAD_LIMIT,
    ):
        async with line(there.port) as platform:
            await platform.say(odd)
            assert (await platform.hear())[0] == 400
    assert await there.said() == ["t1", "t2", "t3"]


async def test_refusals_are_the_same_before_the_server_and_behind_it(
    there: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong secret, no such account, no JSON, too much, no room; and a fault of ours, which shows nothing."""

    async def both(request: bytes) -> list[tuple[int, bytes, str | None]]:
        answers = []
        asked = request.replace(b"/main HTTP", b"/main?x=1 HTTP").replace(b"/nobody HTTP", b"/nobody?x=1 HTTP")
        for each in (request, asked):
            async with line(there.port) as platform:
                await platform.say(each)
                status, headers, body = await platform.hear()
                answers.append((status, body, headers.get("retry-after")))
        return answers

    for request, status in (
        (call(1, secret="wrong"), 401),
        (call(1, path="telegram/nobody"), 404),
        (call(1, "Content-Length: 2").partition(b"\r\n\r\n")[0] + b"\r\n\r\n{]", 400),
        (call(1, text="x" * 21_000), 413),
    ):
        before, behind = await both(request)
        assert before == behind
        assert before[0] == status

    async def full(*_: object) -> None:
        raise Overloaded

    monkeypatch.setattr(there.service.intake, "accept", full)
    before, behind = await both(call(1))
    assert before == behind == (503, b"busy, send it again", "2")

    async def broken(*_: object) -> None:
        raise RuntimeError("with a secret in it")

    monkeypatch.setattr(there.service.intake, "accept", broken)
    for status, body, _ in await both(call(1)):
        assert status == 500
        assert b"secret" not in body
    assert await there.said() == []


async def test_who_says_nothing_is_hung_up_on(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without a call, or with half of one, is closed in the end."""
    monkeypatch.setattr(front, "IDLE", 0.05)
    async with place(sqlite) as there, line(there.port) as silent, line(there.port) as half:
        await half.say(call(1)[:50])
        assert await silent.closed()
        assert await half.closed()
        assert not there.front.open


async def test_a_stop_answers_what_is_under_way_and_hangs_up(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun is answered with a 200 that is true; who waits in line hears nothing, and sends again."""
    async with place(sqlite) as there, line(there.port) as busy, line(there.port) as idle:
        accept, go = there.service.intake.accept, asyncio.Event()

        async def slowly(*given: object) -> None:
            await go.wait()
            await accept(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(there.service.intake, "accept", slowly)
        await busy.say(call(1))
        stopping = asyncio.create_task(there.front.close())
        assert await idle.closed()
        go.set()
        status, headers, _ = await busy.hear()
        assert (status, headers["connection"]) == (200, "close")
        assert await busy.closed()
        await stopping
        assert await there.said() == ["t1"]


async def test_whole_service_answers_hooks_in_front(sqlite: Database) -> None:
    """The application of the product has the front before it; a worker's has not."""
    service = house(sqlite)
    assert front.FRONT in app.web_application(service)
    service.role = "worker"
    assert front.FRONT not in app.web_application(service)
