"""Parts for tests of the event loop: what keeps it from everybody else's work for long, and where that was."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

LIMIT = 0.25
"""Seconds that one step of one task may take: of a processor's time, or of waiting in it."""
PREEMPTED = 2.0
"""Seconds of waiting where the machine also took the processor away: then it may have been that alone."""


@dataclass
class _Step:
    """What the loop does just now: since when, and where it was when it had taken half of what it may."""

    since: float | None = None
    where: str = ""


@contextlib.contextmanager
def watchdog(limit: float = LIMIT) -> Iterator[list[str]]:
    """What held up the loop of this thread meanwhile, each with the place where it was found."""
    found: list[str] = []
    step, loop, done = _Step(), threading.get_ident(), threading.Event()
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        if threading.get_ident() != loop:
            run(handle)
            return
        before, cpu, step.where = resource.getrusage(resource.RUSAGE_THREAD), time.thread_time(), ""
        step.since = began = time.monotonic()
        try:
            run(handle)
        finally:
            step.since = None
            worked, whole = time.thread_time() - cpu, time.monotonic() - began
            after = resource.getrusage(resource.RUSAGE_THREAD)
            waited, taken = whole - worked, after.ru_nivcsw - before.ru_nivcsw
            if worked > limit or (after.ru_nvcsw > before.ru_nvcsw and waited > (PREEMPTED if taken else limit)):
                found.append(f"worked {worked:.2f} s, waited {waited:.2f} s: {step.where or handle!r}")

    def look() -> None:
        while not done.wait(limit / 10):
            since = step.since
            if since is not None and time.monotonic() - since > limit / 2 and not step.where:
                frame = sys._current_frames().get(loop)
                if frame is not None and step.since == since:
                    step.where = "".join(traceback.format_stack(frame)[-6:])

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    asyncio.Handle._run = timed  # type: ignore[assignment,method-assign] # it is a method of whatever it is given
    try:
        yield found
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]
        done.set()
        watcher.join()
