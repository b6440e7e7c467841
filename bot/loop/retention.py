"""Lets go what was kept for long enough: month by month on PostgreSQL, in small batches otherwise (`storage.months`,
`storage.expiring`). What belongs to an open conversation, case or survey stays until that is over, however old it is.

Any process may do it, and one at a time does. A look is bounded, and what it left the next goes on with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import ColumnElement, CompoundSelect, Connection, select, true, union_all

from bot.attachments import store
from bot.cases.rules import SETTLED, STATES
from bot.clock import Clock
from storage import months
from storage.clock import database_now
from storage.database import Database, Work, is_busy
from storage.expiring import Batch, Keep, expire
from storage.sets import among, one_of, other_than
from storage.tables import case_reports, cases, conversations, outbox, surveys

log = structlog.get_logger()
T = TypeVar("T")

BATCHES = 40
"""Of a look, so that a large backlog does not keep anybody waiting."""
REST = timedelta(hours=1)
"""After all that was due had gone."""
DEDUPED = timedelta(days=14)
"""Platforms send an event again for so long: until then its key is known, whatever is set."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How long each is kept; None: for ever. `messages` with their files, `events` as they came, the `audit`."""

    messages: timedelta | None = None
    events: timedelta | None = timedelta(days=90)
    audit: timedelta | None = None

    @classmethod
    def days(cls, messages: int, events: int, audit: int) -> Kept:
        """Of settings, where 0 is for ever. An event is not kept for longer than the messages made of it."""
        told, heard, noted = (timedelta(days=each) if each else None for each in (messages, events, audit))
        shorter = [each for each in (told, heard) if each is not None]
        return cls(told, max(DEDUPED, min(shorter)) if shorter else None, noted)


class Retention:
    """`gone` counts rows by what they were; `done_at` is when a look last found nothing more to let go."""

    def __init__(self, database: Database, clock: Clock, kept: Kept) -> None:
        self._database = database
        self._clock = clock
        self._after: Counter[str] = Counter()
        self.kept = kept
        self.gone: Counter[str] = Counter()
        self.done_at: datetime | None = None

    async def look(self) -> int:
        """Make room for what comes, and let go what is due. The number of rows that went."""
        now = self._clock.now()
        await self._quietly(self._database.write, lambda connection: months.prepare(connection, now))
        if self.done_at is not None and abs(now - self.done_at) < REST:
            return 0
        # A clock that ran ahead is believed by nobody else: nothing goes before its time by the database's own.
        seconds = await self._database.read(lambda connection: connection.execute(select(database_now())).scalar_one())
        now = min(now, datetime.fromtimestamp(seconds, UTC))
        before, self._left = sum(self.gone.values()), BATCHES
        kept = self.kept
        if kept.events is not None:
            await self._walk("inbox", now - kept.events)
        if kept.messages is not None:
            oldest = now - kept.messages
            await self._months(months.MESSAGES, oldest, _keep())
            for name in ("outbox", "messages", "whispers"):
                await self._walk(name, oldest, _open_among)
            await self._batches("files", lambda after: _files(after, oldest))
        if kept.audit is not None:
            await self._months(months.AUDIT, now - kept.audit)
            await self._walk("audit", now - kept.audit)
        if self._left > 0:
            self.done_at = self._clock.now()
        gone = sum(self.gone.values()) - before
        if gone:
            log.info("what was kept for long enough is gone", rows=gone, all=self._left > 0)
        return gone

    async def _quietly(self, write: Callable[[Work[T]], Awaitable[T]], work: Work[T]) -> T | None:
        """What wants a table for itself for a moment waits for one in which nobody is at it: a look comes soon."""
        try:
            return await write(work)
        except Exception as error:
            if not is_busy(error):
                raise
            log.info("a table was busy; the next look does it")
            return None

    async def _months(self, family: str, before: datetime, keep: str = "") -> None:
        while self._left > 0:
            gone = await self._quietly(
                self._database.write_slowly, lambda connection: months.drop_oldest(connection, family, before, keep)
            )
            if gone is None:
                return
            self._left -= 1
            self.gone[family] += gone

    async def _walk(self, name: str, before: datetime, keep: Keep | None = None) -> None:
        await self._batches(name, lambda after: lambda connection: expire(connection, name, after, before, keep))

    async def _batches(self, name: str, batch: Callable[[int], Callable[[Connection], Batch]]) -> None:
        """One after the other, from where the last look came to."""
        while self._left > 0:
            done = await self._database.write(batch(self._after[name]))
            self.gone[_CALLED.get(name, name)] += done.gone
            self._after[name] = done.after or 0
            if done.after is None:
                return
            self._left -= 1


_CALLED = {"inbox": "events", "outbox": "messages", "whispers": "messages"}


def _files(after: int, before: datetime) -> Callable[[Connection], Batch]:
    def work(connection: Connection) -> Batch:
        rows = store.older(connection, before, after)
        lanes = sorted({row.lane for row in rows})
        talks = select(conversations.c.id, conversations.c.lane).where(one_of(conversations.c.lane, "lanes"))
        known = {row.id: row.lane for row in connection.execute(talks, {"lanes": lanes})} if lanes else {}
        kept = {known[id] for id in _open_among(connection, sorted(known))}
        gone = store.remove(connection, [row.id for row in rows if row.lane not in kept])
        return Batch(rows[-1].id if len(rows) == store.OLDER else None, gone)

    return work


# ---- what is open ----


def _open(which: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> CompoundSelect[Any]:
    """Conversations that somebody still has to do with: a person, a case that is worked on, a survey that awaits its
    answer, a message that waits to be sent."""
    talk, sent, report = conversations.c, outbox.c, case_reports.c
    worked = among(cases.c.state, *(state for state in STATES if state not in SETTLED))
    awaits = (surveys.c.address_id == talk.address_id) & among(surveys.c.state, "awaiting")
    return union_all(
        select(talk.id).where(other_than(talk.owner, "bot"), which(talk.id)),
        select(cases.c.conversation_id).where(worked, which(cases.c.conversation_id)),
        select(report.conversation_id)
        .join(cases, cases.c.id == report.case_id)
        .where(worked, which(report.conversation_id)),
        select(talk.id).join(surveys, awaits).where(which(talk.id)),
        select(sent.conversation_id).where(among(sent.state, "queued", "sending"), which(sent.conversation_id)),
    )


def _keep() -> str:
    """All of them, as a query for PostgreSQL."""
    return str(_open(lambda _: true()))


_AMONG = _open(lambda column: one_of(column, "talks"))


def _open_among(connection: Connection, talks: Sequence[int]) -> set[int]:
    return set(connection.execute(_AMONG, {"talks": list(talks)}).scalars()) if talks else set()
