"""The real service, killed again and again while messages come in: nothing is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sqlite3
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fake_telegram import TOKEN, FakeTelegram

SECRET = "a-webhook-secret-of-some-length"
CONVERSATIONS = 50
MESSAGES = 500
ROUNDS = 20
IN_FLIGHT = 64
WORDS = ("你好", "谢谢", "hello", "thanks", "再见", "good morning")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """`earful serve` as a process of its own, which can be killed and started again on the same data."""

    def __init__(self, place: Path, api_base: str) -> None:
        self.port = free_port()
        self.place = place
        self._process: asyncio.subprocess.Process | None = None
        (place / "earful.toml").write_text(
            f'log_level = "error"\n[channels.telegram.main]\ntoken = "{TOKEN}"\nsecret_token = "{SECRET}"\n'
            f'api_base = "{api_base}"\nrate = 10000.0\nrate_per_chat = 1000.0\n'
        )

    async def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EARFUL_")}
        self._process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "earful"),
            "serve",
            "--port",
            str(self.port),
            cwd=self.place,
            env=environment | {"EARFUL_ADMIN_PASSWORD": "of-no-importance-here", "EARFUL_ENCODERS": "false"},
            stdout=asyncio.subprocess.PIPE,
            stderr=(self.place / "errors.txt").open("ab"),
        )
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            if b"/desk" in line:
                return
        raise AssertionError(f"it did not start: {(self.place / 'errors.txt').read_text()[-2000:]}")

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        await asyncio.wait_for(self._process.wait(), 30)


class Customers:
    """Fifty people who write one message after another, each repeated until it is accepted, as Telegram does."""

    def __init__(self, telegram: FakeTelegram, port: int, rng: random.Random) -> None:
        self._url = f"http://127.0.0.1:{port}/hooks/telegram/main"
        self._rng = rng
        self.accepted: dict[int, list[str]] = defaultdict(list)
        self.posted = 0
        self.progress = asyncio.Event()
        self.telegram = telegram
        self._back = asyncio.Event()

    async def write(self, http: aiohttp.ClientSession, chat: int) -> None:
        for _ in range(MESSAGES // CONVERSATIONS):
            text = self._rng.choice(WORDS)
            update = self.telegram.write(chat, text)
            while not await self._post(http, update):
                await asyncio.wait_for(self._back.wait(), 60)
            self.accepted[chat].append(text)

    async def _post(self, http: aiohttp.ClientSession, update: dict[str, object]) -> bool:
        self.posted += 1
        self.progress.set()
        try:
            async with http.post(self._url, json=update, headers={"X-Telegram-Bot-Api-Secret-Token": SECRET}) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            self._back.clear()
            return False

    def back(self) -> None:
        self._back.set()


@pytest.mark.parametrize("seed", [1])
async def test_killed_at_random_moments_nothing_is_lost_doubled_or_out_of_order(tmp_path: Path, seed: int) -> None:
    """500 messages of 50 conversations, 20 times SIGKILL: each has one effect, in order, and each answer was sent once
    or stands as unknown, and unknown are no more than were in flight."""
    rng = random.Random(seed)
    async with FakeTelegram() as telegram, aiohttp.ClientSession() as http:
        chats = range(5000, 5000 + CONVERSATIONS)
        telegram.chats |= set(chats)
        service = Service(tmp_path, telegram.url)
        await service.start()
        customers = Customers(telegram, service.port, rng)
        customers.back()
        writing = [asyncio.create_task(customers.write(http, chat)) for chat in chats]
        everybody = asyncio.gather(*writing)
        kills = 0
        for round_ in range(ROUNDS):
            # Killed after a random number of posts more, so at any moment of the way of some message.
            until = min(customers.posted + rng.randint(1, 2 * MESSAGES // ROUNDS), MESSAGES - ROUNDS + round_)
            while customers.posted < until and not everybody.done():
                customers.progress.clear()
                progress = asyncio.create_task(customers.progress.wait())
                waited: list[asyncio.Future[Any]] = [everybody, progress]
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                progress.cancel()
            await service.kill()
            kills += 1
            await service.start()
            customers.back()
        await asyncio.wait_for(everybody, 120)
        await _settled(tmp_path / "data" / "earful.db")
        await service.stop()
        assert kills == ROUNDS
        _check(tmp_path / "data" / "earful.db", customers, telegram, kills)


async def _settled(path: Path) -> None:
    """Until nothing waits any more: the sweep takes up what was left behind."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 90
    while loop.time() < deadline:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            waiting = database.execute("select count(*) from inbox where state = 'new'").fetchone()[0]
            waiting += database.execute("select count(*) from outbox where state in ('queued', 'sending')").fetchone()[
                0
            ]
        if not waiting:
            return
        await asyncio.sleep(0.25)  # another process works; there is nothing to be told by
    raise AssertionError("it never came to rest")


def _check(path: Path, customers: Customers, telegram: FakeTelegram, kills: int) -> None:
    with sqlite3.connect(path) as database:
        inbox = database.execute("select lane, state, count(*) from inbox group by lane, state").fetchall()
        assert {state for _, state, _ in inbox} == {"done"}
        assert sum(count for _, _, count in inbox) == MESSAGES
        unknown = database.execute("select count(*) from outbox where state = 'unknown'").fetchone()[0]
        assert unknown <= kills * IN_FLIGHT
        failed = database.execute("select count(*) from outbox where state in ('failed', 'dropped')").fetchone()[0]
        assert failed == 0
        for chat, texts in customers.accepted.items():
            said = database.execute(
                "select m.text from messages m join conversations c on c.id = m.conversation_id "
                "where c.thread = ? and m.author = 'customer' order by m.id",
                (str(chat),),
            ).fetchall()
            assert [text for (text,) in said] == texts
            rows = database.execute(
                "select text, state from outbox where address = ? order by id", (str(chat),)
            ).fetchall()
            arrived = [message.text for message in telegram.sent if message.chat == chat]
            _once_and_in_order(rows, arrived)
    assert sum(len(texts) for texts in customers.accepted.values()) == MESSAGES


def _once_and_in_order(rows: list[tuple[str, str]], arrived: list[str]) -> None:
    """What arrived is what was sent, in order, each once; of the unknown some arrived and some did not."""
    reachable = {0}  # how much of `arrived` the rows so far can account for
    for text, state in rows:
        here = {place + 1 for place in reachable if place < len(arrived) and arrived[place] == text}
        reachable = here | reachable if state == "unknown" else here
    assert len(arrived) in reachable, (rows, arrived)
