"""One contract over SQLite and PostgreSQL: units of work, types, set-based changes, migrations."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import asyncpg
import pytest
from fleet_parts import until
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Table, create_engine, func, insert, make_url, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from storage import tables
from storage.changes import Guard, Insert, Later, Update, apply
from storage.clock import database_now
from storage.database import Conflict, Database, SQLite, is_outage, open_database
from storage.months import ALONE, LOOSE
from storage.prepared import insert_told
from storage.records import Contact, Conversation, Deadline
from storage.schema import _LOCK, HEAD, NewerSchema, upgrade, upgrade_to
from storage.sets import PARTITIONED
from storage.trouble import Unusable
from storage.types import clean, dump

NOW = datetime(2026, 3, 5, 8, 30, 0, 123456, tzinfo=UTC)


def contact(**values: Any) -> Insert:
    return Insert(tables.contacts, {"created_at": NOW} | values)


def count(table: Table) -> Any:
    return lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one()


def conversation(lane: str) -> list[Insert]:
    person = contact(name="李雷")
    address = Insert(
        tables.addresses,
        {"contact_id": person, "channel": "web", "account": "a", "address": lane, "created_at": NOW},
    )
    talk = Insert(
        tables.conversations,
        {
            "lane": lane,
            "channel": "web",
            "account": "a",
            "thread": lane,
            "contact_id": person,
            "address_id": address,
            "language": "zh",
            "created_at": NOW,
            "active_at": NOW,
        },
    )
    return [talk, address, person]  # in no helpful order


async def test_a_unit_of_work_commits_when_it_returns_and_rolls_back_when_it_raises(database: Database) -> None:
    """A unit of work is all or nothing."""

    def good(connection: Connection) -> int:
        apply(connection, [], [contact(name="韩梅梅")])
        return 7

    def bad(connection: Connection) -> None:
        apply(connection, [], [contact(name="gone")])
        raise KeyError("no")

    assert await database.write(good) == 7
    with pytest.raises(KeyError):
        await database.write(bad)
    assert await database.read(count(tables.contacts)) == 1


async def test_what_comes_while_another_is_worked_shares_its_commit(sqlite: Database) -> None:
    """The later sees what the earlier wrote, and nobody else does before both are committed: one fsync for the two."""
    begun, go = threading.Event(), threading.Event()
    notes = select(func.count()).select_from(tables.notes).where(tables.notes.c.key == "first")

    def first(connection: Connection) -> None:
        connection.execute(insert(tables.notes), {"key": "first", "value": "-"})
        begun.set()
        assert go.wait(10)

    def second(connection: Connection) -> tuple[int, int]:
        with create_engine(sqlite.url).connect() as another:
            return connection.execute(notes).scalar_one(), another.execute(notes).scalar_one()

    one = asyncio.create_task(sqlite.write(first))
    assert await asyncio.to_thread(begun.wait, 10)
    two = asyncio.create_task(sqlite.write(second))
    await asyncio.sleep(0)  # it stands in line
    go.set()
    assert await two == (1, 0)
    await one
    assert await sqlite.read(lambda connection: connection.execute(notes).scalar_one()) == 1


async def test_works_that_share_a_commit_do_not_share_a_fate(database: Database) -> None:
    """One that fails among many that wait leaves the others done, each once."""

    def failing(connection: Connection) -> None:
        connection.execute(insert(tables.contacts), {"name": "x", "created_at": NOW})
        raise ValueError("mine alone")

    def fine(connection: Connection) -> None:
        connection.execute(insert(tables.contacts), {"name": "y", "created_at": NOW})

    results = await asyncio.gather(
        *(database.write(failing if n % 10 == 3 else fine) for n in range(100)), return_exceptions=True
    )
    assert sum(isinstance(result, ValueError) for result in results) == 10
    assert sum(result is None for result in results) == 90
    assert await database.read(count(tables.contacts)) == 90


async def test_times_keep_their_microseconds_and_come_back_in_utc(database: Database) -> None:
    """A time from any zone is the same instant afterwards."""
    shanghai = NOW.astimezone(timezone(timedelta(hours=8)))
    row = contact(name="z")
    row.values["created_at"] = shanghai
    await database.write(lambda connection: apply(connection, [], [row]))
    kept = await database.read(lambda connection: connection.execute(select(tables.contacts.c.created_at)).scalar_one())
    assert kept == NOW
    assert kept.utcoffset() == timedelta(0)


async def test_a_time_without_its_zone_is_refused(database: Database) -> None:
    """A naive time would mean something else on the next machine."""
    row = contact()
    row.values["created_at"] = datetime(2026, 1, 1)  # noqa: DTZ001
    with pytest.raises(Exception, match="without its zone"):
        await database.write(lambda connection: apply(connection, [], [row]))


@pytest.mark.parametrize(
    "hostile",
    ["a\0b", "\ud800", "\udfff\ud83d", "\u202eabc", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "汉" * 5000],
)
async def test_text_from_people_is_kept_whatever_it_holds(database: Database, hostile: str) -> None:
    """NUL and lone surrogates are replaced, everything else is kept to the letter, in text and in JSON."""
    talk, address, person = conversation("t")
    message = Insert(
        tables.messages,
        {"conversation_id": talk, "author": "customer", "text": hostile, "data": {"t": hostile}, "created_at": NOW},
    )
    await database.write(lambda connection: apply(connection, [], [message, talk, address, person]))
    text, data = await database.read(
        lambda connection: connection.execute(select(tables.messages.c.text, tables.messages.c.data)).one()
    )
    assert text == clean(hostile)
    assert clean(data["t"]) == clean(hostile)
    if "\0" not in hostile and hostile.isprintable():
        assert text == hostile


@given(st.text())
def test_cleaning_leaves_only_what_both_databases_keep(text: str) -> None:
    """Cleaned text is UTF-8 without NUL, and cleaning it again changes nothing."""
    cleaned = clean(text)
    assert "\0" not in cleaned
    assert cleaned.encode().decode() == cleaned
    assert clean(cleaned) == cleaned


def test_json_with_a_lone_surrogate_is_kept() -> None:
    """orjson refuses it; the rest of the value must not be lost for that."""
    assert dump({"a": ["\ud800x", 1, None]}) == '{"a": ["\ufffdx", 1, null]}'.encode()


async def test_rows_are_written_after_those_they_hang_on(database: Database) -> None:
    """Changes are given in any order; ids of new rows are filled in, and what is said of them too."""
    rows = conversation("chat:web:a:1")
    said = Insert(
        tables.messages,
        {
            "conversation_id": rows[0],
            "author": "bot",
            "text": Later(lambda: f"conversation {rows[0].id}"),
            "created_at": NOW,
        },
    )
    await database.write(lambda connection: apply(connection, [], [said, *rows]))
    found = await database.read(Conversation.find)
    assert [talk.id for talk in found] == [rows[0].id]
    text = await database.read(lambda connection: connection.execute(select(tables.messages.c.text)).scalar_one())
    assert text == f"conversation {found[0].id}"


async def test_ids_follow_the_order_in_which_rows_were_given(database: Database) -> None:
    """Order within a lane is the order of ids."""
    rows = [contact(name=str(n)) for n in range(500)]
    await database.write(lambda connection: apply(connection, [], rows))
    found = await database.read(Contact.find)
    assert [each.name for each in found] == [str(n) for n in range(500)]
    assert [each.id for each in found] == [row.id for row in rows]


async def test_two_who_share_a_transaction_do_not_change_one_row_unseen(database: Database) -> None:
    """Both decided on the same version: together they are a conflict, though nobody else moved it."""
    rows = conversation("chat:web:a:1")
    await database.write(lambda connection: apply(connection, [], rows))
    row = rows[0].id
    assert row is not None
    twice = [Guard(tables.conversations, row, 0), Guard(tables.conversations, row, 0)]
    changes = [Update(tables.conversations, row, {"version": 1, "owner": owner}) for owner in ("agent", "queue")]
    with pytest.raises(Conflict, match="changed twice"):
        await database.write(lambda connection: apply(connection, twice, changes))


async def test_a_moved_version_is_a_conflict_and_writes_nothing(database: Database) -> None:
    """Two who decided on the same version: one wins, the other must look again."""
    rows = conversation("chat:web:a:1")
    await database.write(lambda connection: apply(connection, [], rows))
    row = rows[0].id
    assert row is not None

    def move(connection: Connection) -> None:
        apply(
            connection,
            [Guard(tables.conversations, row, 0)],
            [Update(tables.conversations, row, {"version": 1, "owner": "agent"}), contact(name="beside")],
        )

    results = await asyncio.gather(*(database.write(move) for _ in range(20)), return_exceptions=True)
    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 19
    assert await database.read(count(tables.contacts)) == 2


async def test_a_row_that_must_be_unique_is_refused(database: Database) -> None:
    """Two conversations of one lane cannot be made."""
    await database.write(lambda connection: apply(connection, [], conversation("one")))
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: apply(connection, [], conversation("one")))


async def test_foreign_keys_hold(database: Database) -> None:
    """A row never hangs on nothing."""
    orphan = Insert(tables.messages, {"conversation_id": 12345, "author": "bot", "text": "x", "created_at": NOW})
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: apply(connection, [], [orphan]))


async def test_the_databases_own_clock_is_about_now(database: Database) -> None:
    """Leases are in seconds since 1970."""
    seconds = await database.read(lambda connection: connection.execute(select(database_now())).scalar_one())
    assert abs(seconds - datetime.now(UTC).timestamp()) < 60


async def test_migrating_twice_does_nothing_and_the_result_is_what_the_code_declares(database: Database) -> None:
    """The migrations and the tables say the same, but for what PostgreSQL's partitions hold by themselves."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    assert not await upgrade(database)
    months = tuple(f"{name}_" for name in PARTITIONED)
    apart = {*LOOSE, *(name for names in ALONE.values() for name in names)}

    def said(of: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
        of_month = kind == "table" and reflected and (name or "").startswith(months)
        return not of_month and not (database.url.startswith("postgresql") and name in apart)

    def difference(connection: Connection) -> Any:
        return compare_metadata(MigrationContext.configure(connection, opts={"include_object": said}), tables.metadata)

    assert await database.read(difference) == []


async def test_cases_that_wait_for_an_answer_at_the_upgrade_have_a_clock(tmp_path: Any, postgres_server: str) -> None:
    """As it was promised to them; those that were answered or are over have none."""
    from conftest import new_database

    def before(connection: Connection) -> None:
        upgrade_to(connection, "0004")
        made = {
            "contact_id": 1,
            "conversation_id": 1,
            "origin": "conversation",
            "title": "x",
            "nature": [],
            "aspect": [],
        }
        made |= {"fields": {}, "language": "en", "opened_at": NOW, "respond_by": NOW + timedelta(hours=2)}
        apply(connection, [], conversation("a"))
        for state, values in (
            ("acknowledged", {"urgency": "urgent"}),
            ("acknowledged", {"urgency": "normal", "responded_at": NOW}),
            ("withdrawn", {"urgency": "normal", "closed_at": NOW}),
            ("assigned", {"urgency": "normal"}),
        ):
            connection.execute(insert(tables.cases).values(made | values | {"state": state}))

    for url in (f"sqlite:///{tmp_path / 'x.db'}", await new_database(postgres_server)):
        database = open_database(url)
        await database.write_slowly(before)
        assert await database.read(count(tables.cases)) == 4
        await upgrade(database)
        rows = await database.read(lambda connection: Deadline.find(connection, tables.deadlines.c.id > 0))
        assert [(row.case_id, row.kind, row.state, row.counted) for row in rows] == [
            (1, "first_response", "running", "clock"),
            (4, "first_response", "running", "workdays"),
        ]
        for row in rows:
            assert (row.started_at, row.counted_from) == (NOW, NOW)
            assert (row.warn_at, row.due_at, row.next_at) == (NOW + timedelta(hours=2),) * 3
        await database.close()


async def test_two_starts_at_once_migrate_once(tmp_path: Any, postgres_server: str) -> None:
    """A rolling start does not collide with itself."""
    from conftest import new_database

    for url in (f"sqlite:///{tmp_path / 'x.db'}", await new_database(postgres_server)):
        both = [open_database(url), open_database(url)]
        await asyncio.gather(*(upgrade(each) for each in both))
        for each in both:
            await each.close()


async def test_a_database_of_a_newer_version_is_refused_with_the_remedy(database: Database) -> None:
    """An old program must not write to tables it does not know."""
    await _written_by(database, "9999", oldest="9998")
    with pytest.raises(NewerSchema, match=f"9999.*up to {HEAD}.*install the Earful that wrote it"):
        await upgrade(database)


async def test_during_a_rolling_upgrade_the_old_version_may_start_again(database: Database) -> None:
    """Where the newer one says that it only added to the tables, and nowhere else."""
    await _written_by(database, "9999", oldest=HEAD)
    assert not await upgrade(database)


async def _written_by(database: Database, version: str, oldest: str) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("update alembic_version set version_num = :it"), {"it": version})
        connection.execute(text("update notes set value = :it where key = 'oldest_reader'"), {"it": oldest})

    await database.write(work)


