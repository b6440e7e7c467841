"""Connections that are kept between units of work: whole after each, gone where they may not be."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from conftest import new_database
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from storage import asyncpg_driver, postgresql
from storage.database import Conflict, Work, is_busy, is_outage, open_database
from storage.postgresql import PostgreSQL

PLACES = 3


@pytest.fixture
async def database(postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PostgreSQL]:
    monkeypatch.setattr(postgresql, "POOL", PLACES)
    found = open_database(await new_database(postgres_server))
    assert isinstance(found, PostgreSQL)
    await found.write(lambda c: c.execute(text("create table t (n integer primary key check (n < 100))")))
    yield found
    await found.close()


def put(number: int) -> Work[None]:
    def work(connection: Connection) -> None:
        connection.execute(text("insert into t values (:n)"), {"n": number})

    return work


async def numbers(database: PostgreSQL) -> list[int]:
    return list(await database.read(lambda c: c.execute(text("select n from t order by n")).scalars()))


async def backend(database: PostgreSQL) -> int:
    return int(await database.read(lambda c: c.execute(text("select pg_backend_pid()")).scalar_one()))


async def test_units_of_work_share_a_connection(database: PostgreSQL) -> None:
    """One after the other needs no second one, and nothing of one is left for the next."""
    first = await backend(database)
    await database.write(put(1))
    with pytest.raises(Conflict):
        await database.write(refused)
    with pytest.raises(IntegrityError):
        await database.write(put(1))
    assert (await backend(database), await numbers(database)) == (first, [1])


async def test_a_connection_that_rested_is_asked_and_kept(
    database: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not made anew each time that nobody came for a while."""
    monkeypatch.setattr(postgresql, "RESTED", 0.0)
    assert len({await backend(database) for _ in range(5)}) == 1


def refused(connection: Connection) -> None:
    put(2)(connection)
    raise Conflict


async def test_what_failed_unseen_is_not_called_written(database: PostgreSQL) -> None:
    """PostgreSQL answers COMMIT with ROLLBACK after a statement that failed: that must not pass for success."""

    def careless(connection: Connection) -> None:
        put(3)(connection)
        with pytest.raises(DBAPIError):
            put(1_000)(connection)

    with pytest.raises(RuntimeError, match="failed"):
        await database.write(careless)
    assert await numbers(database) == []
    await database.write(put(4))
    assert await numbers(database) == [4]


@pytest.mark.parametrize("straight", [False, True], ids=["through SQLAlchemy", "straight"])
async def test_who_is_cancelled_leaves_nothing_behind(database: PostgreSQL, straight: bool) -> None:
    """Neither a lock, nor a statement that goes on at the server, nor one place fewer."""
    for _ in range(2 * PLACES):
        begun = asyncio.Event()
        task = asyncio.create_task(database.write(lambda c, begun=begun: slow(c, begun, straight)))  # type: ignore[misc]
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.gather(*(database.write(put(number)) for number in (*range(10), 50)))
    assert await numbers(database) == [*range(10), 50]
    going = text("select count(*) from pg_stat_activity where query like '%pg_sleep(60)' and state = 'active'")
    assert await database.read(lambda c: c.execute(going).scalar_one()) == 0


