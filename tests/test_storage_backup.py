"""Dump and restore: the same in SQLite and PostgreSQL, from one to the other, whole or not at all."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from api_parts import Place
from loop_parts import START, Rig
from sqlalchemy import Connection, inspect, select

from bot.loop import merging
from bot.loop.casework import Worker
from channels.base import Unknown
from storage import dump, tables
from storage.database import Database, open_database
from storage.dump import BadBackup, backup, restore
from storage.schema import NewerSchema, upgrade, upgrade_to


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database with no table in it."""
    from conftest import new_database

    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'restored.db'}"
    else:
        url = await new_database(request.getfixturevalue("postgres_server"))
    opened = open_database(url)
    yield opened
    await opened.close()


def content(connection: Connection) -> dict[str, list[Any]]:
    return {
        table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
        for table in tables.metadata.sorted_tables
        if table.name != "leases"
    }


async def busy(database: Database) -> Rig:
    """A service in the middle of things: sent, queued, timers, raw bytes, whatever people write."""
    rig = Rig(database)
    await rig.hear("你好 👩‍🚀 \x00 \ud800", key="strange")
    await rig.hear("second")
    await rig.settle()
    raw = Unknown(dedupe_key="u", thread="unknown", raw=b"\x00\xff{")
    await rig.intake.accept("memory", "a", [raw])
    await rig.hear("waits", thread="other")
    await rig.turns.settle()  # decided, and not sent yet
    await rig.hear("unread", thread="third")
    return rig


async def test_what_is_restored_is_what_was_there_and_goes_on(
    database: Database, empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into either database from either; new ids do not collide, what waited is sent, what came twice has one effect."""
    monkeypatch.setattr(dump, "PAGE", 2)
    await busy(database)
    file = tmp_path / "earful.backup"
    count = await backup(database, file, START)
    assert file.stat().st_mode & 0o777 == 0o600
    assert await restore(empty, file, resume=True) == count
    assert await empty.read(content) == await database.read(content)
    rig = Rig(empty)
    rig.clock.advance(timedelta(minutes=1))
    await rig.hear("second")  # known by its key
    await rig.hear("new")
    await rig.turns.sweep()
    await rig.delivery.sweep()
    await rig.settle()
    assert sorted(rig.adapter.texts()) == ["echo new", "echo unread", "echo waits"]


async def test_what_waited_may_have_been_sent_since_and_is_for_people_to_decide(
    database: Database, empty: Database, tmp_path: Path
) -> None:
    """Last night's backup does not write to customers by itself."""
    await busy(database)
    await backup(database, tmp_path / "b", START)
    await restore(empty, tmp_path / "b", resume=False)
    rig = Rig(empty)
    await rig.delivery.sweep()
    await rig.delivery.settle()
    assert rig.adapter.sent == []
    statement = select(tables.outbox.c.state, tables.outbox.c.reason).where(tables.outbox.c.text == "echo waits")
    found = await empty.read(lambda connection: connection.execute(statement).one())
    assert tuple(found) == ("unknown", dump.RESTORED)


async def test_a_database_that_holds_something_is_left_alone(database: Database, tmp_path: Path) -> None:
    """With what to do instead."""
    await busy(database)
    before = await database.read(content)
    await backup(database, tmp_path / "b", START)
    with pytest.raises(BadBackup, match=r"not empty.*EARFUL_DATABASE_URL"):
        await restore(database, tmp_path / "b", resume=True)
    assert await database.read(content) == before


async def test_an_older_case_that_was_merged_into_a_newer_one_is_restored(
    database: Database, empty: Database, tmp_path: Path
) -> None:
    """A row may speak of one that comes after it."""
    place = Place(database)
    await place.say("The charger caught fire and burned my hand, I am hurt", "emma")
    await place.say("The charger caught fire, I am hurt", "otto")
    await merging.merge(place.service.casework, 1, 2, Worker("staff:1"), "the same batch")
    await backup(database, tmp_path / "b", START)
    await restore(empty, tmp_path / "b", resume=True)
    assert await empty.read(content) == await database.read(content)
    statement = select(tables.cases.c.merged_into).order_by(tables.cases.c.id)
    assert await empty.read(lambda connection: list(connection.execute(statement).scalars())) == [2, None]


async def test_a_backup_of_an_older_version_is_restored(sqlite: Database, empty: Database, tmp_path: Path) -> None:
    """Of a time before some of the tables and columns; they are there afterwards."""
    await busy(sqlite)
    file, older = tmp_path / "b", "0007"
    await backup(sqlite, file, START)
    then = open_database(f"sqlite:///{tmp_path / 'then.db'}")
    await then.write_slowly(lambda connection: upgrade_to(connection, older))
    known = await then.read(_columns)
    await then.close()
    first, *lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    old: list[Any] = [first | {"version": older}]
    kept: list[int] = []
    for line in lines:
        if isinstance(line, dict) and "table" in line:
            kept = [at for at, name in enumerate(line["columns"]) if name in known.get(line["table"], ())]
            old += [line | {"columns": [line["columns"][at] for at in kept]}] if kept else []
        elif isinstance(line, list):
            old += [[line[at] for at in kept]] if kept else []
    rows = sum(isinstance(line, list) for line in old)
    file.write_bytes(gzip.compress(b"\n".join(json.dumps(line).encode() for line in [*old, {"rows": rows}])))
    assert await restore(empty, file, resume=True) == rows
    for table in (tables.messages, tables.outbox, tables.knowledge_versions):
        statement = select(table).order_by(table.c.id)
        was = await sqlite.read(lambda connection, of=statement: connection.execute(of).all())  # type: ignore[misc] # bound here
        assert await empty.read(lambda connection, of=statement: connection.execute(of).all()) == was  # type: ignore[misc]


def _columns(connection: Connection) -> dict[str, set[str]]:
    """What each table has."""
    there = inspect(connection)
    return {name: {column["name"] for column in there.get_columns(name)} for name in there.get_table_names()}


@pytest.mark.parametrize("how", ["cut", "damaged", "no rows", "foreign", "newer", "fewer"])
async def test_half_a_file_is_not_taken_for_a_whole_one(sqlite: Database, tmp_path: Path, how: str) -> None:
    """Nothing is restored then."""
    await busy(sqlite)
    file = tmp_path / "b"
    await backup(sqlite, file, START)
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    whole = file.read_bytes()
    match how:
        case "cut":
            file.write_bytes(whole[: len(whole) // 2])
        case "damaged":
            file.write_bytes(whole[:400] + b"\x00\x01\x02\x03" + whole[404:])
        case "no rows":
            file.write_bytes(gzip.compress(b"".join(lines[:-1])))
        case "foreign":
            file.write_bytes(b"PK\x03\x04")
        case "newer":
            lines[0] = lines[0].replace(b'"version":"', b'"version":"9')
            file.write_bytes(gzip.compress(b"".join(lines)))
        case "fewer":
            place = next(number for number, line in enumerate(lines) if line.startswith(b"["))
            file.write_bytes(gzip.compress(b"".join(lines[:place] + lines[place + 1 :])))
    target = open_database(f"sqlite:///{tmp_path / 'target.db'}")
    with pytest.raises((BadBackup, NewerSchema)):
        await restore(target, file, resume=True)
    await upgrade(target)
    assert not any(rows for name, rows in (await target.read(content)).items() if name != "notes")
    await target.close()
