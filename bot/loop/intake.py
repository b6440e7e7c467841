"""Into the inbox: what is accepted is committed before anybody is told so. Many callers share one commit."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects import postgresql, sqlite

from bot.clock import Clock
from bot.loop.events import encode, lane_of
from bot.loop.figures import Figures
from bot.loop.rotation import Rotation
from channels.base import AnyEvent, Malformed, Unknown
from storage.database import Database, is_outage
from storage.prepared import Prepared, prepared
from storage.tables import inbox

log = structlog.get_logger()

GROUP = 256
LIMIT = 5_000
"""Events that may wait in memory for the database."""
LANE_LIMIT = GROUP
"""Of them of one conversation."""
BEHIND = 2.0
"""Seconds that a commit may take before new events are refused: the database is behind, and waiting in line helps it
less than coming back."""
ANSWERS_WITHIN = 8.0
"""Seconds until a caller is told to come back: platforms hang up after ten and more, and then know nothing."""
KEY_LIMIT = 200
THREAD_LIMIT = 300
Row = dict[str, Any]


class Overloaded(Exception):
    """More is waiting than we promise to keep up with. The platform should send again: what was kept all the same is
    known by its key, and has no second effect."""


@dataclass(eq=False, slots=True)
class _Call:
    """One caller's rows, and where the answer goes."""

    rows: list[Row]
    done: asyncio.Future[None]


class Intake:
    """`wake` is told the lanes after the commit. `limit` events may wait for the database before `Overloaded`; of one
    account up to three times what is free after, so that a flood in one never closes the others."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        wake: Callable[[Iterable[str]], None],
        *,
        limit: int = LIMIT,
        figures: Figures | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._wake = wake
        self._limit = limit
        self._pending: Rotation[tuple[str, str], _Call] = Rotation()
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._of_lane: Counter[str] = Counter()
        self._total = 0
        self._figures = figures
        self._began: float | None = None
        self._flushing: asyncio.Task[None] | None = None

    async def accept(self, channel: str, account: str, events: Sequence[AnyEvent]) -> None:
        """Returns once the events are committed; an event that is there already has no effect. Raises Overloaded,
        Malformed for an impossible thread, or the database's error."""
        if not events:
            return
        if any(len(event.thread) > THREAD_LIMIT for event in events):
            raise Malformed(f"a conversation's id is longer than {THREAD_LIMIT} characters")
        now, loop = self._clock.now(), asyncio.get_running_loop()
        rows: list[Row] = [
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
        of, began = (channel, account), loop.time()
        self._admit(of, rows)
        call = _Call(rows, loop.create_future())
        self._pending.add(of, call)
        self._total += len(rows)
        self._waiting[of] += len(rows)
        for row in rows:
            self._of_lane[row["lane"]] += 1
        if self._flushing is None:
            self._flushing = loop.create_task(self._flush())
        patience = loop.call_later(ANSWERS_WITHIN, _give_up, call.done)
        try:
            await call.done
        finally:
            patience.cancel()
        if self._figures:
            self._figures.accepted(channel, account, [row["dedupe_key"] for row in rows], loop.time() - began)

    def _admit(self, of: tuple[str, str], rows: list[Row]) -> None:
        """Raises Overloaded where the database is behind, or this sender has its share waiting."""
        now, count = asyncio.get_running_loop().time(), len(rows)
        free = self._limit - self._total - count
        if (
            (self._began is not None and now - self._began > BEHIND)
            or free < 0
            or self._waiting[of] + count > 3 * (free + 1)
            or any(self._of_lane[row["lane"]] >= LANE_LIMIT for row in rows)
        ):
            raise Overloaded

    async def _flush(self) -> None:
        try:
            while self._pending:
                await self._keep(self._pending.take(GROUP))
        finally:
            self._flushing = None

    async def _keep(self, batch: list[_Call]) -> None:
        self._began = asyncio.get_running_loop().time()
        try:
            await self._insert([row for call in batch for row in call.rows])
            answers: list[BaseException | None] = [None] * len(batch)
        except Exception as error:
            if is_outage(error):  # one by one they would only wait for it one after the other
                answers = [error] * len(batch)
            else:
                log.warning("intake group failed; keeping its parts one by one", callers=len(batch), exc_info=True)
                answers = [await self._alone(call.rows) for call in batch]
        finally:
            self._began = None
        for call, failed in zip(batch, answers, strict=True):
            self._forget(call.rows)
            if failed is None:
                self._wake(row["lane"] for row in call.rows if row["state"] == "new")
            if call.done.done():  # the caller hung up; the event is kept all the same
                continue
            if failed is None:
                call.done.set_result(None)
            else:
                call.done.set_exception(failed)

    def _forget(self, rows: list[Row]) -> None:
        of = rows[0]["channel"], rows[0]["account"]
        self._total -= len(rows)
        self._waiting[of] -= len(rows)
        if not self._waiting[of]:
            del self._waiting[of]
        for row in rows:
            self._of_lane[row["lane"]] -= 1
            if not self._of_lane[row["lane"]]:
                del self._of_lane[row["lane"]]

    async def _alone(self, rows: list[Row]) -> BaseException | None:
        try:
            await self._insert(rows)
        except Exception as error:
            return error
        return None

    async def _insert(self, rows: list[Row]) -> None:
        await self._database.write(lambda connection: insert_new(connection, rows))


def _give_up(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_exception(Overloaded())


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
