"""Rates that several senders keep together over a real Redis, and each by itself while there is none."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from fleet_parts import RedisServer, redis
from loop_parts import START

from bot.loop.rates import Gate, Rates
from channels.base import Capabilities
from storage.buckets import Buckets, Want
from storage.stream import client

SLOW = Capabilities(text_limit=1000, rate_per_account=10.0, rate_per_address=1.0)
HERE, THERE = ("telegram", "main", "1"), ("telegram", "main", "2")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with redis(tmp_path) as made:
        yield made


@pytest.fixture
async def senders(server: RedisServer) -> AsyncIterator[list[Buckets]]:
    clients = [client(server.url) for _ in range(3)]
    yield [Buckets(each, "t") for each in clients]
    for each in clients:
        await each.aclose()


async def test_many_senders_together_keep_to_the_rate_of_the_account(senders: list[Buckets]) -> None:
    """A second's worth and the one under way at once, whoever asks; then each waits its turn."""
    wants = [Want(("telegram", "main", str(number)), 0, 10.0) for number in range(30)]
    asked = [senders[number % 3].take([want]) for number, want in enumerate(wants)]
    waits = [each[0] for each in await asyncio.gather(*asked) if each is not None]
    assert len(waits) == 30
    assert 11 <= waits.count(0) <= 12
    assert all(0 < wait <= 0.11 for wait in waits if wait)


async def test_one_chat_is_written_to_by_one_at_a_time_and_what_is_not_used_is_given_back(
    senders: list[Buckets],
) -> None:
    """Another chat does not wait for it."""
    want = Want(HERE, 1.0, 10.0)
    assert await senders[0].take([want]) == [0]
    (wait,) = await senders[1].take([want]) or [0.0]
    assert 0.5 < wait <= 1
    assert await senders[1].take([Want(THERE, 1.0, 10.0)]) == [0]
    assert await senders[0].take([Want(HERE, 1.0, 10.0, back=True), want]) == [0, 0]


async def test_what_the_platform_tells_one_sender_to_hold_all_hold(senders: list[Buckets]) -> None:
    """An account, or one chat of it."""
    await senders[0].hold(("telegram", "main"), 5)
    (wait,) = await senders[1].take([Want(HERE, 1.0, 10.0)]) or [0.0]
    assert 4 < wait <= 5
    await senders[0].hold(("telegram", "other", "1"), 3)
    waits = await senders[1].take([Want(("telegram", "other", "1"), 0, 0), Want(("telegram", "other", "2"), 0, 0)])
    assert waits is not None
    assert waits[0] > 2
    assert waits[1] == 0


async def test_without_an_answer_each_sender_keeps_to_its_share(server: RedisServer, senders: list[Buckets]) -> None:
    """A paused Redis holds nobody up; when it is back, it counts again."""
    rates = Rates()
    gate = Gate(rates, senders[0], lambda: 5)
    assert server.process is not None
    server.process.send(signal.SIGSTOP)
    granted = await gate.ask([(HERE, SLOW)])
    assert granted.waits is None
    sent = 0
    for number in range(20):
        place = ("telegram", "main", str(number))
        if granted.ready_at(place, SLOW, START) <= START:
            rates.spend(place, SLOW, START, granted.share)
            sent += 1
    assert sent == 3  # a second's worth of 10 / 5, and the one under way
    server.process.send(signal.SIGCONT)
    await server.say("PING")
    granted = await gate.ask([(HERE, SLOW)])
    assert granted.waits == {HERE: 0}
    gate.unused(HERE, SLOW, granted)
    assert (await gate.ask([(HERE, SLOW)])).waits == {HERE: 0}
    assert (await gate.ask([(HERE, SLOW)])).waits != {HERE: 0}


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    """A day ahead by mistake, then right again: nobody waits a day, and what was to be held is held no longer."""
    rates, tomorrow = Rates(), START + timedelta(days=1)
    for _ in range(5):
        rates.spend(HERE, SLOW, tomorrow)
    rates.hold(("telegram", "main"), tomorrow, tomorrow + timedelta(seconds=30))
    assert rates.ready_at(HERE, SLOW, START) == START + timedelta(seconds=30)
    assert rates.ready_at(HERE, SLOW, START + timedelta(seconds=30)) <= START + timedelta(seconds=30)
