"""`make soak`: a gateway and two workers under load for a quarter of an hour, with one fault after another. After each
everything is checked as in tests/test_fleet.py; memory and open files of what never restarted must stay flat."""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from fake_telegram import FakeTelegram
from fleet_parts import (
    IN_FLIGHT,
    Customers,
    Fleet,
    Postgres,
    Process,
    Proxy,
    RedisServer,
    check,
    fleet,
    postgres,
    redis,
    settled,
)

CHATS = range(5000, 5100)
PAUSED = 30.0
LASTING = ("gateway", "worker-2")
GROWTH = 1.15
"""A process may be so much larger at the end than after the first quarter."""


@dataclass
class Soak:
    store: Postgres
    wakes: RedisServer
    to_store: Proxy
    to_wakes: Proxy
    house: Fleet

    async def nothing(self) -> int:
        await asyncio.sleep(10)
        return 0

    async def killed(self) -> int:
        await self.house.kill("worker-1")
        await self.house.start("worker-1")
        return 1

    async def restarted(self) -> int:
        await self.store.stop(random.choice([signal.SIGINT, signal.SIGQUIT]))
        await self.store.start()
        return 2

    async def flushed(self) -> int:
        await self.wakes.say("FLUSHALL")
        await self.wakes.stop()
        await self.wakes.start()
        return 0

    async def cut(self) -> int:
        for _ in range(10):
            self.to_store.cut()
            self.to_wakes.cut()
            await asyncio.sleep(random.random())
        return 20

    async def paused(self) -> int:
        store, wakes, worker = self.store.process, self.wakes.process, self.house.running["worker-1"]
        choices: list[list[Process | None]] = [[store, wakes], [store], [wakes], [worker]]
        who = random.choice(choices)
        for each in who:
            assert each is not None
            each.send(signal.SIGSTOP)
        await asyncio.sleep(PAUSED)
        for each in who:
            assert each is not None
            each.send(signal.SIGCONT)
        return 2  # what was under way for longer than a lease is unknown

    @property
    def faults(self) -> list[Callable[[], Awaitable[int]]]:
        return [self.nothing, self.killed, self.restarted, self.flushed, self.cut, self.paused]


def size(house: Fleet, name: str) -> tuple[float, int]:
    """MiB of memory, and open files."""
    place = Path(f"/proc/{house.running[name].process.pid}")
    resident = next(line for line in (place / "status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(resident.split()[1]) / 1024, len(list((place / "fd").iterdir()))


async def soak(minutes: float, seed: int) -> None:
    random.seed(seed)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        await asyncio.to_thread(place.chmod, 0o755)
        async with FakeTelegram() as telegram, postgres(place) as store, redis(place) as wakes:
            to_store, to_wakes = Proxy(store.port), Proxy(wakes.port)
            await to_store.start()
            await to_wakes.start()
            url = f"redis://127.0.0.1:{to_wakes.port}/0"
            async with fleet(place, telegram.url, store.url(to_store.port), url) as house:
                await house.start("gateway", "worker-1", "worker-2")
                customers = Customers(telegram, [house.ports["gateway"]], random.Random(seed), CHATS)
                soaked = Soak(store, wakes, to_store, to_wakes, house)
                await _rounds(soaked, customers, telegram, minutes)
                await house.stop()
            await to_store.stop()
            await to_wakes.stop()


async def _rounds(soaked: Soak, customers: Customers, telegram: FakeTelegram, minutes: float) -> None:
    began, lost = time.monotonic(), 0
    early: dict[str, tuple[float, int]] = {}
    while (spent := time.monotonic() - began) < minutes * 60:
        fault = random.choice(soaked.faults)
        writing = asyncio.create_task(customers.write(20, pause=0.3))
        await asyncio.sleep(random.random() * 3)
        lost += await fault()
        await asyncio.wait_for(writing, 300)
        await settled(soaked.store.url(), 180)
        await check(soaked.store.url(), customers, telegram, unknown=lost * IN_FLIGHT)
        sizes = {name: size(soaked.house, name) for name in LASTING}
        if not early and spent > minutes * 15:
            early = sizes
        told = ", ".join(f"{name} {mib:.0f} MiB {files} files" for name, (mib, files) in sizes.items())
        print(f"{spent:5.0f} s  {fault.__name__:10} {customers.said} messages, {told}", flush=True)
        if early:
            for name, (mib, files) in sizes.items():
                assert mib < early[name][0] * GROWTH + 20, f"{name} grew from {early[name][0]:.0f} to {mib:.0f} MiB"
                assert files < early[name][1] + 50, f"{name} has {files} files open, {early[name][1]} before"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    print(f"Seed {given.seed}.")
    asyncio.run(soak(given.minutes, given.seed))
    print("Nothing was lost, doubled or out of order; memory and files stayed flat.")


if __name__ == "__main__":
    main()
