"""The board: tells every open desk which conversations changed. One reader of the database for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, select

from bot.web.live import Live
from storage.database import Database
from storage.tables import conversations

log = structlog.get_logger()

_LANES_A_READ = 500
_FULL = 1_000
"""Changes that wait for one slow desk; with more it is told to read everything again."""

_PAUSE = 0.1
"""Seconds between two looks: what changes within it is told together."""

Change = dict[str, Any]
"""`id`, `owner`, `agent` and `channel` of a conversation. Never its words, nor the customer's address."""


class Seat:
    """What one open desk has not been told yet."""

    def __init__(self) -> None:
        self._waiting: dict[int, Change] = {}
        self._missed = False
        self._some = asyncio.Event()

    def put(self, changes: Sequence[Change]) -> None:
        self._waiting.update((change["id"], change) for change in changes)
        if len(self._waiting) > _FULL:
            self._waiting.clear()
            self._missed = True
        self._some.set()

    async def news(self, seconds: float) -> tuple[list[Change], bool] | None:
        """What changed, and whether more did than is named; None if nothing did for so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._some.wait()
        if not self._some.is_set():
            return None
        self._some.clear()
        found, self._waiting = list(self._waiting.values()), {}
        missed, self._missed = self._missed, False
        return found, missed


class Board:
    """Reads only while somebody watches."""

    def __init__(self, database: Database, live: Live) -> None:
        self._database = database
        self._live = live
        self._seats: set[Seat] = set()
        self._reading: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def seat(self) -> AsyncIterator[Seat]:
        """A place from which everything is seen that changes from now on."""
        seat = Seat()
        self._seats.add(seat)
        if self._reading is None:
            ready = asyncio.Event()
            self._reading = asyncio.create_task(self._read(ready), name="desk-board")
            await ready.wait()
        try:
            yield seat
        finally:
            self._seats.discard(seat)
            if not self._seats and self._reading is not None:
                reading, self._reading = self._reading, None
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, ready: asyncio.Event) -> None:
        with self._live.watch() as watch:
            ready.set()
            while True:
                lanes = sorted(await watch.changed())
                try:
                    for start in range(0, len(lanes), _LANES_A_READ):
                        changes = await self._database.read(_changes(lanes[start : start + _LANES_A_READ]))
                        for seat in self._seats:
                            seat.put(changes)
                except Exception as error:
                    # Open desks look by themselves every now and then: a hint may be lost, the watch must not be.
                    log.error("the desk's board could not look", error=type(error).__name__)
                await asyncio.sleep(_PAUSE)


def _changes(lanes: Sequence[str]) -> Any:
    talks = conversations.c
    statement = select(talks.id, talks.owner, talks.agent_id, talks.channel).where(talks.lane.in_(lanes))

    def work(connection: Connection) -> list[Change]:
        return [
            {"id": row.id, "owner": row.owner, "agent": row.agent_id, "channel": row.channel}
            for row in connection.execute(statement)
        ]

    return work
