"""Into the inbox: what is accepted is committed before anybody is told so. Many callers share one commit."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects import postgresql, sqlite

from bot.clock import Clock
from bot.loop.events import encode, lane_of
from channels.base import AnyEvent, Malformed, Unknown
from storage.database import Database
from storage.prepared import Prepared, prepared
from storage.tables import inbox

log = structlog.get_logger()

GROUP = 256
KEY_LIMIT = 200
THREAD_LIMIT = 300
Row = dict[str, Any]


class Overloaded(Exception):
    """More is waiting than we promise to keep up with. Nothing was kept: the platform should send again."""


class Intake:
    """`wake` is told the lanes after the commit. `limit` rows may wait for the database before `Overloaded`."""

    def __init__(
        self, database: Database, clock: Clock, wake: Callable[[Iterable[str]], None], *, limit: int = 5_000
    ) -> None:
        self._database = database
        self._clock = clock
        self._wake = wake
        self._limit = limit
        self._pending: list[tuple[list[Row], asyncio.Future[None]]] = []
        self._waiting = 0
        self._flushing: asyncio.Task[None] | None = None

    async def accept(self, channel: str, account: str, events: Sequence[AnyEvent]) -> None:
        """Returns once the events are committed; an event that is there already has no effect. Raises Overloaded,
        Malformed for an impossible thread, or the database's error; then nothing was kept."""
        if not events:
            return
        if any(len(event.thread) > THREAD_LIMIT for event in events):
            raise Malformed(f"a conversation's id is longer than {THREAD_LIMIT} characters")
        if self._waiting + len(events) > self._limit:
            raise Overloaded
        now = self._clock.now()
        rows = [
            {
                "channel": channel,
                "account": account,
                "dedupe_key": _bounded(event.dedupe_key),
                "lane": lane_of(channel, account, event),
                "event": encode(event),
                "raw": event.raw if isinstance(event, Unknown) else None,
                # What nobody understands is kept for the operator, not for a turn.
                "state": "done" if isinstance(event, Unknown) else "new",
                "received_at": now,
            }
            for event in events
        ]
        done = asyncio.get_running_loop().create_future()
        self._pending.append((rows, done))
        self._waiting += len(rows)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await done

    async def _flush(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending[:GROUP], self._pending[GROUP:]
                await self._keep(batch)
        finally:
            self._flushing = None

    async def _keep(self, batch: list[tuple[list[Row], asyncio.Future[None]]]) -> None:
        try:
            await self._insert([row for rows, _ in batch for row in rows])
            answers: list[BaseException | None] = [None] * len(batch)
        except Exception:
            log.warning("intake group failed; keeping its parts one by one", callers=len(batch), exc_info=True)
            answers = [await self._alone(rows) for rows, _ in batch]
        for (rows, done), error in zip(batch, answers, strict=True):
            self._waiting -= len(rows)
            if error is None:
                self._wake(row["lane"] for row in rows if row["state"] == "new")
            if done.done():  # the caller hung up; the event is kept all the same
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    async def _alone(self, rows: list[Row]) -> BaseException | None:
        try:
            await self._insert(rows)
        except Exception as error:
            return error
        return None

    async def _insert(self, rows: list[Row]) -> None:
        await self._database.write(lambda connection: insert_new(connection, rows))


def _bounded(key: str) -> str:
    """The key, or its digest where it is longer than the column."""
    return key if len(key) <= KEY_LIMIT else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def insert_new(connection: Connection, rows: list[Row]) -> None:
    """Inbox rows, but for those whose key is there already."""
    if rows:
        # By lane, so that two processes given the same events lock them in the same order; stable, so that a lane
        # keeps its order of arrival.
        dialect = connection.dialect
        prepared(dialect, "inbox", lambda: _new(dialect)).run(
            connection, sorted(rows, key=lambda row: str(row["lane"]))
        )


_COLUMNS = ("channel", "account", "dedupe_key", "lane", "event", "raw", "state", "received_at")


def _new(dialect: Dialect) -> Prepared:
    insert = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
    return Prepared(insert(inbox).on_conflict_do_nothing(), dialect, _COLUMNS)
