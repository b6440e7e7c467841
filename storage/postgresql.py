"""PostgreSQL: asyncpg below SQLAlchemy. For a unit of work of a few statements SQLAlchemy's pool and transactions cost
more than the work (docs/decisions/0018), so connections are kept here, and begin and commit by themselves."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from storage.asyncpg_driver import ERRORS, as_sqlalchemy
from storage.database import Database, T, Work, is_busy, is_outage

POOL = 16
"""Connections that a process has at most; those that nobody uses stay open."""
CONNECTS_WITHIN, ANSWERS_WITHIN, CLOSES_WITHIN = 5.0, 30.0, 2.0
"""Seconds. Without a limit a connection whose other end vanished is waited for until the system gives it up."""
RESTED = 1.0
"""Seconds. One that worked a moment ago needs no ping; one that rested longer may be to a server that is gone."""
RETRIES = 5
STATEMENTS = 1_000
"""That a connection keeps prepared: all there are. Fewer are prepared again and again."""


class PostgreSQL(Database):
    """Serialization failures and deadlocks run the work again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = _engine(url, ANSWERS_WITHIN)
        self._places = asyncio.Semaphore(POOL)
        self._resting: list[_Kept] = []
        self._broken = -math.inf
        self._closed = False

    async def write(self, work: Work[T]) -> T:
        async def once() -> T:
            async with self._borrowed() as kept:
                return await kept.transacted(work)

        return await _again(once)

    async def read(self, work: Work[T]) -> T:
        async with self._borrowed() as kept:
            return await kept.connection.run_sync(work)

    async def write_slowly(self, work: Work[T]) -> T:
        async def once() -> T:
            async with _apart(self.url) as kept:
                return await kept.transacted(work)

        return await _again(once)

    async def snapshot(self, work: Work[T]) -> T:
        async with _apart(self.url) as kept:
            return await kept.transacted(work, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    async def close(self) -> None:
        self._closed = True
        resting, self._resting = self._resting, []
        await asyncio.gather(*(kept.drop() for kept in resting))
        await self._engine.dispose()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[_Kept]:
        """A connection for one unit of work. It is kept if it stands as it was found; not after a cancellation, which
        may leave a statement under way."""
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                await self._places.acquire()
        except TimeoutError:
            raise PoolTimeout("no connection to the database became free in time") from None
        try:
            kept = await self._connected()
            whole = False
            try:
                yield kept
                whole = True
            except Exception as error:
                whole = is_busy(error) or not is_outage(error)
                raise
            finally:
                if whole and kept.idle and not self._closed:
                    kept.since = time.monotonic()
                    self._resting.append(kept)
                else:
                    self._broken = time.monotonic()
                    await kept.drop()
        finally:
            self._places.release()

    async def _connected(self) -> _Kept:
        """The last one that was used, if it still works; else a new one. Where one does not answer, those that rested
        longer are not asked."""
        while self._resting:
            kept = self._resting.pop()
            fresh = kept.since > self._broken and time.monotonic() - kept.since < RESTED
            try:
                if kept.idle and (fresh or await kept.answers()):
                    return kept
            except BaseException:
                await kept.drop()
                raise
            silent, self._resting = [kept, *self._resting], []
            await asyncio.gather(*(each.drop() for each in silent))
        return await _connect(self._engine)


@dataclass(slots=True)
class _Kept:
    """A connection, and when it was last used."""

    connection: AsyncConnection
    driver: Any
    since: float = -math.inf

    @property
    def idle(self) -> bool:
        return not self.driver.is_closed() and not self.driver.is_in_transaction()

    async def transacted(self, work: Work[T], begin: str = "BEGIN") -> T:
        await self._say(begin)
        try:
            found = await self.connection.run_sync(work)
        except Exception:
            with suppress(Exception):  # one that cannot is not used again
                await self.driver.execute("ROLLBACK", timeout=CONNECTS_WITHIN)
            raise
        if await self._say("COMMIT") != "COMMIT":
            raise RuntimeError("a statement of this unit of work failed, and it went on as if it had not")
        return found

    async def answers(self) -> bool:
        try:
            await self.driver.execute("select 1", timeout=CONNECTS_WITHIN)
        except (*ERRORS, OSError):
            return False
        return True

    async def drop(self) -> None:
        """Close it; a statement under way is cancelled at the server first, or it would go on there with its locks."""
        try:
            with suppress(Exception):
                await asyncio.shield(self.driver.close(timeout=CLOSES_WITHIN))
        finally:
            self.driver.terminate()
            with suppress(Exception):
                await self.connection.invalidate()
                await self.connection.close()

    async def _say(self, sql: str) -> str:
        try:
            said: str = await self.driver.execute(sql)
        except ERRORS as error:
            raise as_sqlalchemy(error, sql, closed=self.driver.is_closed()) from error
        return said


async def _again(once: Callable[[], Awaitable[T]]) -> T:
    for attempt in range(RETRIES):
        try:
            return await once()
        except DBAPIError as error:
            # A statement that was prepared before an upgrade changed its table is prepared again for the next try.
            outdated = getattr(error.orig, "sqlstate", None) == "0A000"
            if attempt == RETRIES - 1 or not (outdated or is_busy(error)):
                raise
    raise AssertionError("unreachable")


async def _connect(engine: AsyncEngine) -> _Kept:
    connection = await engine.connect()
    return _Kept(connection, (await connection.get_raw_connection()).driver_connection)


@asynccontextmanager
async def _apart(url: str) -> AsyncIterator[_Kept]:
    """A connection for one piece of work that may take long."""
    engine = _engine(url, None)
    try:
        kept = await _connect(engine)
        try:
            yield kept
        finally:
            await kept.drop()
    finally:
        await engine.dispose()


def _engine(url: str, answers_within: float | None) -> AsyncEngine:
    limits = {} if answers_within is None else {"statement_timeout": str(round(1000 * answers_within))}
    return create_async_engine(
        url,
        # Transactions are begun by us. A read has none: each statement sees what is committed either way, and without
        # it is two trips less.
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        query_cache_size=1500,
        hide_parameters=True,  # what people wrote must not stand in a log
        connect_args={
            "timeout": CONNECTS_WITHIN,
            "command_timeout": answers_within,
            "statement_cache_size": STATEMENTS,
            "max_cached_statement_lifetime": 0,
            "prepared_statement_cache_size": STATEMENTS,
            "server_settings": {
                "idle_in_transaction_session_timeout": "10000",
                "lock_timeout": "2000",
                "application_name": "earful",
                **limits,
            },
        },
    )
