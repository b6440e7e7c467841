"""The talk that is measured: greet, complain, give the order number, rate; over Telegram-shaped webhooks."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from dataclasses import dataclass, field

from bench.wire import Connection, Platform, post

SECRET = "a-webhook-secret-of-some-length"
PATH = "/hooks/telegram/main"
GREETINGS = ("你好", "您好", "在吗", "hello", "hi there", "good morning")
COMPLAINTS = (
    "快递三天没到,客服也不理我",
    "收到的东西是坏的",
    "等了一个星期还没发货",
    "客服态度太差了",
    "My order arrived broken and nobody answers",
    "the delivery is three days late",
)
REPLIES = (1, 2, 1, 1)
RATINGS = ("给你们打9分", "四星", "two stars", "3分吧", "I give you 8/10", "五星好评")


def conversation(number: int, rng: random.Random) -> list[str]:
    """Four messages. Some order numbers and words were never seen before."""
    order = f"{20260000000 + number * 7919 % 99999999}"
    named = rng.choice((f"订单号 {order}", f"order number {order}", order))
    return [rng.choice(GREETINGS), rng.choice(COMPLAINTS), named, rng.choice(RATINGS)]


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
    """Counts the replies to one message: a complaint has two, its number and the question for the order."""

    def __init__(self) -> None:
        self.all_there = asyncio.Event()
        self._missing = 0

    def expect(self, count: int) -> None:
        self.all_there.clear()
        self._missing = count

    def one(self) -> None:
        self._missing -= 1
        if self._missing <= 0:
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
        chat = int(json.loads(body)["chat_id"])
        replies = self._waiting.get(chat)
        if replies:
            replies.one()
        number = next(self._ids)
        return (
            b'{"ok":true,"result":{"message_id":%d,"date":1770000000,"chat":{"id":%d,"type":"private"},"text":"."}}'
            % (number, chat)
        )

    async def drive(self, port: int, senders: int, seconds: float, seed: int = 7) -> Figures:
        """As many senders at once hold one conversation after another, each waiting for its reply, for so long."""
        figures = Figures()
        rng = random.Random(seed)
        deadline = time.perf_counter() + seconds
        begun = time.perf_counter()
        await asyncio.gather(*(self._sender(port, figures, rng, deadline) for _ in range(senders)))
        figures.seconds = time.perf_counter() - begun
        return figures

    async def _sender(self, port: int, figures: Figures, rng: random.Random, deadline: float) -> None:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
        while time.perf_counter() < deadline:
            chat = next(self._chats)
            replies = self._waiting[chat] = _Replies()
            for text, expected in zip(conversation(chat, rng), REPLIES, strict=True):
                replies.expect(expected)
                before = time.perf_counter()
                status, _ = await connection.ask(self._webhook(chat, text))
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
            del self._waiting[chat]
        assert connection.transport is not None
        connection.transport.close()

    def _webhook(self, chat: int, text: str) -> bytes:
        person = {"id": chat, "is_bot": False, "first_name": f"P{chat}", "language_code": "zh-hans"}
        update = {
            "update_id": next(self._ids),
            "message": {
                "message_id": next(self._ids),
                "from": person,
                "chat": {"id": chat, "first_name": f"P{chat}", "type": "private"},
                "date": 1770000000,
                "text": text,
            },
        }
        body = json.dumps(update, ensure_ascii=False).encode()
        return post(PATH, body, {"X-Telegram-Bot-Api-Secret-Token": SECRET})
