"""What was kept for long enough goes, by the month on PostgreSQL and in batches on SQLite; what is open stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import new_database
from loop_parts import START, Rig
from sqlalchemy import Connection, func, insert, select, text, update

from bot.attachments import store
from bot.attachments.kinds import taken
from bot.loop.retention import REST, Kept, Retention
from bot.loop.state import _MESSAGES
from storage import expiring, months, tables
from storage.database import Database, open_database
from storage.dump import backup, restore
from storage.postgresql import PostgreSQL
from storage.prepared import Prepared
from storage.records import Message
from storage.schema import upgrade, upgrade_to

LONG_AGO = datetime.now(UTC).replace(day=10) - timedelta(days=400)
"""The database's own clock counts too, so these tests begin in the past rather than end in the future."""
KEPT = Kept(timedelta(days=100), timedelta(days=30), timedelta(days=100))
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


class Past(Rig):
    """A loop, first in a month long gone, and what lets go of what it kept."""

    def __init__(self, database: Database, kept: Kept = KEPT) -> None:
        super().__init__(database)
        self.clock.advance(LONG_AGO - START)
        self.retention = Retention(database, self.clock, kept)

    async def say(self, words: str, thread: str) -> None:
        await self.hear(words, thread=thread)
        await self.settle()

    async def later(self, days: int) -> None:
        """Meanwhile nothing was let go."""
        self.clock.advance(timedelta(days=days))
        now = self.clock.now()
        await self.database.write(lambda connection: months.prepare(connection, now))

    async def work(self, *statements: Any) -> None:
        def work(connection: Connection) -> None:
            for statement in statements:
                connection.execute(statement)

        await self.database.write(work)

    async def texts(self) -> list[str]:
        statement = select(tables.messages.c.text).order_by(tables.messages.c.id)
        return await self.database.read(lambda connection: list(connection.execute(statement).scalars()))

    async def talk(self, thread: str) -> int:
        statement = select(tables.conversations.c.id).where(tables.conversations.c.thread == thread)
        return await self.database.read(lambda connection: int(connection.execute(statement).scalar_one()))

    async def count(self, table: Any) -> int:
        statement = select(func.count()).select_from(table)
        return await self.database.read(lambda connection: int(connection.execute(statement).scalar_one()))

    async def partitions(self) -> dict[str, list[str]]:
        found = {}
        for table in (tables.messages, tables.outbox, tables.attempts):
            of = await self.database.read(lambda connection, of=table: months.months(connection, of))  # type: ignore[misc]
            found[table.name] = [month.name for month in of]
        return found


def case(talk: int, state: str, at: datetime) -> Any:
    made: dict[str, Any] = {"contact_id": 1, "conversation_id": talk, "origin": "conversation", "state": state}
    made |= {"title": "x", "nature": [], "aspect": [], "urgency": "normal", "fields": {}, "language": "en"}
    return insert(tables.cases).values(made | {"opened_at": at, "respond_by": at})


async def filled(database: Database, kept: Kept = KEPT) -> Past:
    """Four customers long ago: one asked, one is in the queue, one has an open case and one a closed one."""
    rig = Past(database, kept)
    await rig.later(0)
    for thread in ("asked", "queue", "open", "closed"):
        await rig.say(f"{thread} long ago", thread)
    at = rig.clock.now()
    talks = tables.conversations
    await rig.work(
        update(talks).where(talks.c.thread == "queue").values(owner="queue", queued_at=at),
        case(await rig.talk("open"), "in_progress", at),
        case(await rig.talk("closed"), "closed", at),
        insert(tables.audit).values(at=at, actor="x", action="x", subject="x"),
        update(tables.inbox).where(tables.inbox.c.lane == "chat:memory:a:closed").values(state="dead"),
    )
    kind, content = taken(PDF)
    for thread in ("asked", "open"):
        lane = f"chat:memory:a:{thread}"
        file = await store.keep(database, content, kind, "bill.pdf", at, lane=lane, sender="customer")
        await database.write(lambda connection, key=file.key: store.said(connection, [key]))  # type: ignore[misc]
    rows = await database.read(Message.find)
    await rig.work(
        insert(tables.staff).values(id=7, login="a", name="A", password="x", role="agent", created_at=at),
        *(
            insert(tables.corrections).values(message_id=row.id, staff_id=7, nature=[], created_at=at)
            for row in rows
            if row.author == "customer"
        ),
    )
    return rig


