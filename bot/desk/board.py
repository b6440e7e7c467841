"""The board: tells every open desk which conversations changed. One reader of the database for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, select

from bot.clock import Clock
from bot.staff import presence
from bot.web.live import Live, typed_in
from storage.database import Database
from storage.tables import conversations

log = structlog.get_logger()

_LANES_A_READ = 500
_FULL = 1_000
"""Changes that wait for one slow desk; with more it is told to read everything again."""

_PRESENT = 20.0
"""Seconds between two notes of whose desks are open."""

_PAUSE = 0.1
"""Seconds between two looks: what changes within it is told together."""

Change = dict[str, Any]
"""`id`, `owner`, `agent` and `channel` of a conversation. Never its words, nor the customer's address."""


class Seat:
    """What one open desk has not been told yet."""

    def __init__(self, member: int) -> None:
        self.member = member
        self._waiting: dict[int, Change] = {}
        self._missed = False
        self._some = asyncio.Event()
        self._typing: set[int] = set()

    def write(self, conversation: int) -> None:
        """The customer of this conversation is writing."""
        self._typing.add(conversation)
        self._some.set()

    def typing(self) -> list[int]:
        """Where customers write, since this was last asked."""
        found, self._typing = sorted(self._typing), set()
        return found

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

    def __init__(self, database: Database, live: Live, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._live = live
        self._seats: set[Seat] = set()
        self._reading: asyncio.Task[None] | None = None
        self._noting: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def seat(self, member: int) -> AsyncIterator[Seat]:
        """A place of a member of the staff, from which everything is seen that changes from now on. As long as it is
        taken they are at their desk."""
        seat = Seat(member)
        self._seats.add(seat)
        await self._present([member])
        if self._reading is None:
            ready = asyncio.Event()
            self._reading = asyncio.create_task(self._read(ready), name="desk-board")
            self._noting = asyncio.create_task(self._note(), name="desk-presence")
            await ready.wait()
        try:
            yield seat
        finally:
            self._seats.discard(seat)
            if not self._seats and self._reading is not None:
                ended = [self._reading, *([self._noting] if self._noting else [])]
                self._reading = self._noting = None
                for task in ended:
                    task.cancel()
                await asyncio.gather(*ended, return_exceptions=True)

    async def _note(self) -> None:
        while True:
            await asyncio.sleep(_PRESENT)
            await self._present({seat.member for seat in self._seats})

    async def _present(self, members: Collection[int]) -> None:
        """All of them in one statement: two hundred desks are one write, not two hundred."""
        now = self._clock.now()
        try:
            await self._database.write(lambda connection: presence.note(connection, members, now))
        except Exception as error:
            log.error("who is at their desk could not be noted", error=type(error).__name__)

    async def _read(self, ready: asyncio.Event) -> None:
        with self._live.watch() as watch:
            ready.set()
            while True:
                news = await watch.changed()
                told = {each: typed_in(each) for each in news}
                lanes = sorted(each for each, lane in told.items() if lane == "")
                writing = sorted(lane for lane in told.values() if lane)
                try:
                    if writing:
                        await self._written(writing[:_LANES_A_READ])
                    for start in range(0, len(lanes), _LANES_A_READ):
                        changes = await self._database.read(_changes(lanes[start : start + _LANES_A_READ]))
                        for seat in self._seats:
                            seat.put(changes)
                except Exception as error:
                    # Open desks look by themselves every now and then: a hint may be lost, the watch must not be.
                    log.error("the desk's board could not look", error=type(error).__name__)
                await asyncio.sleep(_PAUSE)

    async def _written(self, lanes: Sequence[str]) -> None:
        """Tell whoever has these conversations that their customers write."""
        for change in await self._database.read(_changes(lanes)):
            for seat in self._seats:
                if change["owner"] == "agent" and seat.member == change["agent"]:
                    seat.write(change["id"])


def _changes(lanes: Sequence[str]) -> Any:
    talks = conversations.c
    statement = select(talks.id, talks.owner, talks.agent_id, talks.channel).where(talks.lane.in_(lanes))

    def work(connection: Connection) -> list[Change]:
        return [
            {"id": row.id, "owner": row.owner, "agent": row.agent_id, "channel": row.channel}
            for row in connection.execute(statement)
        ]

    return work