async def test_a_cancelled_look_whether_a_connection_works_closes_it(
    database: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Probes have a time limit of their own: each of them would leave one open."""
    monkeypatch.setattr(postgresql, "RESTED", 0.0)
    [kept] = database._resting
    kept.driver = _Silent(kept.driver)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await backend(database)
    assert kept.driver.is_closed()
    assert await numbers(database) == []


class _Silent:
    """A driver's connection whose server does not answer."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    async def execute(self, *_: Any, **__: Any) -> None:
        await asyncio.Event().wait()


async def test_of_a_server_that_is_silent_one_is_asked_not_all(
    database: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would be waited for; whoever comes after a failover would wait for all of them, one after the other."""
    await asyncio.gather(*(database.read(lambda c: c.execute(text("select pg_sleep(0.1)"))) for _ in range(PLACES)))
    monkeypatch.setattr(postgresql, "RESTED", 0.0)
    asked = 0

    async def silent(_: Any) -> bool:
        nonlocal asked
        asked += 1
        return False

    monkeypatch.setattr(postgresql._Kept, "answers", silent)
    assert len(database._resting) == PLACES
    assert await numbers(database) == []
    assert (asked, len(database._resting)) == (1, 1)


async def test_one_that_is_known_to_be_closed_is_not_handed_out(database: PostgreSQL) -> None:
    """However short ago it was used."""
    database._resting[-1].driver.terminate()
    assert await numbers(database) == []


async def test_who_waits_for_a_lock_in_vain_keeps_the_connection(database: PostgreSQL) -> None:
    """Busy tables are no reason to connect anew."""
    first = await backend(database)
    with pytest.raises(DBAPIError) as told:
        await database.write(lambda c: c.execute(text("do $$ begin raise exception using errcode = '55P03'; end $$")))
    assert is_busy(told.value)
    assert await backend(database) == first


async def test_what_people_wrote_is_not_in_an_error(database: PostgreSQL) -> None:
    """PostgreSQL repeats the row that it refuses."""
    with pytest.raises(DBAPIError) as told:
        await database.write(lambda c: asyncpg_driver.many(c, "insert into t values ($1)", [(12_345,)]))
    assert "violates" in str(told.value)
    assert "12345" not in "".join(traceback.format_exception(told.value))


async def test_long_work_is_one_transaction_for_straight_statements_too(database: PostgreSQL) -> None:
    """What failed leaves nothing; a snapshot sees one moment."""

    def failing(connection: Connection) -> None:
        asyncpg_driver.many(connection, "insert into t values ($1)", [(1,), (2,)])
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - its own
        await database.write_slowly(failing)
    assert await numbers(database) == []

    def looking(connection: Connection) -> tuple[int, int]:
        before = asyncpg_driver.rows(connection, "select count(*) from t", ())[0][0]
        met = asyncio.ensure_future(database.write(put(7)))
        connection.connection.dbapi_connection.run_async(lambda _: met)  # type: ignore[union-attr]
        return before, asyncpg_driver.rows(connection, "select count(*) from t", ())[0][0]

    assert await database.snapshot(looking) == (0, 0)


async def test_a_statement_prepared_before_an_upgrade_is_prepared_again(database: PostgreSQL) -> None:
    """Nobody notices that a column has another type since."""
    look = "select n from t order by n"
    await database.write(put(1))
    assert await database.write(lambda c: asyncpg_driver.rows(c, look, ())[0][0]) == 1
    await database.write_slowly(lambda c: c.execute(text("alter table t alter column n type bigint")))
    assert await database.write(lambda c: asyncpg_driver.rows(c, look, ())[0][0]) == 1


def slow(connection: Connection, begun: asyncio.Event, straight: bool = False) -> None:
    put(50)(connection)
    begun.set()
    if straight:
        asyncpg_driver.rows(connection, "select pg_sleep(60)", ())
    else:
        connection.execute(text("select pg_sleep(60)"))


async def test_a_server_that_ended_the_connections_costs_each_at_most_one_failure(database: PostgreSQL) -> None:
    """Whoever is next finds it out, and those that rest meanwhile are looked at before they are used."""
    await asyncio.gather(*(database.read(lambda c: c.execute(text("select pg_sleep(0.1)"))) for _ in range(PLACES)))
    admin = await asyncpg.connect(database.url.replace("+asyncpg", ""))
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'earful' "
        "and datname = current_database()"
    )
    await admin.close()
    told: list[object] = []
    for number in range(2 * PLACES):
        told += await asyncio.gather(database.write(put(number)), return_exceptions=True)
    failed = [each for each in told if isinstance(each, BaseException)]
    assert len(failed) <= 1
    assert all(is_outage(each) for each in failed)
    assert await numbers(database) == [n for n in range(2 * PLACES) if told[n] is None]


async def test_who_waits_too_long_for_a_place_is_told_of_an_outage(
    database: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are not disturbed."""
    monkeypatch.setattr(postgresql, "ANSWERS_WITHIN", 0.2)
    begun = asyncio.Event()
    held = [asyncio.create_task(database.write(lambda connection: slow(connection, begun))) for _ in range(PLACES)]
    await begun.wait()
    with pytest.raises(Exception, match="no connection") as told:
        await database.read(lambda c: c.execute(text("select 1")))
    assert is_outage(told.value)
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    assert await numbers(database) == []


async def test_a_deadlock_runs_one_of_the_two_again(database: PostgreSQL) -> None:
    """Both are done in the end."""
    await database.write(lambda c: c.execute(text("insert into t values (1), (2)")))
    met = asyncio.Barrier(2)
    tries = 0

    def crossing(first: int, second: int) -> Work[None]:
        def work(connection: Connection) -> None:
            nonlocal tries
            tries += 1
            lock = text("select 1 from t where n = :n for update")
            connection.execute(lock, {"n": first})
            if tries <= 2:
                connection.connection.dbapi_connection.run_async(lambda _: met.wait())  # type: ignore[union-attr]
            connection.execute(lock, {"n": second})

        return work

    await asyncio.gather(database.write(crossing(1, 2)), database.write(crossing(2, 1)))
    assert tries == 3
