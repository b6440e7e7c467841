"""Tasks that are told to end, and do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN = 10.0
"""Seconds after which who still works is told again: long enough to finish what is under way."""


async def ended(tasks: Iterable[asyncio.Task[Any]], again: float = AGAIN) -> None:
    """Cancel them until they are done, whatever they end with. Once is not enough: a cancellation is lost where a
    library that is cleaning up after it fails in its own time-out, and the task goes on for ever."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=again)
        for task in done:
            if not task.cancelled():
                task.exception()  # looked at, so that nobody complains