async def test_a_start_waits_for_another_that_migrates_for_long(postgres_server: str) -> None:
    """Longer than any other lock is waited for."""
    from conftest import new_database

    url = await new_database(postgres_server)
    other = await asyncpg.connect(url)
    mine = open_database(url)
    async with other.transaction():
        await other.execute("select pg_advisory_xact_lock($1)", _LOCK)
        starting = asyncio.create_task(upgrade(mine))

        async def waits() -> bool:
            return bool(await other.fetchval("select count(*) from pg_locks where not granted"))

        await until(waits, 20, "the second start waits")
        await asyncio.sleep(2.2)  # lock_timeout is the server's own clock: 2 s
        assert not starting.done()
    assert await starting
    await other.close()
    await mine.close()


async def test_a_server_that_refuses_says_what_to_do(postgres_server: str) -> None:
    """Which of user, password and database is wrong, and never the password."""
    for url, said in (
        (make_url(postgres_server.replace("/?", "/nowhere?")), "createdb"),
        (make_url(postgres_server.replace("/?", "/postgres?")).set(username="nobody", password="hush"), "correct"),
    ):
        database = open_database(url.render_as_string(hide_password=False))
        with pytest.raises(Unusable, match=f"(?i){said}") as refused:
            await upgrade(database)
        assert "hush" not in str(refused.value)
        await database.close()


