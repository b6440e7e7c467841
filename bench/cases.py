"""`python -m bench.cases`: what a tick of the deadlines costs, by the clock and of CPU (medians), with 1,000, 10,000
and 100,000 open cases, each with three deadlines, of which the same few are due."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, insert

from bot import content as contents
from bot.cases.clocks import House
from bot.cases.tick import Ticking
from bot.clock import ManualClock
from bot.settings import ASSISTANT
from storage import tables
from storage.database import Database, open_database
from storage.schema import upgrade

START = datetime(2026, 3, 2, 2, tzinfo=UTC)
SIZES = (1_000, 10_000, 100_000)
DUE = 100
"""Deadlines that come to something in each of the TICKS."""
TICKS = 10
IDLE = 200


def main() -> None:
    print("| open cases | deadlines | idle tick ms, of CPU | tick with 100 due ms (worst), of CPU | to fill s |")
    print("|---|---|---|---|---|")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as place:
            print(asyncio.run(measured(Path(place), size)), flush=True)


async def measured(place: Path, size: int) -> str:
    """A row of the table for `size` open cases on SQLite."""
    content = contents.load(ASSISTANT)
    database = open_database(f"sqlite:///{place / 'bench.db'}")
    await upgrade(database)
    began = time.perf_counter()
    await fill(database, size)
    filled = time.perf_counter() - began
    clock = ManualClock(START)
    ticking = Ticking(database, clock, House(content.deadlines, content.calendar, content.departments, content.surveys))
    idle = [await timed(ticking, 0) for _ in range(IDLE)]
    busy = []
    for _ in range(TICKS):
        clock.advance(timedelta(minutes=1))
        busy.append(await timed(ticking, DUE))
    await database.close()
    (idle_took, idle_cpu), (busy_took, busy_cpu) = (_medians(each) for each in (idle, busy))
    worst = 1000 * max(took for took, _ in busy)
    return (
        f"| {size:,} | {3 * size:,} | {idle_took:.2f}, {idle_cpu:.2f} |"
        f" {busy_took:.1f} ({worst:.1f}), {busy_cpu:.1f} | {filled:.1f} |"
    )


def _medians(ticks: list[tuple[float, float]]) -> tuple[float, float]:
    """In milliseconds, each by itself."""
    took, worked = zip(*ticks, strict=True)
    return 1000 * statistics.median(took), 1000 * statistics.median(worked)


async def timed(ticking: Ticking, due: int) -> tuple[float, float]:
    """Seconds that a tick took, by the clock and of CPU; it must have worked `due` deadlines."""
    began, worked_before = time.perf_counter(), time.process_time()
    worked = await ticking.tick()
    took = time.perf_counter() - began, time.process_time() - worked_before
    if worked != due:
        sys.exit(f"a tick worked {worked} deadlines, not {due}")
    return took


async def fill(database: Database, size: int) -> None:
    """Open cases of 1,000 conversations; DUE deadlines a minute are to be warned of, all others much later."""

    def people(connection: Connection) -> None:
        numbers = range(1, 1_001)
        connection.execute(insert(tables.contacts), [{"id": n, "created_at": START} for n in numbers])
        places = [
            {"id": n, "contact_id": n, "channel": "web", "account": "default", "address": f"v{n}", "created_at": START}
            for n in numbers
        ]
        connection.execute(insert(tables.addresses), places)
        talks = [
            {
                "id": n,
                "lane": f"chat:web:default:v{n}",
                "channel": "web",
                "account": "default",
                "thread": f"v{n}",
                "contact_id": n,
                "address_id": n,
                "language": "zh",
                "created_at": START,
                "active_at": START,
            }
            for n in numbers
        ]
        connection.execute(insert(tables.conversations), talks)

    await database.write(people)
    for first in range(1, size + 1, 10_000):
        some = range(first, min(first + 10_000, size + 1))
        await database.write(lambda connection, some=some: _cases(connection, some))  # type: ignore[misc] # bound now


def _cases(connection: Connection, numbers: range) -> None:
    rows = [
        {
            "id": n,
            "contact_id": 1 + n % 1_000,
            "conversation_id": 1 + n % 1_000,
            "origin": "conversation",
            "state": "in_progress",
            "title": "x",
            "nature": ["product"],
            "aspect": [],
            "urgency": "normal",
            "department": "product",
            "fields": {},
            "language": "zh",
            "opened_at": START,
            "respond_by": START,
        }
        for n in numbers
    ]
    connection.execute(insert(tables.cases), rows)
    clocks = []
    for n in numbers:
        for kind in ("plan", "execution", "call_back"):
            due = kind == "plan" and n <= DUE * TICKS
            warn = START + (timedelta(minutes=1 + (n - 1) // DUE) if due else timedelta(days=300))
            clocks.append(
                {
                    "case_id": n,
                    "kind": kind,
                    "department": "product",
                    "counted": "clock",
                    "started_at": START,
                    "counted_from": START,
                    "warn_at": warn,
                    "due_at": warn + timedelta(days=30),
                    "next_at": warn,
                }
            )
    connection.execute(insert(tables.deadlines), clocks)


if __name__ == "__main__":
    main()
