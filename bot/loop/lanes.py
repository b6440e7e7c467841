"""Which lanes wait for a turn. A wake-up is only a hint: the sweep finds lost ones, a duplicate finds nothing to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from bot.loop.rotation import Rotation


class Lanes:
    """Lanes woken and not yet taken: those of an account in order, the accounts in rotation. A lane is taken by one
    drainer at a time, and one woken while it is worked is offered again after."""

    def __init__(self) -> None:
        self._waiting: Rotation[str, str] = Rotation()
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._some = asyncio.Event()

    def wake(self, lanes: Iterable[str]) -> None:
        for lane in lanes:
            if lane in self._busy:
                self._again.add(lane)
            else:
                self._waiting.add(_account(lane), lane)
        if self._waiting:
            self._some.set()

    def take(self, limit: int) -> list[str]:
        """Up to `limit` waiting lanes, now busy until `release`."""
        taken = self._waiting.take(limit)
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
            self._waiting.discard(_account(lane), lane)
        self._again = {lane for lane in self._again if mine(lane)}
        if not self._waiting:
            self._some.clear()

    @property
    def waiting(self) -> int:
        """How many lanes wait."""
        return len(self._waiting)

    def is_busy(self, lane: str) -> bool:
        return lane in self._busy or self._waiting.holds(_account(lane), lane)

    async def some(self) -> None:
        """Wait until a lane waits."""
        await self._some.wait()


def _account(lane: str) -> str:
    """`chat:channel:account` of a chat's lane; other lanes each stand for themselves."""
    parts = lane.split(":", 3)
    return lane if len(parts) < 4 else f"{parts[1]}:{parts[2]}"
