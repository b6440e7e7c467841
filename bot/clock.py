"""Business time. Injected everywhere, so that a test or a simulation decides what time it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by

    def move_to(self, when: datetime) -> None:
        """Forward only: raises ValueError for a time that has passed."""
        if when < self._now:
            raise ValueError(f"the clock is at {self._now:%Y-%m-%d %H:%M:%S}, it does not go back to {when}")
        self._now = when.astimezone(UTC)
