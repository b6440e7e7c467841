"""Hints between processes over a real Redis, which may be flushed, paused and killed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path

import pytest
from fleet_parts import RedisServer, redis, until

from storage.stream import Hint, Stream, client


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with redis(tmp_path) as made:
        yield made


class End:
    """One process's end of the stream, with the parts it has."""

    def __init__(self, server: RedisServer, name: str, parts: Collection[int]) -> None:
        self.woken: list[Hint] = []
        self.told: list[str] = []
        self.back = 0
        self.parts = parts
        self.stream = Stream(client(server.url), "t", name, lambda: self.parts, self.woken.extend, self.told.extend)
        self.stream.came_back = self.returned

    def returned(self) -> None:
        self.back += 1

    async def well(self) -> bool:
        return self.stream.well

    async def ill(self) -> bool:
        return not self.stream.well

    async def heard(self) -> bool:
        return bool(self.woken)

    async def knows(self) -> bool:
        return bool(self.told)


@contextlib.asynccontextmanager
async def ends(server: RedisServer) -> AsyncIterator[tuple[End, End]]:
    first, second = End(server, "first", [1]), End(server, "second", [2, 3])
    running = [asyncio.create_task(each.stream.run()) for each in (first, second)]
    for each in (first, second):
        await until(each.well, 5, "the stream is well")
    try:
        yield first, second
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for each in (first, second):
            await each.stream.close()


async def test_a_hint_reaches_whoever_has_the_part_and_news_reach_everybody_else(server: RedisServer) -> None:
    """Each hint once; news are not told to whoever told them."""
    async with ends(server) as (first, second):
        for _ in range(3):
            first.stream.wake(2, ("lane", "chat:a:b:c"))
        first.stream.wake(1, ("lane", "mine"))
        first.stream.tell(["chat:a:b:c"])
        await until(second.heard, 5, "a hint")
        await until(second.knows, 5, "news")
        await until(first.heard, 5, "our own hint")
        assert second.woken == [("lane", "chat:a:b:c")]
        assert second.told == ["chat:a:b:c"]
        assert first.woken == [("lane", "mine")]
        assert first.told == []


async def test_whoever_takes_over_a_part_reads_on_where_the_last_one_stopped(server: RedisServer) -> None:
    """What was sent while nobody had it waits."""
    async with ends(server) as (first, second):
        first.stream.wake(9, ("lane", "left"))
        first.stream.wake(2, ("lane", "now"))
        await until(second.heard, 5, "a hint")
        assert second.woken == [("lane", "now")]
        second.woken.clear()
        second.parts = [2, 3, 9]
        await until(second.heard, 5, "what was left")
        assert second.woken == [("lane", "left")]


async def test_it_ends_even_if_a_cancellation_gets_lost(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it may in a client that takes it for the end of its own patience: a process that is told to stop stops."""
    end = End(server, "only", [1])
    lost: list[bool] = []

    async def send_on(well: Callable[[], None]) -> None:
        well()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not lost:
                lost.append(True)
                raise TimeoutError from None
            raise

    monkeypatch.setattr(end.stream, "_send_on", send_on)
    running = asyncio.create_task(end.stream.run())
    await until(end.well, 5, "the stream is well")
    running.cancel()
    await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), 10)
    assert lost == [True]
    await end.stream.close()


async def test_a_redis_that_was_flushed_is_used_again_and_the_database_is_looked_at(server: RedisServer) -> None:
    """What stood in it is lost, and whoever read it is told to look."""
    async with ends(server) as (first, second):
        before = second.back
        await server.say("FLUSHALL")

        async def looked() -> bool:
            return second.back > before

        await until(looked, 5, "told to look")
        first.stream.wake(2, ("lane", "after"))
        await until(second.heard, 5, "a hint after the flush")


async def test_a_redis_that_is_killed_or_paused_is_noticed_and_taken_up_again(server: RedisServer) -> None:
    """Nobody waits for it, nothing grows meanwhile, and it comes back without help."""
    async with ends(server) as (first, second):
        await server.stop()
        await until(first.ill, 6, "noticed that it is gone")
        for number in range(30_000):
            first.stream.wake(2, ("lane", str(number)))
        assert first.stream.lost > 0
        await server.start()
        await until(first.well, 6, "well again")
        await until(second.well, 6, "well again")
        assert server.process is not None
        server.process.send(signal.SIGSTOP)
        await until(second.ill, 8, "noticed that it is paused")
        server.process.send(signal.SIGCONT)
        await until(second.well, 6, "well again")
        second.woken.clear()
        first.stream.wake(2, ("lane", "again"))
        await until(second.heard, 5, "a hint")


async def test_what_nobody_of_ours_wrote_is_passed_over(server: RedisServer) -> None:
    """Somebody else's entry, or another version's."""
    async with ends(server) as (first, second):
        for fields in (("hints", "no json"), ("hints", "7"), ("other", "x"), ("hints", '[["lane", 5], 7, [[]]]')):
            await server.say("XADD", "earful:t:lanes:2", "*", *fields)
        await server.say("PUBLISH", "earful:t:news", "no json")
        await server.say("PUBLISH", "earful:t:news", "7")
        first.stream.wake(2, ("lane", "good"))
        first.stream.tell(["lane"])
        await until(second.knows, 5, "news")

        async def good() -> bool:
            return ("lane", "good") in second.woken

        await until(good, 5, "the good hint")
