"""A gateway and two workers on a real PostgreSQL and Redis, and what may happen to them: after each fault everything
that was accepted has one effect, in order, and every answer was sent once or is marked unknown."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from fake_telegram import FakeTelegram
from fleet_parts import (
    IN_FLIGHT,
    Customers,
    Fleet,
    Postgres,
    Proxy,
    RedisServer,
    check,
    fleet,
    postgres,
    redis,
    settled,
    wrong_clock,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHATS = range(5000, 5025)


@dataclass
class House:
    """What runs, and the customers, whose whole history is checked again each time."""

    store: Postgres
    wakes: RedisServer
    to_store: Proxy
    to_wakes: Proxy
    fleet: Fleet
    customers: Customers
    telegram: FakeTelegram
    jump: Path
    """Holds by how many seconds the clocks of worker-1 and the gateway are wrong."""
    lost: int = 0
    """Senders that died, or lost the database, so far: each may leave what it had in flight unknown."""
    rng: random.Random = field(default_factory=lambda: random.Random(4))

    async def during(self, fault: Callable[[], Awaitable[None]], *, each: int = 6, senders_lost: int = 0) -> None:
        """Customers write while the fault happens; afterwards nothing is missing."""
        writing = asyncio.create_task(self.customers.write(each, pause=0.1))
        await asyncio.sleep(0.2 + self.rng.random() / 2)  # at any moment of the way of some message
        await fault()
        try:
            await asyncio.wait_for(writing, 60)
        except TimeoutError:
            raise AssertionError(f"not everything was accepted: {self.customers.refused} refused") from None
        self.lost += senders_lost
        await settled(self.store.url())
        await check(self.store.url(), self.customers, self.telegram, unknown=self.lost * IN_FLIGHT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    place: Path = tmp_path_factory.mktemp("fleet")
    place.chmod(0o755)  # noqa: ASYNC240 - once
    async with FakeTelegram() as telegram, postgres(place) as store, redis(place) as wakes:
        to_store, to_wakes = Proxy(store.port), Proxy(wakes.port)
        await to_store.start()
        await to_wakes.start()
        wakes_url = f"redis://127.0.0.1:{to_wakes.port}/0"
        async with fleet(place, telegram.url, store.url(to_store.port), wakes_url) as made:
            jump = wrong_clock(place)
            made.code |= dict.fromkeys(("gateway", "worker-1"), Path(f"{jump.parent}:{Path(__file__).parents[1]}"))
            await made.start("gateway", "worker-1", "worker-2")  # at once: one of them migrates
            customers = Customers(telegram, [made.ports["gateway"]], random.Random(1), CHATS)
            yield House(store, wakes, to_store, to_wakes, made, customers, telegram, jump)
            await made.stop()
        await to_store.stop()
        await to_wakes.stop()


async def test_a_gateway_and_two_workers_do_what_one_process_did(house: House) -> None:
    """Nothing is lost, doubled or out of order, and nobody complains."""
    await house.customers.write(4)
    await settled(house.store.url())
    await check(house.store.url(), house.customers, house.telegram, unknown=0)
    assert [house.fleet.said(name) for name in ("gateway", "worker-1", "worker-2")] == ["", "", ""]


async def test_a_killed_worker_is_replaced_and_a_killed_gateway_leaves_what_it_accepted(house: House) -> None:
    """Platforms repeat what was not accepted; the other worker takes over what the dead one held."""

    async def fault() -> None:
        await house.fleet.kill("worker-1")
        await asyncio.sleep(house.rng.random() / 5)
        await house.fleet.kill("gateway")
        await house.fleet.start("gateway", "worker-1")

    await house.during(fault, senders_lost=1)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restarted", "crashed"])
async def test_a_postgresql_that_goes_away_is_waited_for(house: House, how: signal.Signals) -> None:
    """Meanwhile platforms are told to come back; everybody reconnects without help."""

    async def fault() -> None:
        await house.store.stop(how)
        await house.store.start()

    await house.during(fault, senders_lost=2)


async def test_connections_cut_in_the_middle_of_a_statement(house: House) -> None:
    """Nobody knows whether a commit that was under way came through: whoever tries again finds out."""

    async def fault() -> None:
        for _ in range(4):
            house.to_store.cut()
            house.to_wakes.cut()
            await asyncio.sleep(0.3 * house.rng.random())

    await house.during(fault, senders_lost=8)


async def test_a_redis_that_is_flushed_and_killed_changes_nothing(house: House) -> None:
    """Not one message is lost, doubled or unknown."""

    async def fault() -> None:
        await house.wakes.say("FLUSHALL")
        await house.wakes.stop()
        await house.wakes.start()

    await house.during(fault)


@pytest.mark.parametrize(
    ("who", "seconds"), [("postgres and redis", 30), ("redis", 2), ("worker-2", 2)], ids=["both", "redis", "worker"]
)
async def test_whoever_is_paused_goes_on_where_it_was(house: House, who: str, seconds: int) -> None:
    """Platforms are told to come back meanwhile, and nobody waits for ever for what does not answer."""

    async def fault() -> None:
        named = {"postgres": house.store.process, "redis": house.wakes.process} | house.fleet.running
        paused = [process for each in who.split(" and ") if (process := named[each]) is not None]
        for process in paused:
            process.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        for process in paused:
            process.send(signal.SIGCONT)

    await house.during(fault)


async def test_a_clock_that_jumps_loses_nothing_and_is_believed_by_nobody_else(house: House) -> None:
    """A day back, and right again, of one worker and of the gateway, while the other worker's stands right."""

    async def fault() -> None:
        for hours in (-24, 0):
            house.jump.write_text(str(3_600 * hours))
            await asyncio.sleep(0.5)

    await house.during(fault, each=8)


async def test_a_rolling_restart_drops_nothing(house: House) -> None:
    """A worker stops gracefully while the others work, and comes back: nothing is unknown that was not before."""

    async def fault() -> None:
        await house.fleet.stop("worker-1")
        await house.fleet.start("worker-1")

    await house.during(fault, each=8)
