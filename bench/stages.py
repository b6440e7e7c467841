"""`python -m bench.stages`: the CPU budget of a message, stage by stage, in the real service under load.

The service runs in a process of its own, its stages wrapped: what each thread spends in them is counted by the thread's
own CPU clock, so that waiting for the disk, for each other or for the machine does not count. The wrapping itself costs
some 3 µs a call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
import types
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.process import earful
from bench.talk import Load
from bench.talks import TALKS

STAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "HTTP in: read, verify, parse, answer": (
        ("bot.web.front", "_Connection.data_received"),
        ("bot.web.front", "_Connection._answer"),
    ),
    "  of it intake": (("bot.loop.intake", "Intake.accept"),),
    "intake's group": (("bot.loop.intake", "Intake._flush"),),
    "deciding": (("bot.loop.policy", "Conversations.decide"),),
    "  of it understanding": (("nlu.model", "Model.parse_many"),),
    "  of it engine and actions": (("bot.engine.engine", "Engine.turn"),),
    "  of it custom actions": (("bot.engine.running", "Runner.custom"),),
    "turns around it": (("bot.loop.turn", "Turns.batch"),),
    "delivery: what to send, and when": (("bot.loop.delivery", "Delivery.step"),),
    "sends": (("bot.loop.delivery", "Delivery._send"), ("channels.http_connection", "Connection.data_received")),
    "SQLite's writer: all units of work, commits": (("storage.database", "SQLite._commit"),),
    "  of it turns": (("bot.loop.turn", "apply"),),
    "  of it inbox": (("bot.loop.intake", "insert_new"),),
    "  of it claims and results": (("bot.loop.delivery", "Delivery._transact"),),
    "SQLite's readers": (("storage.database", "SQLite._read"),),
}
"""Indented ones are parts of the one above. Deciding is a part of what turns take, and shown apart from it."""

_spent: Counter[str] = Counter()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.stages")
    parser.add_argument("--senders", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--talk", choices=sorted(TALKS), default="plain")
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    asyncio.run(_measured(given.senders, given.seconds, given.talk, cores))


async def _measured(senders: int, seconds: float, talk: str, cores: list[int]) -> None:
    load = Load()
    port = await load.platform()
    os.sched_setaffinity(0, {cores[-1]})
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        told = place / "stages.json"
        command = [sys.executable, "-m", "bench.stages", str(told)]
        with earful(place, port, cores[0], command) as server:
            await load.drive(server.port, 16, 2.0, talk=TALKS[talk])
            before, so_far = server.cpu(), await asyncio.to_thread(_told, server.process.pid, told)
            figures = await load.drive(server.port, senders, seconds, seed=senders, talk=TALKS[talk])
            whole = 1e6 * (server.cpu() - before)
            spent = Counter(await asyncio.to_thread(_told, server.process.pid, told))
            spent.subtract(so_far)
    count = len(figures.replied)
    print(f"{figures.per_second:.0f} messages/s, {whole / count:.0f} µs of CPU each, {figures.wrong} wrong.\n")
    print("| stage | µs a message | share |\n|---|---|---|")
    for stage in STAGES:
        used = spent[stage] - (spent["deciding"] if stage == "turns around it" else 0)
        print(f"| {stage.replace('  ', '… ')} | {used / count:.0f} | {100 * used / whole:.0f} % |")


def _told(pid: int, told: Path) -> dict[str, float]:
    """What was spent so far, in µs by stage."""
    told.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    while not told.exists():
        time.sleep(0.02)
    found: dict[str, float] = json.loads(told.read_text())
    return found


# ---- in the service's process ----


def serve(told: Path, arguments: list[str]) -> None:
    """`earful` with its stages wrapped; writes to `told` what they took when it is asked (SIGUSR1)."""
    for stage, places in STAGES.items():
        for module, name in places:
            _wrap(stage, import_module(module), name)

    def tell(*_: object) -> None:
        half = told.with_suffix(".half")
        half.write_text(json.dumps(_spent))
        half.rename(told)

    signal.signal(signal.SIGUSR1, tell)
    sys.argv = ["earful", *arguments]
    import_module("bot.cli").main()


def _wrap(stage: str, module: Any, name: str) -> None:
    owner, _, last = name.rpartition(".")
    place = getattr(module, owner) if owner else module
    work = getattr(place, last)
    setattr(place, last, _stepped(stage, work) if asyncio.iscoroutinefunction(work) else _timed(stage, work))


def _timed(stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*given: Any, **named: Any) -> Any:
        began = time.thread_time()
        try:
            return work(*given, **named)
        finally:
            _spent[stage] += 1e6 * (time.thread_time() - began)  # type: ignore[assignment] # counts in fractions

    return timed


def _stepped(stage: str, work: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Counts the steps of a coroutine, not what it waits for."""

    @types.coroutine
    def steps(running: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        step = _timed(stage, running.send)
        fail = _timed(stage, running.throw)
        given: Any = None
        error: BaseException | None = None
        while True:
            try:
                wanted = step(given) if error is None else fail(error)
            except StopIteration as end:
                return end.value
            given = error = None
            try:
                given = yield wanted
            except BaseException as thrown:  # a cancellation is the coroutine's own
                error = thrown

    async def stepped(*given: Any, **named: Any) -> Any:
        return await steps(work(*given, **named))

    return stepped


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1].endswith(".json"):
        serve(Path(sys.argv[1]), sys.argv[2:])
    else:
        main()
