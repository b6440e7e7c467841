"""Too much at once: it is refused early rather than kept in memory, and whoever brings much waits behind their own."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from fleet_parts import until
from hypothesis import given
from hypothesis import strategies as st
from loop_parts import START, Memory, Rig
from sqlalchemy import Connection, func, select

from bot.clock import ManualClock
from bot.loop import intake as limits
from bot.loop.delivery import IN_FLIGHT, Delivery
from bot.loop.intake import GROUP, LANE_LIMIT, Intake, Overloaded
from bot.loop.lanes import Lanes
from bot.loop.rotation import Rotation
from channels.base import Outgoing, Sent, Text
from storage import tables
from storage.database import Database, Work


class Slow(Database):
    """A database whose commits wait until they are let through."""

    def __init__(self, inner: Database) -> None:
        self.inner = inner
        self.url = inner.url
        self.gate = asyncio.Event()
        self.waiting = asyncio.Event()

    async def write(self, work: Work[Any]) -> Any:
        self.waiting.set()
        await self.gate.wait()
        return await self.inner.write(work)

    async def read(self, work: Work[Any]) -> Any:
        return await self.inner.read(work)

    async def close(self) -> None:
        await self.inner.close()


def say(number: int, thread: str) -> list[Text]:
    return [Text(dedupe_key=f"{thread}:{number}", thread=thread, text="hi")]


async def rows(database: Database) -> int:
    def work(connection: Connection) -> int:
        return int(connection.execute(select(func.count()).select_from(tables.inbox)).scalar_one())

    return await database.read(work)


async def test_a_flood_in_one_account_never_closes_the_others(sqlite: Database) -> None:
    """It gets three quarters of the room; another account still gets in, and its events are in the next commit."""
    slow = Slow(sqlite)
    woken: list[str] = []
    intake = Intake(slow, ManualClock(START), woken.extend, limit=400)
    flood = [asyncio.create_task(intake.accept("a", "noisy", say(n, f"t{n}"))) for n in range(500)]
    await slow.waiting.wait()
    await asyncio.sleep(0)
    refused = [task for task in flood if task.done() and isinstance(task.exception(), Overloaded)]
    assert 190 <= len(refused) <= 210
    quiet = asyncio.create_task(intake.accept("a", "quiet", say(1, "q")))
    await asyncio.sleep(0)
    slow.gate.set()
    await quiet
    await asyncio.gather(*flood, return_exceptions=True)
    assert len(refused) + await rows(sqlite) == 501
    place = woken.index("chat:a:quiet:q")
    assert place <= GROUP + GROUP // 2 + 1  # not behind all of the flood


async def test_one_conversation_has_only_so_many_events_waiting(sqlite: Database) -> None:
    """Others of the same account get in."""
    slow = Slow(sqlite)
    intake = Intake(slow, ManualClock(START), lambda _: None)
    noisy = [asyncio.create_task(intake.accept("a", "b", say(n, "noisy"))) for n in range(LANE_LIMIT + 10)]
    other = asyncio.create_task(intake.accept("a", "b", say(1, "other")))
    await slow.waiting.wait()
    slow.gate.set()
    await other
    results = await asyncio.gather(*noisy, return_exceptions=True)
    assert sum(isinstance(result, Overloaded) for result in results) == 10


async def test_a_database_that_is_behind_refuses_at_once_and_lets_nobody_hang(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who came first is told to come back before a platform would hang up; what was kept has one effect."""
    monkeypatch.setattr(limits, "BEHIND", 0.05)
    monkeypatch.setattr(limits, "ANSWERS_WITHIN", 0.15)
    slow = Slow(sqlite)
    intake = Intake(slow, ManualClock(START), lambda _: None)
    first = asyncio.create_task(intake.accept("a", "b", say(1, "t")))
    await slow.waiting.wait()
    await asyncio.sleep(0.06)  # the commit takes its time by the event loop's own clock
    began = time.perf_counter()
    with pytest.raises(Overloaded):
        await intake.accept("a", "b", say(2, "t"))
    assert time.perf_counter() - began < 0.05
    with pytest.raises(Overloaded):
        await first
    slow.gate.set()

    async def kept() -> bool:
        return await rows(sqlite) == 1

    await until(kept, 5, "what was under way is kept")
    await intake.accept("a", "b", say(1, "t"))
    await intake.accept("a", "b", say(2, "t"))
    assert await rows(sqlite) == 2


