"""Looks into the database for what no hint told: always a little, and often while there is no stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta

import structlog
from sqlalchemy import Connection, func, select

from bot.loop.delivery import Delivery
from bot.loop.turn import Turns
from storage.database import Database
from storage.tables import conversations, messages

log = structlog.get_logger()

OFTEN = 0.25
"""Seconds between two looks while no hints come."""
SELDOM = 1.0
SETTLED = timedelta(seconds=0.5)
"""While hints come, what is younger than this has one on its way."""
SENDS_OFTEN = 1.0
BEHIND = 200
"""Ids are given before the commit: a message may be seen after one with a higher id. So many are looked at again."""


class Following:
    """Wakes what waits for this process; `tell` is told the lanes in which something was said. `hinted` says whether
    hints come by the stream."""

    def __init__(
        self,
        database: Database,
        turns: Turns,
        delivery: Delivery,
        tell: Callable[[Iterable[str]], None],
        hinted: Callable[[], bool],
        *,
        works: bool,
        faces: bool,
    ) -> None:
        self._database = database
        self._turns = turns
        self._delivery = delivery
        self._tell = tell
        self._hinted = hinted
        self._works = works
        self._faces = faces
        self._now = asyncio.Event()
        self._told: dict[int, None] = {}
        self._upto: int | None = None

    def at_once(self) -> None:
        """Look now: hints may have been lost, or lanes came to us."""
        self._now.set()

    async def run(self) -> None:
        """Look until cancelled. An outage of the database passes."""
        sends_at = 0.0
        clock = asyncio.get_running_loop().time
        while True:
            asked, hinted = self._now.is_set(), self._hinted()
            self._now.clear()
            try:
                if self._works:
                    await self._turns.look(older_than=timedelta(0) if asked or not hinted else SETTLED)
                    if asked or (not hinted and clock() >= sends_at):
                        await self._delivery.sweep()
                        sends_at = clock() + SENDS_OFTEN
                if self._faces and (asked or not hinted):
                    self._tell(await self.said())
            except Exception as error:
                log.error("a look into the database failed; it is tried again", error=type(error).__name__)
                await asyncio.sleep(SELDOM)
            try:
                async with asyncio.timeout(SELDOM if hinted else OFTEN):
                    await self._now.wait()
            except TimeoutError:
                pass

    async def said(self) -> list[str]:
        """The lanes in which something was said since the last time."""
        upto = self._upto

        def work(connection: Connection) -> tuple[int, list[tuple[int, str]]]:
            if upto is None:
                return int(connection.execute(select(func.max(messages.c.id))).scalar() or 0), []
            statement = (
                select(messages.c.id, conversations.c.lane)
                .join(conversations, conversations.c.id == messages.c.conversation_id)
                .where(messages.c.id > upto - BEHIND)
                .order_by(messages.c.id.desc())
                .limit(BEHIND * 10)
            )
            found = [(row[0], row[1]) for row in connection.execute(statement)]
            return max([upto, *(row for row, _ in found)]), found

        self._upto, found = await self._database.read(work)
        new = [(row, lane) for row, lane in found if row not in self._told]
        self._told = dict.fromkeys(row for row, _ in found)
        return list(dict.fromkeys(lane for _, lane in new))
