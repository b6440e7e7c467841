"""Who works which lanes, where several processes share a database: no leader, nobody to lose.

Lanes fall into PARTS by their name. A process that works holds some of the parts as leases in the database, about as
many as each of the others, and gives back what it has too many of; what a dead one held runs out. That only keeps two
from deciding the same turn. Where two do all the same (one was paused, the parts just moved), versions decide.
"""

from __future__ import annotations

import asyncio
import time
import uuid
import zlib
from collections.abc import Callable, Collection

import structlog
from sqlalchemy import Connection

from storage import leases
from storage.database import Database

log = structlog.get_logger()

PARTS = 64
"""More than processes anybody runs, so that each has about as much as the others."""
LEASE = 6.0
"""Seconds after which the parts of a process that died are taken over by the others."""
BEAT = 1.0
"""Seconds between two renewals."""
FORGOTTEN = 3_600.0
_MEMBER = "member:"
_PART = "lanes:"


def part_of(lane: str) -> int:
    """The part that a lane belongs to, the same in every process and version."""
    return zlib.crc32(lane.encode("utf-8", "surrogatepass")) % PARTS


class Shares:
    """This process's share. `moved` is told when parts came, which may have work waiting, or went. `exclusive`
    names what one process at a time does, such as polling an account."""

    def __init__(
        self, database: Database | None, *, works: bool = True, exclusive: Collection[str] = (), lease: float = LEASE
    ) -> None:
        """Without a `database` everything is this process's. One that does not work (`works`) never takes a part."""
        self._database = database
        self._works = works
        self._exclusive = tuple(exclusive)
        self._lease = lease
        self._alone: set[str] = set()
        self._renewed = time.monotonic()
        self.me = uuid.uuid4().hex[:16]
        self.parts: frozenset[int] = frozenset() if database is not None or not works else frozenset(range(PARTS))
        self.members = 1  # that work, this one among them
        self.moved: Callable[[], None] = lambda: None

    @property
    def all(self) -> bool:
        """Everything is ours: the only process."""
        return self._database is None and self._works

    def mine(self, lane: str) -> bool:
        return part_of(lane) in self.parts

    def only_me(self, name: str) -> bool:
        """Whether this process is the one that does what is called `name`."""
        return self.all or (name in self._alone and time.monotonic() - self._renewed < self._lease)

    async def run(self) -> None:
        """Renew until cancelled; then everything is given back, so that nobody waits for it to run out."""
        if self._database is None:
            return
        try:
            while True:
                try:
                    await self.beat()
                except Exception as error:
                    log.error("leases could not be renewed; it is tried again", error=type(error).__name__)
                await asyncio.sleep(BEAT)
        finally:
            await self.leave()

    async def beat(self) -> None:
        """Renew what is held, take what is due to this process, give back what is not."""
        if self._database is None or not self._works:
            return
        began = time.monotonic()
        parts, alone, members = await self._database.write(self._share)
        moved = parts != self.parts
        if moved or members != self.members:
            log.info("lanes are shared", parts=len(parts), processes=members)
        self.parts, self._alone, self.members, self._renewed = parts, alone, members, began
        if moved:
            self.moved()

    async def leave(self) -> None:
        """Give everything back."""
        self.parts, self._alone = frozenset(), set()
        if self._database is None or not self._works:
            return
        try:
            await self._database.write(lambda connection: leases.release(connection, self.me))
        except Exception as error:  # it runs out by itself
            log.warning("leases could not be given back", error=type(error).__name__)

    def _share(self, connection: Connection) -> tuple[frozenset[int], set[str], int]:
        leases.hold(connection, self.me, [_MEMBER + self.me], self._lease)
        leases.forget(connection, FORGOTTEN)
        held = leases.held(connection)
        members = sum(name.startswith(_MEMBER) for name in held)
        fair = -(-PARTS // members)
        ours = [part for part in range(PARTS) if held.get(_name(part)) == self.me]
        surplus = ours[fair:]
        if surplus:
            leases.release(connection, self.me, map(_name, surplus))
        free = [part for part in range(PARTS) if _name(part) not in held]
        wanted = ours[:fair] + free[: max(0, fair - len(ours))]
        got = leases.hold(connection, self.me, [*map(_name, wanted), *self._exclusive], self._lease)
        parts = frozenset(part for part in wanted if _name(part) in got)
        return parts, got.intersection(self._exclusive), members


def _name(part: int) -> str:
    return f"{_PART}{part}"


def lane_of_place(place: tuple[str, str, str]) -> str:
    """The lane whose process also sends to this place: that of the private chat there."""
    return "chat:" + ":".join(place)
