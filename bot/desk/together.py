"""Readings that many ask for at once: one reading answers all who asked before it began."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

REST = 3.0
"""How many times as long as it took a reading rests before the next of the same: so many open desks take a quarter of
the database's reader at most for one list, on however slow a machine."""

LONGEST_REST = 0.5
"""Seconds."""

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


class Together(Generic[Key, Found]):
    """`read` is called for a key by one at a time. Nothing is kept: who asks while a reading is under way waits for
    the next one, so that nobody is told what was true before they asked."""

    def __init__(self, read: Callable[[Key], Awaitable[Found]]) -> None:
        self._read = read
        self._asked: dict[Key, asyncio.Future[Found]] = {}
        self._work: dict[Key, asyncio.Task[None]] = {}

    async def get(self, key: Key) -> Found:
        """What `read` finds, begun after this was called. Raises what it raises."""
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
            if key not in self._work:
                self._work[key] = asyncio.create_task(self._answer(key), name="desk-list")
        return await asyncio.shield(answer)

    async def _answer(self, key: Key) -> None:
        clock = asyncio.get_running_loop().time
        answer: asyncio.Future[Found] | None = None
        try:
            while answer := self._asked.pop(key, None):
                begun = clock()
                try:
                    answer.set_result(await self._read(key))
                except Exception as error:
                    answer.set_exception(error)
                    answer.exception()  # looked at: all who asked may have gone
                await asyncio.sleep(min(LONGEST_REST, REST * (clock() - begun)))
        finally:
            del self._work[key]
            for left in (answer, self._asked.pop(key, None)):
                if left is not None:
                    left.cancel()