async def test_what_is_due_goes_and_what_is_open_or_young_stays(database: Database) -> None:
    """Messages with what was sent, corrections, files, events and the audit. A dead letter stays until it is replayed;
    once a case is closed its words go too."""
    rig = await filled(database)
    await rig.later(200)
    await rig.say("asked again", "asked")
    assert await rig.retention.look() > 0
    stays = ["queue long ago", "echo queue long ago", "open long ago", "echo open long ago"]
    assert await rig.texts() == [*stays, "asked again", "echo asked again"]
    assert await rig.count(tables.outbox) == await rig.count(tables.attempts) == 3
    assert await rig.count(tables.corrections) == 2
    assert (await rig.count(tables.attachments), await rig.count(tables.attachment_parts)) == (1, 1)
    assert (await rig.count(tables.audit), await rig.count(tables.inbox)) == (0, 2)
    assert rig.retention.done_at == rig.clock.now()
    first = LONG_AGO.strftime("messages_%Y%m")
    if isinstance(database, PostgreSQL):
        assert first in (await rig.partitions())["messages"]
    assert await rig.retention.look() == 0
    closed = update(tables.cases).values(state="closed")
    await rig.work(closed, update(tables.conversations).values(owner="bot", queued_at=None))
    rig.clock.advance(REST)
    await rig.retention.look()
    assert await rig.texts() == ["asked again", "echo asked again"]
    assert (await rig.count(tables.corrections), await rig.count(tables.attachments)) == (0, 0)
    assert first not in (await rig.partitions())["messages"]
    await rig.say("still here", "open")
    assert (await rig.texts())[-1] == "echo still here"


async def test_an_event_that_comes_again_within_two_weeks_has_one_effect(database: Database) -> None:
    """Whatever is set."""
    rig = Past(database, Kept.days(messages=1, events=14, audit=1))
    await rig.later(0)
    await rig.say("once", "t")
    rig.clock.advance(timedelta(days=13, hours=23))
    await rig.retention.look()
    await rig.say("once", "t")
    assert rig.adapter.texts() == ["echo once"]
    rig.clock.advance(timedelta(hours=2))
    await rig.retention.look()
    assert await rig.count(tables.inbox) == 0


async def test_by_default_messages_and_the_audit_are_kept_for_ever(database: Database) -> None:
    """And events as they came for ninety days."""
    rig = await filled(database, Kept.days(0, 90, 0))
    rig.clock.advance(timedelta(days=399))
    await rig.retention.look()
    assert (len(await rig.texts()), await rig.count(tables.audit), await rig.count(tables.inbox)) == (8, 1, 1)


async def test_a_clock_that_jumps_ahead_lets_nothing_go(database: Database) -> None:
    """The database's own clock must say so too; and when it comes back, everything goes on in order."""
    rig = await filled(database)
    await rig.later((datetime.now(UTC) - rig.clock.now()).days)
    await rig.say("today", "asked")
    rig.clock.advance(timedelta(days=366))
    await rig.retention.look()
    assert {"today", "open long ago", "queue long ago"} <= set(await rig.texts())
    await rig.say("in a year", "asked")
    rig.clock.advance(timedelta(days=-366))
    await rig.say("back again", "asked")
    await rig.retention.look()
    talk = await rig.talk("asked")
    rows = await database.read(lambda connection: Message.find(connection, tables.messages.c.conversation_id == talk))
    assert [row.text for row in rows if row.author == "customer"] == ["today", "in a year", "back again"]


