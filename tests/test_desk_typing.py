"""Each is shown that the other writes: at once, to nobody else, and kept nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType
from desk_parts import Agent, Place, opened
from fake_platform import Fault
from fake_telegram import TOKEN, FakeTelegram

from bot.web.visitors import stranger, token_of
from channels.http import Http
from channels.telegram.adapter import TelegramAdapter, TelegramSettings
from storage import tables
from storage.database import Database


async def hears(socket: ClientWebSocketResponse, kind: str, seconds: float = 5.0) -> dict[str, Any] | None:
    """The next frame of this kind, if one comes in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (frame := await socket.receive()).type is WSMsgType.TEXT:
                told = json.loads(frame.data)
                if told["type"] == kind:
                    return dict(told)
    return None


@contextlib.asynccontextmanager
async def chat(place: Place, thread: str | None = None) -> AsyncIterator[tuple[ClientWebSocketResponse, str]]:
    visitor = stranger()
    browser = await place.browser()
    async with browser.ws_connect("/chat/ws", headers={"Origin": place.origin}) as socket:
        token = token_of(place.service, visitor)
        await socket.send_json({"type": "hello", "token": token, "after": 0, "language": "en"})
        await hears(socket, "welcome")
        yield socket, visitor.id


async def desk(place: Place, agent: Agent, stack: contextlib.AsyncExitStack) -> ClientWebSocketResponse:
    socket = await stack.enter_async_context(agent.session.ws_connect("/desk/ws", headers={"Origin": place.origin}))
    await hears(socket, "hello")
    return socket


async def test_each_sees_that_the_other_writes(sqlite: Database) -> None:
    """Only the agent who has the conversation, and only its customer; while the bot has it nobody is told; however
    often it is said, it is told seldom; and no row of any table is the other for it."""
    async with opened(sqlite) as place, contextlib.AsyncExitStack() as stack, chat(place) as (mine, me):
        ann, bob = await place.agent("Ann"), await place.agent("Bob")
        anns, bobs = await desk(place, ann, stack), await desk(place, bob, stack)
        other, _ = await stack.enter_async_context(chat(place))
        talk = await place.say("hello", me)
        await mine.send_json({"type": "typing"})
        assert await hears(anns, "typing", 0.4) is None
        await ann.do("claim", talk)
        assert await hears(mine, "messages") is not None
        await asyncio.sleep(0)
        before = [await place.rows(table) for table in (tables.messages, tables.inbox, tables.outbox, tables.audit)]
        for _ in range(50):
            await mine.send_json({"type": "typing"})
        assert await hears(anns, "typing") == {"type": "typing", "conversation": talk}
        assert await hears(bobs, "typing", 0.4) is None
        assert await ann.post(f"conversations/{talk}/typing") == (200, {"shown": True})
        assert await hears(mine, "typing") == {"type": "typing"}
        assert await hears(other, "typing", 0.3) is None
        assert await ann.post(f"conversations/{talk}/typing") == (200, {"shown": False})  # too soon
        place.clock.advance(timedelta(seconds=5))
        assert await bob.post(f"conversations/{talk}/typing") == (200, {"shown": False})  # not theirs
        assert await ann.post(f"conversations/{talk}/typing") == (200, {"shown": True})
        assert (await ann.post("conversations/999/typing"))[0] == 404
        assert [
            await place.rows(table) for table in (tables.messages, tables.inbox, tables.outbox, tables.audit)
        ] == before


async def test_telegram_shows_it_too(sqlite: Database) -> None:
    """As its own sign, seldom; when Telegram asks for quiet there is quiet, and a broken line is no trouble."""
    async with FakeTelegram() as fake, contextlib.AsyncExitStack() as stack:
        http = Http()
        stack.push_async_callback(http.close)
        adapter = TelegramAdapter("main", TelegramSettings(token=TOKEN, mode="polling", api_base=fake.url), http)
        place = await stack.enter_async_context(opened(sqlite, more={("telegram", "main"): adapter}))
        ann = await place.agent("Ann")
        update = json.dumps(fake.write(4711, "a person please")).encode()
        await place.service.intake.accept("telegram", "main", adapter.parse(update))
        await place.service.settle()
        (talk,) = [row["id"] for row in await place.rows(tables.conversations)]
        await ann.do("claim", talk)
        shown = []
        for fault in (None, Fault(act="close"), None, Fault(status=429, body=_slow_down()), None):
            place.clock.advance(timedelta(seconds=5))
            if fault:
                fake.fail(fault)
            shown.append((await ann.post(f"conversations/{talk}/typing"))[1]["shown"])
        assert shown == [True, False, True, False, False]
        assert fake.actions == [(4711, "typing")] * 2
        place.clock.advance(timedelta(seconds=60))
        assert (await ann.post(f"conversations/{talk}/typing"))[1]["shown"]


def _slow_down() -> bytes:
    answer = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 30}}
    return json.dumps(answer).encode()
