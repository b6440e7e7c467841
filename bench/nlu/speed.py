"""How fast it understands, on one core: one message after the other, as they come."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.nlu.engine import ASSISTANT, Engine
from bench.nlu.goals import Goal, Row
from bench.nlu.sets import LANGUAGES, ROOT, SENTIMENT, own, public, texts
from nlu import model, rasa_data
from nlu.evaluate import Parser

WARM_UP = 50


def rows(engine: Engine, shared: Path, models: Path) -> list[Row]:
    """Time of a reply's part and of the whole, load and memory; `models` is where the engine's model is kept."""
    chat = texts(*(own("chat", language) for language in LANGUAGES))
    found = [path for name in SENTIMENT if (path := public(shared, name))]
    free = (
        texts(*found) if found else texts(*(own(topic, each) for topic in ("feedback", "urgent") for each in LANGUAGES))
    )
    with one_core():
        quick, quick_note = times(engine.quick, chat)
        full, full_note = times(engine.full, free)
        seconds, mebibytes = footprint(models)
        worked = time.process_time()
        model.train(rasa_data.read(ASSISTANT))
        worked = time.process_time() - worked
    return [
        Row("what a reply waits for, short chat, mean ms", len(chat), mean(quick), None, Goal(most=0.2), quick_note),
        Row("what a reply waits for, short chat, p99 ms", len(chat), quantile(quick, 0.99), None, Goal(most=5)),
        Row("full cascade, unseen free text, mean ms", len(free), mean(full), None, Goal(most=15), full_note),
        Row("full cascade, unseen free text, p99 ms", len(free), quantile(full, 0.99), None, Goal(most=60)),
        Row("training the fast heads, s of CPU", 1, worked, None, Goal(most=5), places=2),
        Row("load with imports, s", 1, seconds, None, Goal(most=2), places=2),
        Row("memory added, MiB", 1, mebibytes, None, Goal(most=350), places=0),
    ]


def times(parser: Parser, messages: Sequence[str]) -> tuple[list[float], str]:
    """Milliseconds for each message by the clock on the wall, each parsed once; the first WARM_UP are parsed before, as
    any service has. And what of it was its own: on a busy machine the rest is waiting for others."""
    for message in messages[:WARM_UP]:
        parser.parse(message)
    found = []
    worked = time.process_time()
    for message in messages:
        begun = time.perf_counter()
        parser.parse(message)
        found.append(1000 * (time.perf_counter() - begun))
    worked = 1000 * (time.process_time() - worked) / len(messages)
    busy = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return found, f"CPU alone {worked:.3f}{busy}"


def footprint(models: Path) -> tuple[float, float]:
    """Seconds to load and MiB added, of a process of its own."""
    command = [sys.executable, "-m", "bench.nlu.footprint", str(models)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    return float(told["seconds"]), float(told["mebibytes"])


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def one_core() -> Iterator[None]:
    """This process and its children on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
