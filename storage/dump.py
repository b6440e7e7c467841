"""A backup that does not depend on the database it came from: every table, row by row, as compressed JSON lines.

The first line says what it is and of which version; then each table with its columns, its rows as lists of values, and
at the end how many rows there were, so that half a file is not taken for a whole one. What was written from SQLite can
be read into PostgreSQL, and the other way round.
"""

from __future__ import annotations

import base64
import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    Connection,
    FromClause,
    LargeBinary,
    Table,
    func,
    insert,
    inspect,
    literal,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.exc import DataError, IntegrityError

from storage.database import Database
from storage.months import prepare_for
from storage.schema import HEAD, NewerSchema, upgrade, upgrade_to
from storage.tables import attachment_parts, leases, metadata, notes, outbox
from storage.types import UtcDateTime

FORMAT = 1
PAGE = 2_000
HEAVY = {attachment_parts.name: 16}
"""Rows at a time of tables whose rows are large."""

RESTORED = "it waited when the backup was made, and may have been sent since"
_LEFT_OUT = {leases.name}
"""What is true only of the processes that run."""
_OUR_OWN = "oldest_reader"


class BadBackup(Exception):
    """The file cannot be used, or not here. The message says why and what to do."""


async def backup(database: Database, file: Path, now: datetime) -> int:
    """Write everything, as it is at one moment, while the service may go on. The file is readable by us only, and
    appears whole or not at all. The number of rows."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            with gzip.GzipFile("", "wb", 6, raw) as packed:
                count = await database.snapshot(lambda connection: _write(connection, packed, now))
            raw.flush()
            os.fsync(raw.fileno())
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)
    return count


async def restore(database: Database, file: Path, *, resume: bool) -> int:
    """Read a backup into an empty database, all or nothing, and bring it to this version. `resume`: nothing was sent
    since it was made, so what waited is sent; otherwise that becomes unknown, for people to decide. The number of rows.
    Raises BadBackup, NewerSchema."""
    with _opened(file) as lines:
        version = str(_line(lines, file).get("version", ""))
    if version > HEAD:
        raise NewerSchema(f"{file} was written by a newer Earful ({version}, this one knows {HEAD}): install that one")
    count = await database.write_slowly(lambda connection: _read(connection, file, version, resume))
    await upgrade(database)
    return count


# ---- writing ----


def _write(connection: Connection, packed: gzip.GzipFile, now: datetime) -> int:
    _put(packed, {"earful": FORMAT, "version": HEAD, "made_at": now.isoformat()})
    count = 0
    for table in metadata.sorted_tables:
        if table.name in _LEFT_OUT:
            continue
        columns = list(table.columns)
        _put(packed, {"table": table.name, "columns": [column.name for column in columns]})
        writers = [_writer(column) for column in columns]
        for row in _rows(connection, table):
            _put(packed, [None if value is None else write(value) for write, value in zip(writers, row, strict=True)])
            count += 1
    _put(packed, {"rows": count})
    return count


def _rows(connection: Connection, table: Table) -> Iterator[Any]:
    """Page by page: a history need not fit into memory."""
    keys = list(table.primary_key.columns)
    places = [list(table.columns).index(key) for key in keys]
    statement = select(table).order_by(*keys).limit(HEAVY.get(table.name, PAGE))
    if table is notes:
        statement = statement.where(notes.c.key != _OUR_OWN)
    page = connection.execute(statement).all()
    while page:
        yield from page
        last = tuple_(*(literal(page[-1][place], key.type) for place, key in zip(places, keys, strict=True)))
        page = connection.execute(statement.where(tuple_(*keys) > last)).all()


def _put(packed: gzip.GzipFile, line: Any) -> None:
    packed.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _writer(column: Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, UtcDateTime):
        return datetime.isoformat
    if isinstance(column.type, LargeBinary):
        return lambda value: base64.b64encode(value).decode()
    return lambda value: value


# ---- reading ----


def _read(connection: Connection, file: Path, version: str, resume: bool) -> int:
    upgrade_to(connection, version)
    there = set(inspect(connection).get_table_names())  # an older backup is of a time before some of ours
    for each in metadata.sorted_tables:
        if (
            each.name in there
            and each not in (leases, notes)
            and connection.execute(select(*each.primary_key.columns).limit(1)).first()
        ):
            raise BadBackup(
                f"the database is not empty ({each.name} has rows). Restore into a new one: name it in "
                "EARFUL_DATABASE_URL, or move the old file away, and start the service only afterwards"
            )
    connection.execute(notes.delete().where(notes.c.key != _OUR_OWN))
    count = 0
    with _opened(file) as lines:
        _line(lines, file)
        table: Table | None = None
        columns: list[str] = []
        waiting: list[list[Any]] = []
        among_themselves: list[tuple[Column[Any], Any, Any]] = []
        for raw in _whole(lines, file):
            line = orjson.loads(raw)
            if isinstance(line, list):
                waiting.append(line)
                count += 1
            if table is not None and waiting and (len(waiting) == PAGE or isinstance(line, dict)):
                among_themselves += _insert(connection, table, columns, waiting)
                waiting = []
            if isinstance(line, dict) and "rows" in line:
                if line["rows"] != count:
                    raise BadBackup(f"{file} lost rows: it says {line['rows']}, there are {count}")
                break
            if isinstance(line, dict):
                table, columns = metadata.tables[line["table"]], line["columns"]
        else:
            raise BadBackup(f"{file} is not whole: its end is missing. Use another backup")
    _refer(connection, among_themselves)
    if connection.dialect.name == "postgresql":
        _sequences(connection)
    if not resume:
        held = update(outbox).where(outbox.c.state.in_(["queued", "sending"]))
        connection.execute(held.values(state="unknown", reason=RESTORED))
    return count


def _insert(
    connection: Connection, table: Table, columns: list[str], rows: list[list[Any]]
) -> list[tuple[Column[Any], Any, Any]]:
    """Write rows, but for what refers to a row of the same table, which may come later: these columns, with the id of
    their row and that of the other."""
    readers = [_reader(table.columns[name]) for name in columns]
    values: list[dict[str, Any]] = [
        {name: None if value is None else read(value) for name, read, value in zip(columns, readers, row, strict=True)}
        for row in rows
    ]
    left = []
    for column in (table.columns[name] for name in columns):
        if any(key.column.table is table for key in column.foreign_keys):
            left += [(column, row["id"], row[column.name]) for row in values if row[column.name] is not None]
            values = [row | {column.name: None} for row in values]
    if "id" in table.columns:
        prepare_for(connection, table, (row["id"] for row in values))
    try:
        connection.execute(insert(table), values)
    except (IntegrityError, DataError) as error:
        raise _misfit(table) from error
    return left


def _refer(connection: Connection, left: list[tuple[Column[Any], Any, Any]]) -> None:
    """What was left open, now that every row is there."""
    for column, id_, other in left:
        try:
            connection.execute(update(column.table).where(column.table.c.id == id_).values({column: other}))
        except IntegrityError as error:
            raise _misfit(column.table) from error


def _misfit(table: FromClause) -> BadBackup:
    return BadBackup(f"the rows of {table.description} do not fit together. Use another backup")


def _reader(column: Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat
    if isinstance(column.type, LargeBinary):
        return base64.b64decode
    return lambda value: value


def _sequences(connection: Connection) -> None:
    """Ids go on after the highest that was restored."""
    there = set(inspect(connection).get_table_names())
    for table in metadata.sorted_tables:
        if table.name in there and "id" in table.columns:
            highest = connection.execute(select(func.max(table.c.id))).scalar()
            if highest:
                sequence = text("select setval(pg_get_serial_sequence(:name, 'id'), :highest)")
                connection.execute(sequence, {"name": table.name, "highest": highest})


def _opened(file: Path) -> gzip.GzipFile:
    try:
        return gzip.open(file, "rb")
    except OSError as error:
        raise BadBackup(f"{file} cannot be read: {error.strerror}") from error


def _whole(lines: gzip.GzipFile, file: Path) -> Iterator[bytes]:
    try:
        yield from lines
    except (OSError, EOFError, zlib.error) as error:
        raise BadBackup(f"{file} is damaged or not whole. Use another backup") from error


def _line(lines: gzip.GzipFile, file: Path) -> dict[str, Any]:
    """The first line. Raises BadBackup where it is not one of ours."""
    try:
        found = orjson.loads(next(iter(lines), b""))
    except (OSError, EOFError, ValueError, zlib.error):
        found = None
    if not isinstance(found, dict) or found.get("earful") != FORMAT:
        raise BadBackup(f"{file} is no backup of Earful's. `earful backup FILE` writes them")
    return found
