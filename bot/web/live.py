"""Tells open sockets that something changed. A hint, like every wake-up: whoever watches looks for itself."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal


def typing(who: Literal["customer", "agent"], lane: str) -> str:
    """The news that somebody writes in this lane. It is told like any other, and stands nowhere."""
    return f"typing:{who}:{lane}"


def typed_in(news: str) -> str | None:
    """The lane in which a customer writes, where that is the news; None for an agent's, empty for other news."""
    kind, _, rest = news.partition(":")
    who, _, lane = rest.partition(":")
    return "" if kind != "typing" else lane if who == "customer" else None


class Watch:
    """What one socket waits on: the lanes that changed since it last looked."""

    def __init__(self) -> None:
        self._lanes: set[str] = set()
        self._some = asyncio.Event()

    def tell(self, lane: str) -> None:
        self._lanes.add(lane)
        self._some.set()

    async def changed(self) -> set[str]:
        """Wait until something changed; what did."""
        await self._some.wait()
        self._some.clear()
        lanes, self._lanes = self._lanes, set()
        return lanes


class Live:
    """Watchers of one lane (a customer's chat), and of all (the desk)."""

    def __init__(self) -> None:
        self._by_lane: dict[str, set[Watch]] = defaultdict(set)
        self._all: set[Watch] = set()

    def changed(self, lanes: Iterable[str]) -> None:
        for lane in lanes:
            for watch in (*self._by_lane.get(lane, ()), *self._all):
                watch.tell(lane)

    @contextmanager
    def watch(self, lane: str | None = None) -> Iterator[Watch]:
        """Watch one lane, or all of them."""
        watch = Watch()
        watchers = self._all if lane is None else self._by_lane[lane]
        watchers.add(watch)
        try:
            yield watch
        finally:
            watchers.discard(watch)
            if lane is not None and not watchers:
                self._by_lane.pop(lane, None)