async def test_a_failure_midway_loses_nothing_and_is_gone_on_with(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month goes as a whole or not at all, a batch too."""
    rig = await filled(database)
    await rig.later(200)
    before = await rig.count(tables.outbox), await rig.texts()

    def broken(*_: Any) -> None:
        raise OSError("gone in the middle of it")

    with monkeypatch.context() as patched:
        patched.setattr(months, "_unique", broken)
        patched.setitem(expiring._REMOVE, "messages", broken)
        with pytest.raises(OSError, match="in the middle"):
            await rig.retention.look()
    if isinstance(database, PostgreSQL):
        assert (await rig.count(tables.outbox), await rig.texts()) == before
    assert await rig.texts() == before[1]
    await rig.say("meanwhile", "asked")
    await rig.retention.look()
    assert (await rig.texts())[-3:] == ["echo open long ago", "meanwhile", "echo meanwhile"]
    assert await rig.count(tables.outbox) == 3


async def test_a_large_backlog_is_let_go_bit_by_bit(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look holds nobody up for long; the next goes on where it came to."""
    monkeypatch.setattr(expiring, "PAGE", 3)
    monkeypatch.setattr("bot.loop.retention.BATCHES", 6)
    rig = Past(sqlite)
    await rig.hear(*(f"{number}" for number in range(12)))
    await rig.settle()
    await rig.later(200)
    looks = 0
    while rig.retention.done_at is None:
        await rig.retention.look()
        looks += 1
    assert looks > 2
    assert (await rig.texts(), await rig.count(tables.inbox)) == ([], 0)


# ---- PostgreSQL ----


async def test_months_are_prepared_ahead_by_whoever_comes_and_ids_begin_with_theirs(postgresql: Database) -> None:
    """Two at once do not collide, a clock that is set back gives out no id twice, and a year's end is a month's too."""
    rig = Past(postgresql)
    december = datetime(LONG_AGO.year, 12, 31, 23, tzinfo=UTC)

    def prepared(at: datetime) -> Callable[[Connection], bool]:
        return lambda connection: months.prepare(connection, at)

    await asyncio.gather(*(postgresql.write(prepared(december)) for _ in range(4)))
    year = december.year
    assert (await rig.partitions())["messages"] == [
        f"messages_{each}" for each in (f"{year}12", f"{year + 1}01", f"{year + 1}02")
    ]
    await rig.say("one", "t")
    await postgresql.write(prepared(december + timedelta(hours=2)))
    await rig.say("two", "t")
    await postgresql.write(prepared(december))
    await rig.say("three", "t")
    rows = await postgresql.read(lambda connection: Message.find(connection, tables.messages.c.author == "customer"))
    assert [(row.text, row.id // months.ROWS) for row in rows] == [
        ("one", year * 100 + 12),
        ("two", year * 100 + 101),
        ("three", year * 100 + 101),
    ]


async def test_a_message_posted_twice_is_one_in_whatever_month(postgresql: Database) -> None:
    """What is unique is so in each partition."""
    rig = await filled(postgresql)
    again = {"conversation_id": 1, "author": "agent", "text": "x", "client_key": "k", "created_at": rig.clock.now()}
    await rig.work(insert(tables.messages).values(again))
    with pytest.raises(Exception, match="uq_messages_conversation_id_client_key"):
        await rig.work(insert(tables.messages).values(again))
    private = {"conversation_id": 1, "channel": "m", "account": "a", "address": "b", "place": "m:a:b", "kind": "survey"}
    private |= {"form": "private_reply", "text": "x", "target": "c1", "not_before": LONG_AGO, "created_at": LONG_AGO}
    await rig.work(insert(tables.outbox).values(private))
    with pytest.raises(Exception, match="uq_outbox_private_reply"):
        await rig.work(insert(tables.outbox).values(private))


async def test_tables_that_are_full_already_become_the_first_partition(postgres_server: str) -> None:
    """Nothing is copied, ids go on, and what was written before is found as before."""
    database = open_database(await new_database(postgres_server))
    await database.write_slowly(lambda connection: upgrade_to(connection, "0016"))
    rig = Past(database)
    await rig.say("before", "t")
    node = text("select relfilenode from pg_class where relname = :it")

    def file(name: str) -> Callable[[Connection], int]:
        return lambda connection: int(connection.execute(node, {"it": name}).scalar_one())

    old = await database.read(file("messages"))
    await upgrade(database)
    assert await database.read(file("messages_before")) == old
    await rig.say("after", "t")
    await rig.later(0)
    await rig.say("by month", "t")
    rows = await database.read(Message.find)
    assert [row.text for row in rows] == ["before", "echo before", "after", "echo after", "by month", "echo by month"]
    assert [row.id for row in rows][:4] == [1, 2, 3, 4]
    assert await rig.partitions() == {
        table: [(f"{table}_{first // months.ROWS}") for first in months._following(LONG_AGO)]
        for table in ("messages", "outbox", "attempts")
    }
    await rig.later(200)
    await rig.retention.look()
    assert await rig.texts() == []
    await database.close()


async def test_a_row_is_looked_up_in_its_own_month_and_a_conversation_by_its_index(postgresql: Database) -> None:
    """However many months there are: PostgreSQL's own plans, for parameters that it does not know."""
    rig = await filled(postgresql)
    for _ in range(12):
        await rig.later(31)
    await rig.say("now", "asked")
    rows = await postgresql.read(lambda connection: Message.find(connection, tables.messages.c.text == "now"))
    ids = "{" + f"{rows[0].id}" + "}"
    newest = (
        Message.select().where(tables.messages.c.conversation_id == 1).order_by(tables.messages.c.id.desc()).limit(1)
    )

    def plans(connection: Connection) -> tuple[str, str]:
        by_id = Prepared(_MESSAGES, connection.dialect).sql
        of_talk = str(newest.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
        for statement in ("set local enable_seqscan = off", "set local plan_cache_mode = force_generic_plan"):
            connection.execute(text(statement))
        connection.exec_driver_sql(f"prepare by_id as {by_id}")
        found = []
        for statement in (f"execute by_id('{ids}')", of_talk):
            plan = connection.exec_driver_sql(f"explain (costs off, analyze, timing off, summary off) {statement}")
            found.append("\n".join(plan.scalars()))
        return found[0], found[1]

    by_id, of_talk = await postgresql.write(plans)
    assert by_id.count(" on messages_") == 1, by_id
    assert "Subplans Removed" in by_id
    assert "Seq Scan" not in of_talk
    assert "Sort" not in of_talk.replace("Sort Key", "")
    assert of_talk.count("never executed") >= 8, of_talk  # from the newest month on, until there are enough


async def test_a_backup_of_many_months_is_restored(postgresql: Database, postgres_server: str, tmp_path: Path) -> None:
    """Their partitions are made as they are needed, in PostgreSQL; in SQLite the ids are just ids."""
    rig = await filled(postgresql)
    await rig.later(70)
    await rig.say("two months on", "asked")
    await backup(postgresql, tmp_path / "b", LONG_AGO)
    for url in (await new_database(postgres_server), f"sqlite:///{tmp_path / 'x.db'}"):
        database = open_database(url)
        await restore(database, tmp_path / "b", resume=True)
        other = Past(database)
        assert await other.texts() == await rig.texts()
        other.clock.advance(timedelta(days=71))
        await other.say("goes on", "asked")
        assert (await other.texts())[-1] == "echo goes on"
        await other.retention.look()
        await database.close()
