"""Which lanes wait for a turn. A wake-up is only a hint: the sweep finds lost ones, a duplicate finds nothing to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable


class Lanes:
    """Lanes woken and not yet taken, in order; a lane is taken by one drainer at a time, and one woken while it is
    worked is offered again after."""

    def __init__(self) -> None:
        self._waiting: dict[str, None] = {}
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._some = asyncio.Event()

    def wake(self, lanes: Iterable[str]) -> None:
        for lane in lanes:
            if lane in self._busy:
                self._again.add(lane)
            else:
                self._waiting[lane] = None
        if self._waiting:
            self._some.set()

    def take(self, limit: int) -> list[str]:
        """Up to `limit` waiting lanes, now busy until `release`."""
        taken = [lane for lane, _ in zip(self._waiting, range(limit), strict=False)]
        for lane in taken:
            del self._waiting[lane]
        self._busy.update(taken)
        if not self._waiting:
            self._some.clear()
        return taken

    def release(self, lanes: Iterable[str]) -> None:
        lanes = list(lanes)
        self._busy.difference_update(lanes)
        again = self._again.intersection(lanes)
        self._again -= again
        self.wake(again)

    def keep(self, mine: Callable[[str], bool]) -> None:
        """Forget what waits and is no longer ours: another process takes it from the database."""
        for lane in [lane for lane in self._waiting if not mine(lane)]:
            del self._waiting[lane]
        self._again = {lane for lane in self._again if mine(lane)}
        if not self._waiting:
            self._some.clear()

    @property
    def waiting(self) -> int:
        """How many lanes wait."""
        return len(self._waiting)

    def is_busy(self, lane: str) -> bool:
        return lane in self._busy or lane in self._waiting

    async def some(self) -> None:
        """Wait until a lane waits."""
        await self._some.wait()
