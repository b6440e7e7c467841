"""`make bench-shared`: the same talk on PostgreSQL (fsync on) and Redis, a gateway and workers, beside the floor."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
from fleet_parts import Fleet, Postgres, RedisServer, fleet, postgres, redis

from bench.__main__ import FLOOR, quantile
from bench.talk import Figures, Load

FLOOR_NAME = "aiohttp+uvloop+postgres, whole pipeline, reply sent by bare client"
LEVELS = (1, 16, 64)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-shared")
    parser.add_argument("--seconds", type=float, default=6.0, help="each level")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    print("| workers | at once | messages/s | accept p50/p95/p99 ms | reply p50/p95/p99 ms | CPU µs/message | wrong |")
    print("|---|---|---|---|---|---|---|")
    best = asyncio.run(measured(given.seconds, given.workers))
    for workers, rate in best.items():
        print(f"\nBest with {workers} workers: {rate:.0f} messages/s.", end="")
    floors = asyncio.run(floor(given.seconds))
    if floors:
        print(f"\nFloor ({FLOOR_NAME}): best {max(floors):.0f}/s. Ratio: {max(best.values()) / max(floors):.2f}.")
    else:
        print("\nNo floor beside it: the yardsticks are not there.")


async def measured(seconds: float, counts: list[int]) -> dict[int, float]:
    """The best rate for each number of workers."""
    best: dict[int, float] = {}
    for workers in counts:
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            await asyncio.to_thread(place.chmod, 0o755)
            async with postgres(place, durable=True) as store, redis(place) as wakes:
                best[workers] = await _round(place, store, wakes, workers, seconds)
    return best


async def _round(place: Path, store: Postgres, wakes: RedisServer, workers: int, seconds: float) -> float:
    load = Load()
    base = f"http://127.0.0.1:{await load.platform()}"
    best = 0.0
    async with fleet(place, base, store.url(), wakes.url, rate="1000000.0", rate_per_chat="1000.0") as house:
        await house.start("gateway", *(f"worker-{number}" for number in range(workers)))
        await load.drive(house.ports["gateway"], 4, 1.0)
        for level in LEVELS:
            before = _cpu(house)
            figures = await load.drive(house.ports["gateway"], level, seconds, seed=level)
            cost = 1e6 * (_cpu(house) - before) / max(1, len(figures.replied))
            print(_row(workers, level, figures, cost), flush=True)
            best = max(best, figures.per_second)
        before = _cpu(house)
        half = await load.drive(house.ports["gateway"], max(LEVELS), 2 * seconds, rate=best / 2)
        cost = 1e6 * (_cpu(house) - before) / max(1, len(half.replied))
        print(_row(workers, "half load", half, cost), flush=True)
        await house.stop()
    return best


def _cpu(house: Fleet) -> float:
    """CPU seconds of all our processes so far."""
    total = 0
    for process in house.running.values():
        fields = Path(f"/proc/{process.process.pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def _row(workers: int, level: int | str, figures: Figures, cost: float) -> str:
    accept = "/".join(f"{quantile(figures.accepted, share):.1f}" for share in (0.5, 0.95, 0.99))
    reply = "/".join(f"{quantile(figures.replied, share):.1f}" for share in (0.5, 0.95, 0.99))
    cells = (workers, level, f"{figures.per_second:.0f}", accept, reply, f"{cost:.0f}", figures.wrong)
    return f"| {' | '.join(map(str, cells))} |"


async def floor(seconds: float) -> list[float]:
    """Messages a second of the bare pipeline on a PostgreSQL of its own, where the yardsticks are."""
    if not await asyncio.to_thread(FLOOR.exists):
        return []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        await asyncio.to_thread(place.chmod, 0o755)
        async with postgres(place, durable=True) as store:
            admin = await asyncpg.connect(store.url())
            await admin.execute("create role peer login superuser password 'peer'")
            await admin.execute("create database peer owner peer")
            await admin.close()
            results = place / "floor.jsonl"
            environment = {**os.environ, "RESULTS": str(results), "PERF_DIR": name, "RASA_PG_PORT": str(store.port)}
            command = [sys.executable, str(FLOOR), "all", "--only", FLOOR_NAME, "--rounds", "1"]
            command += ["--seconds", str(max(1, round(seconds)))]
            done = await asyncio.to_thread(
                subprocess.run, command, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                print(f"the floor could not be measured: {done.stderr[-300:]}", file=sys.stderr)
                return []
            lines = (await asyncio.to_thread(results.read_text)).splitlines()
            return [float(line["per_s"]) for line in map(json.loads, lines) if "per_s" in line]


if __name__ == "__main__":
    main()
