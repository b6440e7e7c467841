"""`make bench`: what a message costs on SQLite, beside the floor of a bare pipeline in the same run."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.process import ROOT, earful
from bench.talk import Figures, Load
from bench.talks import mixed

FLOOR = ROOT.parent / "shared" / "peer" / "limits_bench.py"
FLOOR_NAME = "aiohttp+uvloop+sqlite FULL, whole pipeline, reply sent by bare client"
LEVELS = (1, 16, 64)


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--seconds", type=float, default=6.0, help="each level")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    core = cores[0] if len(cores) > 1 else None
    print("A message: verify, parse, commit, understand, decide, commit, send, commit. Of four, one opens a case.")
    print("Mixed: of six, one is a tap and two are words that nobody has seen before; it counts for no ratio.\n")
    times = "accept p50/p95/p99 ms | reply p50/p95/p99 ms"
    print(f"| round | talk | at once | messages/s | {times} | CPU µs/message | MiB | wrong |")
    print("|---|---|---|---|---|---|---|---|---|")
    best, cheapest, starts = 0.0, float("inf"), []
    floors: list[float] = []
    for number in range(1, given.rounds + 1):
        floors += floor(given.seconds)
        with tempfile.TemporaryDirectory(
            dir=ROOT / "bench" / "tmp" if (ROOT / "bench" / "tmp").exists() else None
        ) as t:
            rate, cost, started = asyncio.run(measured(Path(t), number, given.seconds, core, cores[-1]))
        best, cheapest = max(best, rate), min(cheapest, cost)
        starts.append(started)
    trained, untrained = (min(each) for each in zip(*starts, strict=True))
    print(f"\nStart-up: {trained:.2f} s with a trained model, {untrained:.2f} s the first time.")
    print(f"Best: {best:.0f} messages/s, {cheapest:.0f} µs of CPU a message.")
    if floors:
        print(f"Floor ({FLOOR_NAME}): best {max(floors):.0f}/s. Ratio: {best / max(floors):.2f}.")
    else:
        print("No floor beside it: the yardsticks are not there.")


async def measured(
    place: Path, number: int, seconds: float, core: int | None, other: int
) -> tuple[float, float, tuple[float, float]]:
    """One round: the best rate, the least cost, and the start-up with and without a trained model."""
    load = Load()
    port = await load.platform()
    with earful(place, port, core) as first:
        first_start = first.started  # trains the model
    if core is not None:
        os.sched_setaffinity(0, {other})
    best, cheapest = 0.0, float("inf")
    with earful(place, port, core) as server:
        await load.drive(server.port, 4, 1.0)
        for level in LEVELS:
            before = server.cpu()
            figures = await load.drive(server.port, level, seconds, seed=level)
            cost = 1e6 * (server.cpu() - before) / max(1, len(figures.replied))
            print(row(number, "plain", level, figures, cost, server.memory()[1]), flush=True)
            best, cheapest = max(best, figures.per_second), min(cheapest, cost)
        before = server.cpu()
        figures = await load.drive(server.port, LEVELS[-1], seconds, seed=number, talk=mixed)
        cost = 1e6 * (server.cpu() - before) / max(1, len(figures.replied))
        print(row(number, "mixed", LEVELS[-1], figures, cost, server.memory()[1]), flush=True)
        return best, cheapest, (server.started, first_start)


def row(number: int, talk: str, level: int, figures: Figures, cost: float, memory: int) -> str:
    accept = "/".join(f"{quantile(figures.accepted, share):.1f}" for share in (0.5, 0.95, 0.99))
    reply = "/".join(f"{quantile(figures.replied, share):.1f}" for share in (0.5, 0.95, 0.99))
    cells = (number, talk, level, f"{figures.per_second:.0f}", accept, reply, f"{cost:.0f}", memory, figures.wrong)
    return f"| {' | '.join(map(str, cells))} |"


def floor(seconds: float) -> list[float]:
    """Messages a second of the bare pipeline, at each level, where the yardsticks are."""
    if not FLOOR.exists():
        return []
    with tempfile.TemporaryDirectory() as place:
        results = Path(place) / "floor.jsonl"
        environment = {**os.environ, "RESULTS": str(results), "PERF_DIR": place}
        command = [sys.executable, str(FLOOR), "all", "--only", FLOOR_NAME, "--rounds", "1"]
        command += ["--seconds", str(max(1, round(seconds)))]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"the floor could not be measured: {done.stderr[-300:]}", file=sys.stderr)
            return []
        return [float(line["per_s"]) for line in map(json.loads, results.read_text().splitlines()) if "per_s" in line]


if __name__ == "__main__":
    main()
