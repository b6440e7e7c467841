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
    "收到的东西是坏的,太气人",
    "等了一个星期还没发货",
    "客服态度太差了",
    "My order arrived broken and nobody answers",
    "the delivery is three days late and I am angry",
)
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


class Load:
    """The stub platform and the senders, in one process. Call `platform` first, then `drive`."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Event] = {}
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
        event = self._waiting.get(chat)
        if event:
            event.set()
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
            replied = self._waiting[chat] = asyncio.Event()
            for text in conversation(chat, rng):
                replied.clear()
                before = time.perf_counter()
                status, _ = await connection.ask(self._webhook(chat, text))
                figures.accepted.append(time.perf_counter() - before)
                if status != 200:
                    figures.wrong += 1
                    continue
                try:
                    await asyncio.wait_for(replied.wait(), 20)
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
