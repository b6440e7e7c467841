"""The database as one thing to read from and write to, the same over SQLite and PostgreSQL.

A unit of work is a plain function of a SQLAlchemy `Connection`: it commits when it returns, rolls back when it
raises, and may be run again after a conflict, so it must have no other effect. On PostgreSQL it runs on asyncpg
through SQLAlchemy's async engine; on SQLite it runs in the one writer thread, where whatever waits shares one
commit (one fsync for many), and never a fate: a group in which one fails is rolled back and run one by one.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

T = TypeVar("T")
Work = Callable[[Connection], T]

GROUP = 64  # units of work that may share one commit on SQLite
READERS = 2
_OUTAGES = {"08", "53", "57", "58"}
_RETRIED = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available


class Conflict(Exception):
    """What was decided no longer fits what is stored: load and decide again."""


class Database(ABC):
    """Reads and writes as units of work. `write` returns after the commit."""

    url: str
    in_order: bool = False
    """Writes are done in the order in which they are given: the later sees what the earlier wrote."""

    @abstractmethod
    async def write(self, work: Work[T]) -> T: ...

    @abstractmethod
    async def read(self, work: Work[T]) -> T: ...

    async def snapshot(self, work: Work[T]) -> T:
        """As `read`, for many statements that must all see one moment, however long they take."""
        return await self.read(work)

    async def write_slowly(self, work: Work[T]) -> T:
        """As `write`, for what may take minutes, such as a migration."""
        return await self.write(work)

    @abstractmethod
    async def close(self) -> None: ...


def open_database(url: str) -> Database:
    """`sqlite:///path` or `postgresql://user:password@host/name`. Raises ValueError with the remedy."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError(
            "EARFUL_DATABASE_URL is no address: write sqlite:///path/to/earful.db or "
            "postgresql://user:password@host:5432/name, other signs than letters and digits in a password as %23"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ValueError("SQLite needs a file: sqlite:///path/to/earful.db")
        try:
            return SQLite(Path(parsed.database))
        except OSError as error:
            folder = Path(parsed.database).parent.absolute()
            raise ValueError(
                f"the database's folder {folder} cannot be made ({error.strerror}). Make it, or set EARFUL_DATA_DIR "
                "or EARFUL_DATABASE_URL to a place where this user may write"
            ) from None
    if backend == "postgresql":
        from storage.postgresql import PostgreSQL  # noqa: PLC0415 - who has SQLite need not wait for it

        return PostgreSQL(parsed.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False))
    raise ValueError(f"EARFUL_DATABASE_URL starts with '{backend}': use sqlite:///… or postgresql://…")


# ---- SQLite ----


def _sqlite_engine(path: Path, begin: str) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"isolation_level": None, "timeout": 10.0, "check_same_thread": False},
        query_cache_size=1500,
        hide_parameters=True,  # what people wrote must not stand in a log
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _: object) -> None:
        _to_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA cache_size=-16000")
        connection.execute("PRAGMA temp_store=MEMORY")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # The driver is in autocommit: SQLAlchemy's default would begin late and lose updates silently.
        driver: Any = connection.connection.driver_connection
        driver.execute(begin)

    return engine