@pytest.mark.parametrize(
    ("url", "remedy"),
    [("mysql://x/y", "use sqlite:///"), ("sqlite://", "needs a file"), ("sqlite:///:memory:", "needs a file")],
)
def test_an_address_we_cannot_open_says_what_to_write(url: str, remedy: str) -> None:
    """A clear refusal instead of a driver's traceback."""
    with pytest.raises(ValueError, match=remedy):
        open_database(url)


async def test_sqlite_is_as_durable_as_promised(tmp_path: Any) -> None:
    """WAL, synchronous=FULL and foreign keys, on every connection."""
    database = SQLite(tmp_path / "d" / "earful.db")

    def pragmas(connection: Connection) -> list[Any]:
        return [
            connection.exec_driver_sql(f"pragma {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert await database.write(pragmas) == ["wal", 2, 1]
    assert await database.read(pragmas) == ["wal", 2, 1]
    await database.close()


async def test_a_full_disk_fails_the_work_and_not_the_service(tmp_path: Any) -> None:
    """What cannot be kept is said so; when there is room again, work goes on."""
    database = SQLite(tmp_path / "earful.db")
    await upgrade(database)
    pages = await database.write(lambda connection: connection.exec_driver_sql("pragma page_count").scalar())
    await database.write(lambda connection: connection.exec_driver_sql(f"pragma max_page_count={pages}").scalar())

    def big(connection: Connection) -> None:
        apply(connection, [], [contact(name="n" * 100_000)])

    results = await asyncio.gather(*(database.write(big) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(result, OperationalError) for result in results)
    await database.write(lambda connection: connection.exec_driver_sql("pragma max_page_count=1000000").scalar())
    await database.write(big)
    assert await database.read(count(tables.contacts)) == 1
    await database.close()


async def test_a_commit_that_fails_leaves_nothing_open_behind_it(tmp_path: Any) -> None:
    """SQLite keeps a transaction whose COMMIT failed: the next work must not find itself within it."""
    database = SQLite(tmp_path / "earful.db")
    await database.write(
        lambda connection: connection.exec_driver_sql("create table a (id integer primary key)").close()
    )
    later = "create table b (a integer references a deferrable initially deferred)"
    await database.write(lambda connection: connection.exec_driver_sql(later).close())
    for _ in range(2):
        with pytest.raises(IntegrityError):  # at the COMMIT, not before
            await database.write(lambda connection: connection.exec_driver_sql("insert into b values (1)").rowcount)
    await database.write(lambda connection: connection.exec_driver_sql("insert into a values (1)").rowcount)
    found = "select (select count(*) from a), (select count(*) from b)"
    assert await database.read(lambda connection: tuple(connection.exec_driver_sql(found).one())) == (1, 0)
    await database.close()


async def test_a_database_that_cannot_be_opened_fails_the_work_and_is_tried_again(tmp_path: Any) -> None:
    """Nobody waits for ever: the work is told what is wrong, and the next finds the file when it is there."""
    place = tmp_path / "earful.db"
    place.mkdir()
    database = SQLite(place)
    async with asyncio.timeout(5):
        for work in (database.write, database.read):
            with pytest.raises(OperationalError) as found:
                await work(lambda connection: None)
            assert is_outage(found.value)
        place.rmdir()
        assert await database.write(lambda _: 1) == 1
        assert await database.read(lambda _: 1) == 1
    await database.close()


def test_sqlites_own_default_would_lose_updates(tmp_path: Any) -> None:
    """Why we begin IMMEDIATE: with the driver's default a read-then-write of two connections loses one."""
    engine = create_engine(f"sqlite:///{tmp_path / 'plain.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("create table n (v integer)")
        connection.exec_driver_sql("insert into n values (0)")
    with engine.connect() as one, engine.connect() as two:
        seen = [each.exec_driver_sql("select v from n").scalar_one() for each in (one, two)]
        one.exec_driver_sql(f"update n set v = {seen[0] + 1}")
        one.commit()
        two.exec_driver_sql(f"update n set v = {seen[1] + 1}")
        two.commit()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select v from n").scalar_one() == 1


async def test_ids_are_told_in_the_order_of_the_rows(database: Database) -> None:
    """One of many as well as many, in one trip."""
    names = [f"n{number}" for number in range(70)]

    def work(connection: Connection) -> list[int]:
        told = insert_told(tables.contacts, ("name", "created_at"), connection.dialect)
        rows = [{"name": name, "created_at": NOW} for name in names]
        return [*told.told(connection, rows[:1]), *told.told(connection, rows[1:])]

    ids = await database.write(work)
    found = await database.read(lambda c: dict(c.execute(select(tables.contacts.c.id, tables.contacts.c.name)).all()))
    assert [found[each] for each in ids] == names
