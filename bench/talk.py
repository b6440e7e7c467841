"""Customers who talk over Telegram-shaped webhooks, each waiting for all replies to a message before the next."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

from bench.talks import Talk, plain
from bench.wire import Connection, Platform, post

SECRET = "a-webhook-secret-of-some-length"
PATH = "/hooks/telegram/main"


@dataclass
class Figures:
    """Seconds, one each message."""

    accepted: list[float] = field(default_factory=list)
    replied: list[float] = field(default_factory=list)
    wrong: int = 0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return len(self.replied) / self.seconds


class _Replies:
    """Counts the replies to one message, and keeps the buttons that were last offered."""

    def __init__(self) -> None:
        self.all_there = asyncio.Event()
        self.missing = 0
        self.bearer = 0
        self.buttons: list[str] = []

    def expect(self, count: int) -> None:
        self.all_there.clear()
        self.missing = count

    def one(self, number: int, buttons: list[str]) -> None:
        if buttons:
            self.bearer, self.buttons = number, buttons
        self.missing -= 1
        if self.missing <= 0:
            self.all_there.set()


class Load:
    """The stub platform and the senders, in one process. Call `platform` first, then `drive`."""

    def __init__(self) -> None:
        self._waiting: dict[int, _Replies] = {}
        self._ids = itertools.count(1)
        self._chats = itertools.count(1000)
        self.calls = 0

    async def platform(self) -> int:
        """Listen; the port."""
        server = await asyncio.get_running_loop().create_server(lambda: Platform(self._heard), "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    def _heard(self, head: bytes, body: bytes) -> bytes:
        self.calls += 1
        if b"/sendMessage " not in head:
            return b'{"ok":true,"result":true}'
        said = json.loads(body)
        chat, number = int(said["chat_id"]), next(self._ids)
        replies = self._waiting.get(chat)
        if replies:
            rows = said.get("reply_markup", {}).get("inline_keyboard", ())
            replies.one(number, [button["callback_data"] for row in rows for button in row])
        return (
            b'{"ok":true,"result":{"message_id":%d,"date":1770000000,"chat":{"id":%d,"type":"private"},"text":"."}}'
            % (number, chat)
        )

    async def drive(
        self, port: int, senders: int, seconds: float, seed: int = 7, talk: Talk = plain, rate: float = 0.0
    ) -> Figures:
        """As many senders at once hold one conversation after another, each waiting for its reply, for so long. With a
        `rate` they say no more than so many messages a second together."""
        every = senders / rate if rate else 0.0
        figures = Figures()
        rng = random.Random(seed)
        deadline = time.perf_counter() + seconds
        begun = time.perf_counter()
        await asyncio.gather(*(self._sender(port, figures, rng, deadline, talk, every) for _ in range(senders)))
        figures.seconds = time.perf_counter() - begun
        return figures

    async def _sender(
        self, port: int, figures: Figures, rng: random.Random, deadline: float, talk: Talk, every: float
    ) -> None:
        due = time.perf_counter() + rng.random() * every
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
        while time.perf_counter() < deadline:
            chat = next(self._chats)
            replies = self._waiting[chat] = _Replies()
            for step in talk(chat, rng):
                update = self._said(chat, step.words) if step.tapped is None else self._tap(chat, step.tapped, replies)
                if every:
                    await asyncio.sleep(max(0.0, due - time.perf_counter()))
                    due = max(due + every, time.perf_counter())
                replies.expect(step.replies)
                before = time.perf_counter()
                status, _ = await connection.ask(_webhook(update))
                figures.accepted.append(time.perf_counter() - before)
                if status != 200:
                    figures.wrong += 1
                    continue
                try:
                    await asyncio.wait_for(replies.all_there.wait(), 20)
                except TimeoutError:
                    figures.wrong += 1
                    continue
                figures.replied.append(time.perf_counter() - before)
                figures.wrong += replies.missing < 0
            del self._waiting[chat]
        assert connection.transport is not None
        connection.transport.close()

    def _said(self, chat: int, words: str) -> dict[str, Any]:
        return {"update_id": next(self._ids), "message": {**self._message(chat), "from": _person(chat), "text": words}}

    def _tap(self, chat: int, place: int, replies: _Replies) -> dict[str, Any]:
        number = next(self._ids)
        query = {"id": f"q{number}", "from": _person(chat), "data": replies.buttons[place]}
        bearer = {**self._message(chat), "message_id": replies.bearer}
        return {"update_id": number, "callback_query": {**query, "message": bearer}}

    def _message(self, chat: int) -> dict[str, Any]:
        place = {"id": chat, "first_name": f"P{chat}", "type": "private"}
        return {"message_id": next(self._ids), "chat": place, "date": 1770000000}


def _person(chat: int) -> dict[str, Any]:
    return {"id": chat, "is_bot": False, "first_name": f"P{chat}", "language_code": "zh-hans"}


def _webhook(update: dict[str, Any]) -> bytes:
    body = json.dumps(update, ensure_ascii=False).encode()
    return post(PATH, body, {"X-Telegram-Bot-Api-Secret-Token": SECRET})