def _to_wal(connection: sqlite3.Connection) -> None:
    """Changing the mode does not wait for a lock as other statements do, and two starts may want it at once."""
    deadline = time.monotonic() + 10.0
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class SQLite(Database):
    """One file, one writer thread, readers beside it (WAL)."""

    in_order = True

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.url = f"sqlite:///{path}"
        self.path = path
        self._writer = _sqlite_engine(path, "BEGIN IMMEDIATE")
        self._reader = _sqlite_engine(path, "BEGIN")
        self._writes: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._closing = False
        self._own = threading.local()
        self._open: list[Connection] = []
        self._threads = [
            threading.Thread(target=self._write_all, name="sqlite-writer", daemon=True),
            *(threading.Thread(target=self._read_all, name="sqlite-reader", daemon=True) for _ in range(READERS)),
        ]
        for thread in self._threads:
            thread.start()

    async def write(self, work: Work[T]) -> T:
        return await _asked(self._writes, work)

    async def read(self, work: Work[T]) -> T:
        return await _asked(self._reads, work)

    async def close(self) -> None:
        self._writes.put(None)
        for _ in range(READERS):
            self._reads.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        for connection in self._open:
            connection.close()
        self._writer.dispose()
        self._reader.dispose()

    def _read_all(self) -> None:
        while (asked := self._reads.get()) is not None:
            if not asked.done.cancelled():
                self._read(asked)

    def _read(self, asked: _Asked) -> None:
        try:
            with self._transaction(self._reader) as connection:
                result = asked.work(connection)
        except BaseException as error:
            _answer([asked], error=error)
        else:
            _answer([asked], [result])

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        """A transaction on this thread's own connection, which is kept: to borrow one costs as much as to read."""
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = engine.connect()
            self._open.append(connection)
        try:
            with connection.begin():
                yield connection
        except BaseException:
            # A COMMIT that failed, as on a full disk, leaves its transaction open: the pool ends it, and whoever
            # is next borrows anew.
            del self._own.connection
            self._open.remove(connection)
            connection.close()
            raise

    def _write_all(self) -> None:
        while not self._closing and (first := self._writes.get()) is not None:
            self._commit(first)

    def _commit(self, first: _Asked) -> None:
        """Work `first` and what comes meanwhile in one transaction; where one of them fails, one by one."""
        group: list[_Asked] = []
        results: list[Any] = []
        try:
            with self._transaction(self._writer) as connection:
                for asked in self._joining(first):
                    group.append(asked)
                    results.append(asked.work(connection))
        except BaseException as error:
            self._one_by_one(group or [first], error)  # none: the transaction itself could not be begun
        else:
            _answer(group, results)

    def _joining(self, first: _Asked) -> Iterator[_Asked]:
        """`first` and whoever waits by the time that those before are done. A caller that was cancelled is told
        nothing, and its work is not begun."""
        asked: _Asked | None = first
        for left in reversed(range(GROUP)):
            if asked is None:
                self._closing = True
                return
            if not asked.done.cancelled():
                yield asked
            if not left or self._writes.empty():
                return
            asked = self._writes.get()

    def _one_by_one(self, group: Sequence[_Asked], error: BaseException) -> None:
        if len(group) == 1:
            _answer(group, error=error)
            return
        for asked in group:
            try:
                with self._transaction(self._writer) as connection:
                    result = asked.work(connection)
            except BaseException as its_own:
                _answer([asked], error=its_own)
            else:
                _answer([asked], [result])


class _Asked(NamedTuple):
    """A unit of work that waits for a thread, and where its result goes."""

    work: Work[Any]
    done: asyncio.Future[Any]


def _asked(threads: queue.SimpleQueue[_Asked | None], work: Work[T]) -> asyncio.Future[T]:
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    threads.put(_Asked(work, done))
    return done


def _answer(group: Sequence[_Asked], results: Sequence[Any] = (), error: BaseException | None = None) -> None:
    """From a thread: wake each event loop once, however many of its callers are answered."""
    waiting = [asked.done for asked in group]
    for loop in {done.get_loop() for done in waiting}:
        with suppress(RuntimeError):  # it was closed: nobody waits there
            loop.call_soon_threadsafe(_settle, loop, waiting, results, error)


def _settle(
    loop: asyncio.AbstractEventLoop,
    waiting: Sequence[asyncio.Future[Any]],
    results: Sequence[Any],
    error: BaseException | None,
) -> None:
    for place, done in enumerate(waiting):
        if done.get_loop() is not loop or done.done():  # another loop's; or the caller gave up meanwhile
            continue
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(results[place])


# ---- errors ----


def is_busy(error: BaseException) -> bool:
    """True where others held what was wanted for too long: the same may succeed a moment later."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _RETRIED


def is_outage(error: BaseException) -> bool:
    """True where the database itself failed (gone, full, locked), not the work: the same may succeed later."""
    if isinstance(error, OperationalError | InterfaceError | OSError | PoolTimeout | sqlite3.OperationalError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    # asyncpg's errors all come as DBAPIError: connection, resources, operator's doing, system, locks and deadlocks.
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return error.connection_invalidated or state[:2] in _OUTAGES or state in _RETRIED or state == "25P03"
