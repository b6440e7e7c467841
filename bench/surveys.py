"""`python -m bench.surveys`: episodes imported, planned, asked and answered by simulated customers, on SQLite.

The table is read as `earful import` reads it; the questions go out through turns, outbox and delivery to a channel in
memory; three customers of five tap a button. Memory is looked at while surveys are open: it must not grow with them.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gc
import random
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from bot.api.episode_import import take
from bot.api.episode_rows import rows_of
from bot.app import opened
from bot.clock import ManualClock
from bot.logging import configure
from bot.service import Service
from bot.settings import Settings
from channels.base import AccountSettings, Adapter, AnyEvent, Capabilities, Outgoing, Request, Sent, Tap
from storage.tables import ratings

MORNING = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)
ANSWERING = 0.6
TAPS_AT_ONCE = 256
VALUES = 5


class Customers(Adapter[AccountSettings]):
    """A channel at whose end customers sit. Of the question each was sent they keep the message's number, in an array
    that is there from the beginning: what grows is the service."""

    channel = "bench"
    account = "main"
    Settings = AccountSettings
    capabilities = Capabilities(text_limit=4000, buttons=20, starts_conversations=True)

    def __init__(self, many: int) -> None:
        self.asked = array("q", bytes(8 * many))
        self.sent = 0

    def verify(self, request: Request) -> None:
        return None

    def parse(self, body: bytes) -> list[AnyEvent]:
        return []

    async def send(self, outgoing: Outgoing) -> Sent:
        self.sent += 1
        if outgoing.buttons:
            self.asked[int(outgoing.address[1:])] = int(outgoing.buttons[0].data[1:].partition(".")[0])
        return Sent(str(self.sent))


def table(path: Path, episodes: int) -> None:
    """A table of so many services, each of another customer; one row of a thousand is wrong."""
    with path.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        written.writerow(
            ("external_id", "touchpoint", "ended_at", "agent", "customer_id", "segment", "channel", "address")
        )
        for number in range(episodes):
            ended = "soon" if number % 1000 == 999 else "2026-03-05 09:30"
            segment = ("high_value", "medium", "potential")[number % 3]
            row = (f"e{number}", "store", ended, f"a{number % 50}", f"c{number}", segment, "bench", f"p{number}")
            written.writerow(row)


def resident() -> float:
    """MiB of this process."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    before, worked = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - before, time.process_time() - worked
    print(
        f"{what:<28} {count:>8}  {seconds:>7.1f} s  {count / seconds:>7.0f}/s  {1e6 * cpu / count:>6.0f} µs CPU each",
        flush=True,
    )


class Pace:
    """Tells, each time that `every` more are done, the memory and what each of them cost: neither may grow."""

    def __init__(self, what: str, every: int) -> None:
        self.count = 0
        self._what = what
        self._every = every
        self._told = 0
        self._worked = time.process_time()

    def add(self, some: int) -> None:
        self.count += some
        new = self.count - self._told
        if new < self._every:
            return
        each = 1e6 * (time.process_time() - self._worked) / new
        print(f"  {self.count:>7} {self._what}, {resident():.0f} MiB, {each:.0f} µs CPU each", flush=True)
        self._told, self._worked = self.count, time.process_time()


async def ask(service: Service, pace: Pace, customers: Customers) -> None:
    """All that is due goes out."""
    while True:
        fired = await service.timers.fire()
        worked = await service.turns.settle()
        await service.delivery.settle()
        pace.add(customers.sent - pace.count)
        if not fired and not worked:
            return


async def answer(service: Service, pace: Pace, customers: Customers, chance: random.Random) -> int:
    """Three of five tap the rating once, any value."""
    taps: list[AnyEvent] = []
    for number, message in enumerate(customers.asked):
        if message and chance.random() < ANSWERING:
            data = f"m{message}.{chance.randrange(VALUES)}"
            taps.append(Tap(dedupe_key=f"t{number}", thread=f"p{number}", data=data))
        if len(taps) == TAPS_AT_ONCE or (taps and number == len(customers.asked) - 1):
            await service.intake.accept("bench", "main", taps)
            while await service.turns.settle() or service.lanes.waiting:
                pass
            await service.delivery.settle()
            pace.add(len(taps))
            taps = []
    return pace.count


async def measure(episodes: int, url: str | None) -> None:
    configure("error", "console")
    customers = Customers(episodes)
    given: dict[str, Any] = {"database_url": url} if url else {}
    with tempfile.TemporaryDirectory(prefix="earful-bench-") as place:
        settings = Settings(data_dir=Path(place), encoders=False, **given)
        path = Path(place) / "services.csv"
        table(path, episodes)
        clock = ManualClock(MORNING)
        async with opened(
            settings, clock=clock, adapters=lambda _: {("bench", "main"): customers}, patience=None
        ) as service:
            print(f"{episodes} episodes on {service.database.url.partition(':')[0]}, {resident():.0f} MiB at the start")
            fifth = max(1, episodes // 5)
            with timed("imported and planned", episodes):
                report = await take(service, rows_of(path), Pace("imported", fifth).add)
            assert (report.new, len(report.refused)) == (episodes - episodes // 1000, episodes // 1000)
            print(f"  {report.decided['planned']:>7} planned, {resident():.0f} MiB")
            with timed("asked", report.new):
                await ask(service, Pace("open", fifth), customers)
            assert customers.sent == report.new, (customers.sent, report.new)
            clock.move_to(MORNING.replace(hour=3))
            with timed("answered (about)", max(1, round(report.new * ANSWERING))):
                expected = await answer(service, Pace("answered", fifth), customers, random.Random(7))
            count = select(func.count()).select_from(ratings)
            kept = await service.database.read(lambda connection: connection.execute(count).scalar_one())
            assert kept == expected, (kept, expected)
            print(f"  {kept:>7} ratings, one for each who answered; {resident():.0f} MiB at the end")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.surveys")
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--database-url", help="default: SQLite in a directory of its own")
    given = parser.parse_args()
    asyncio.run(measure(given.episodes, given.database_url))


if __name__ == "__main__":
    main()
