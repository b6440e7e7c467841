"""Fetches what customers sent on platforms that keep files themselves: after the turn, bounded, looked at, in parts.

A file that cannot be had is `lost` with its reason, and the desk says so; what may come later is tried again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, select, update

from bot.attachments import store
from bot.attachments.kinds import NotTaken, taken
from bot.attachments.store import File
from bot.clock import Clock
from bot.loop.events import place_of
from bot.loop.planner import backoff
from channels.base import Adapter, ChannelError, Misconfigured, Rejected, RetryAfter, TooLarge
from storage.database import Database
from storage.sets import among
from storage.tables import attachments

log = structlog.get_logger()

AT_ONCE = 4
ATTEMPTS = 8
PAUSE = timedelta(seconds=60)
"""After which an account that is misconfigured is tried again."""
GIVE_UP = timedelta(hours=1)
"""A platform does not keep a file for us forever; nor does the agent wait."""


class Fetching:
    """`changed` is told the lanes whose files came, or will not; `limit` is how many bytes one may have."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        adapter_of: Callable[[str, str], Adapter[Any] | None],
        changed: Callable[[Iterable[str]], None],
        limit: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._adapter_of = adapter_of
        self._changed = changed
        self._limit = limit
        self._jitter = random.Random()  # noqa: S311 - spreads tries, keeps no secret
        self._swept: datetime | None = None

    async def step(self) -> int:
        """Fetch what is due, a few at once; how many there were."""
        now = self._clock.now()
        if self._swept is None or now - self._swept > GIVE_UP:
            self._swept = now
            await store.sweep(self._database, now)
        found = await self._database.read(lambda connection: _due(connection, now))
        await asyncio.gather(*(self._fetch(*each) for each in found))
        self._changed({file.lane for file, *_ in found})
        return len(found)

    async def _fetch(self, file: File, reference: str, attempts: int, asked_at: datetime) -> None:
        now = self._clock.now()
        adapter = self._adapter_of(*place_of(file.lane)[:2])
        try:
            if adapter is None:
                raise Rejected("no such account")
            if file.size > self._limit:
                raise TooLarge("larger than is taken here")
            content = await adapter.fetch(reference, self._limit)
            kind, kept = await asyncio.to_thread(taken, content)
            await store.fetched(self._database, file, kept, kind)
            return
        except NotTaken as refused:
            await self._settle(file, {"state": "lost", "reason": refused.code})
            return
        except TooLarge:
            await self._settle(file, {"state": "lost", "reason": "too_large"})
            return
        except Rejected:
            await self._settle(file, {"state": "lost", "reason": "gone"})
            return
        except RetryAfter as error:
            again = now + timedelta(seconds=error.seconds)
        except Misconfigured:
            again = now + PAUSE
        except ChannelError:
            attempts += 1
            again = now + backoff(attempts, self._jitter)
        except Exception as error:
            log.error("a file could not be taken in", file=file.id, error=type(error).__name__)
            attempts += 1
            again = now + backoff(attempts, self._jitter)
        if attempts >= ATTEMPTS or again - asked_at > GIVE_UP:
            await self._settle(file, {"state": "lost", "reason": "unreachable"})
        else:
            await self._settle(file, {"attempts": attempts, "not_before": again})

    async def _settle(self, file: File, values: dict[str, Any]) -> None:
        statement = update(attachments).where(attachments.c.id == file.id, attachments.c.state == "wanted")
        await self._database.write(lambda connection: connection.execute(statement.values(values)).rowcount)


def _due(connection: Connection, now: datetime) -> list[tuple[File, str, int, datetime]]:
    table = attachments.c
    more = (table.reference, table.attempts, table.created_at)
    wanted = select(*store.COLUMNS, *more).where(among(table.state, "wanted"), table.not_before <= now)
    rows = connection.execute(wanted.order_by(table.id).limit(AT_ONCE)).all()
    size = len(store.COLUMNS)
    return [(File(*row[:size]), *row[size:]) for row in rows]