def test_lanes_of_a_quiet_account_do_not_wait_behind_a_noisy_one() -> None:
    """They are in the next batch."""
    lanes = Lanes()
    lanes.wake(f"chat:web:noisy:{number}" for number in range(5_000))
    lanes.wake(["chat:sms:quiet:1", "case:7"])
    assert {"chat:sms:quiet:1", "case:7"} <= set(lanes.take(64))


class Hangs(Memory):
    """A platform that does not answer until it is told to."""

    def __init__(self, account: str, let: asyncio.Event) -> None:
        super().__init__()
        self.account = account
        self.let = let
        self.under_way = 0

    async def send(self, outgoing: Outgoing) -> Sent:
        self.under_way += 1
        await self.let.wait()
        return await super().send(outgoing)


async def test_platforms_that_hang_leave_room_for_the_others(database: Database) -> None:
    """However much waits for them, and however many they are."""
    rig = Rig(database)
    let = asyncio.Event()
    adapters = {"h1": Hangs("h1", let), "h2": Hangs("h2", let), "a": rig.adapter}
    rig.delivery = Delivery(database, rig.clock, lambda _, account: adapters.get(account))
    rig.turns._hint = rig.delivery.hint
    for account in ("h1", "h2"):
        for number in range(80):
            await rig.intake.accept("memory", account, [Text(dedupe_key=f"{number}", thread=f"{number}", text="hi")])
    await rig.turns.settle()
    for _ in range(3):
        await rig.delivery.step()
        await asyncio.sleep(0)
    busy = adapters["h1"].under_way + adapters["h2"].under_way  # type: ignore[attr-defined]
    assert 40 <= busy < IN_FLIGHT
    await rig.hear("hello")
    await rig.turns.settle()
    async with asyncio.timeout(5):
        while not rig.adapter.sent:
            await rig.delivery.step()
            await asyncio.sleep(0)
    let.set()
    await rig.delivery.settle()
    assert len(adapters["h1"].sent) == len(adapters["h2"].sent) == 80
    assert len({outgoing.key for adapter in adapters.values() for outgoing in adapter.sent}) == 161


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), max_size=80),
    st.lists(st.integers(1, 12), max_size=20),
)
def test_a_rotation_loses_nothing_and_keeps_the_order_of_each_group(
    items: list[tuple[str, int]], takes: list[int]
) -> None:
    """No group gets more than one item above its share of a take while others wait."""
    queue: Rotation[str, tuple[str, int]] = Rotation()
    for item in items:
        queue.add(item[0], item)
    expected = {key: list(dict.fromkeys(item for item in items if item[0] == key)) for key in "abc"}
    taken: list[tuple[str, int]] = []
    for limit in takes:
        before = Counter(key for key, _ in queue)
        got = queue.take(limit)
        counted = Counter(key for key, _ in got)
        waiting = [key for key, count in before.items() if count > counted[key]]
        for key in waiting:  # whoever still has some got as much as anybody, but for one
            assert all(counted[key] >= counted[other] - max(1, limit // 3 + 1) for other in "abc")
        taken += got
    taken += queue.take(1_000)
    assert not queue
    assert {key: [item for item in taken if item[0] == key] for key in "abc"} == expected


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=40), st.integers(0, 5))
def test_a_rotation_takes_no_more_of_a_group_than_it_may(items: list[tuple[str, int]], most: int) -> None:
    """What may not go stays, and hides nobody."""
    queue: Rotation[str, tuple[str, int]] = Rotation()
    for item in items:
        queue.add(item[0], item)
    count = len(queue)
    allowed: Callable[[str], int] = lambda key: most if key == "a" else 100  # noqa: E731
    got = queue.take(100, allowed)
    assert sum(key == "a" for key, _ in got) == min(most, len({item for item in items if item[0] == "a"}))
    assert sum(key == "b" for key, _ in got) == len({item for item in items if item[0] == "b"})
    assert len(queue) == count - len(got)
