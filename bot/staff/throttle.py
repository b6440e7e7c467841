"""Failures are counted by whom they concern and where they come from; too many, and the door stays shut for a while.

In memory, a process at a time: a restart forgets, which an attacker cannot bring about.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.clock import Clock

WINDOW = timedelta(minutes=15)
PER_LOGIN = 8
PER_PLACE = 40
"""A whole office may sign in from one address, and mistype."""

_KEYS = 20_000


@dataclass(slots=True)
class Throttle:
    """`clock` is the business clock. Keys: `login` as typed, folded; `place` where it
    comes from."""

    clock: Clock
    _failures: OrderedDict[tuple[str, str], deque[datetime]] = field(default_factory=OrderedDict)

    def wait(self, login: str, place: str) -> timedelta:
        """How long no attempt is looked at; zero: go ahead."""
        now = self.clock.now()
        return max(self._wait(key, most, now) for key, most in _keys(login, place))

    def count(self, login: str, place: str) -> None:
        """An attempt. It is counted before it is tried, so that a hundred at once do not all pass."""
        now = self.clock.now()
        for key, _ in _keys(login, place):
            self._failures.setdefault(key, deque()).append(now)
            self._failures.move_to_end(key)
        while len(self._failures) > _KEYS:
            self._failures.popitem(last=False)

    def forgive(self, login: str, place: str) -> None:
        """The attempt was right: the login starts afresh, and the place gets its attempt back."""
        (by_login, _), (by_place, _) = _keys(login, place)
        self._failures.pop(by_login, None)
        times = self._failures.get(by_place)
        if times:
            times.pop()

    def _wait(self, key: tuple[str, str], most: int, now: datetime) -> timedelta:
        times = self._failures.get(key)
        if times is None:
            return timedelta(0)
        while times and times[0] <= now - WINDOW:
            times.popleft()
        if not times:
            del self._failures[key]
            return timedelta(0)
        return timedelta(0) if len(times) < most else times[-most] + WINDOW - now


def _keys(login: str, place: str) -> tuple[tuple[tuple[str, str], int], tuple[tuple[str, str], int]]:
    return (("login", login[:200]), PER_LOGIN), (("place", place[:100]), PER_PLACE)
