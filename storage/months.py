"""Tables that grow with every message, a month a partition on PostgreSQL, so that what is old goes by dropping.

A partition is a range of ids, not of times: a row is found by its id in one partition, keys and references stay those
of one column, and the order of ids never depends on a clock. The ids of a month begin with it (2026110000000001); the
first process that sees a new month moves the sequences there. What is of a time before this lies in `<table>_before`.
SQLite has one file and drops nothing: there `storage.expiring` alone does it, in small batches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, text

from storage import tables

ROWS = 10**10
"""Ids of a month. Were there more rows, they would only be in the next month's partition before its time."""
FIRST = 197001 * ROWS
"""No id of a time before months was as high."""
AHEAD = 2
"""Months whose partitions are made before anybody needs them."""

MESSAGES, AUDIT = "messages", "audit"
GROWING: Mapping[str, tuple[Table, ...]] = {
    MESSAGES: (tables.attempts, tables.outbox, tables.messages),
    AUDIT: (tables.audit,),
}
"""What goes together, what refers to others first."""
ALONE = {
    "messages": {"uq_messages_conversation_id_client_key": "(conversation_id, client_key)"},
    "outbox": {"uq_outbox_private_reply": "(channel, account, target) where form = 'private_reply'"},
}
"""What is unique within a month by an index, and beyond it by the conversation's version: PostgreSQL knows no unique
key across partitions that leaves out what they are made by."""
LOOSE = ("fk_outbox_message_id", "fk_attempts_outbox_id", "fk_corrections_message_id")
"""References that PostgreSQL does not check, for it would read every table to let a month go."""

_LOCK = 0x65617268  # by which two processes do not do this at once
_NAMED = re.compile(r".+_(\d{6})")
_TIMES = {"messages": "created_at", "outbox": "created_at", "attempts": "at", "audit": "at"}


@dataclass(frozen=True, slots=True)
class Month:
    """A partition: `first` is the lowest id that it may hold, `end` the lowest that it may not."""

    name: str
    first: int
    end: int


def first_id(at: datetime) -> int:
    """The lowest id of this month."""
    return (at.year * 100 + at.month) * ROWS


def months(connection: Connection, table: Table) -> list[Month]:
    """The partitions of a month each, oldest first; none on SQLite."""
    if connection.dialect.name != "postgresql":
        return []
    found = connection.execute(
        text("select inhrelid::regclass::text from pg_inherits where inhparent = cast(:name as regclass)"),
        {"name": table.name},
    )
    named = [(name, matched[1]) for name in found.scalars() if (matched := _NAMED.fullmatch(str(name)))]
    return [Month(name, int(digits) * ROWS, int(digits) * ROWS + ROWS) for name, digits in sorted(named)]


def prepare(connection: Connection, now: datetime) -> bool:
    """Make this month's partitions and the next ones', and let new ids be of this month. Any process may, as often as
    it likes; False where another is at it."""
    if connection.dialect.name != "postgresql" or not _mine(connection):
        return False
    for table in _ALL:
        there = {month.first for month in months(connection, table)}
        for first in _following(now):
            if first not in there:
                make(connection, table, first)
        # Only forwards: a clock that was set back gives out no id twice.
        connection.execute(
            text(
                f"select setval(:it, :first, false) where (select last_value from {table.name}_id_seq) < :first"  # noqa: S608
            ),
            {"it": f"{table.name}_id_seq", "first": first_id(now)},
        )
    return True


def prepare_for(connection: Connection, table: Table, ids: Iterable[int]) -> None:
    """The partitions that rows with these ids need: of a backup."""
    if connection.dialect.name != "postgresql" or table not in _ALL:
        return
    there = {month.first for month in months(connection, table)}
    for first in {id // ROWS * ROWS for id in ids if id >= FIRST} - there:
        make(connection, table, first)


def make(connection: Connection, table: Table, first: int) -> None:
    """A new, empty partition."""
    name = f"{table.name}_{first // ROWS}"
    _alone(connection, table)
    connection.execute(
        text(f"create table {name} partition of {table.name} for values from ({first}) to ({first + ROWS})")
    )
    _unique(connection, table, name)


def drop_oldest(connection: Connection, family: str, before: datetime, keep: str = "") -> int | None:
    """Let the oldest month of a family go that lies before `before` as a whole; how many rows went, None if there is
    none (any more), or another process is at it. Rows of the conversations that the query `keep` names stay, alone in
    their month. All or nothing."""
    if connection.dialect.name != "postgresql" or not _mine(connection):
        return None
    for table in GROWING[family]:
        for month in months(connection, table):
            if month.end > min(first_id(before), _reached(connection, table)):
                break
            gone = _drop(connection, table, month, before, _kept(table, keep))
            if gone is not None:
                return gone
    return None


# ---- ours ----

_ALL = tuple(table for family in GROWING.values() for table in reversed(family))  # as those lock them who write


def _mine(connection: Connection) -> bool:
    return bool(connection.execute(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar())


def _alone(connection: Connection, table: Table) -> None:
    """For the moment that it takes nobody writes: what is referred to is locked first, as those do who write."""
    connection.execute(text("set local lock_timeout = 1000"))  # whoever waits for a table keeps others waiting
    referred = {"messages": "staff, conversations", "outbox": "conversations"}.get(table.name)
    if referred:
        connection.execute(text(f"lock table {referred} in share row exclusive mode"))
    connection.execute(text(f"lock table {table.name} in access exclusive mode"))


def _following(now: datetime) -> Iterator[int]:
    month = now.year * 12 + now.month - 1
    for each in range(month, month + AHEAD + 1):
        yield (each // 12 * 100 + each % 12 + 1) * ROWS


def _reached(connection: Connection, table: Table) -> int:
    """How far ids have come: what is written to now, or will be, stays."""
    return int(connection.execute(text(f"select last_value from {table.name}_id_seq")).scalar_one())  # noqa: S608


def _kept(table: Table, keep: str) -> str:
    """Which rows stay, as a condition."""
    if not keep:
        return "false"
    if table is tables.attempts:
        return f"outbox_id in (select id from outbox where conversation_id in ({keep}))"  # noqa: S608 - of our own
    return f"conversation_id in ({keep})"


def _drop(connection: Connection, table: Table, month: Month, before: datetime, kept: str) -> int | None:
    name, spare = month.name, f"{month.name}_kept"
    # By the rows' own time as well: ids may have gone on in an old month while nobody looked.
    last = text(f"select {_TIMES[table.name]} from {name} order by id desc limit 1")  # noqa: S608
    if (at := connection.execute(last).scalar()) is not None and at >= before:
        return None
    newest = text(f"select count(*), max({_TIMES[table.name]}) from {name}")  # noqa: S608
    connection.execute(text(f"lock table only {name} in share mode"))
    rows, at = connection.execute(newest).one()
    if at is not None and at >= before:
        return None
    if rows and not connection.execute(text(f"select 1 from {name} where not ({kept}) limit 1")).first():  # noqa: S608
        return None
    connection.execute(text(f"create table {spare} (like {name} including defaults including storage)"))
    moved = connection.execute(text(f"insert into {spare} select * from {name} where {kept}")).rowcount  # noqa: S608
    _alone(connection, table)
    connection.execute(text(f"alter table {table.name} detach partition {name}"))
    connection.execute(text(f"drop table {name}"))
    if moved:
        connection.execute(text(f"alter table {spare} rename to {name}"))
        attach = f"alter table {table.name} attach partition {name} for values from ({month.first}) to ({month.end})"
        connection.execute(text(attach))
        _unique(connection, table, name)
    else:
        connection.execute(text(f"drop table {spare}"))
    if table is tables.messages:
        lost = (
            "delete from corrections where message_id >= :first and message_id < :end "
            "and not exists (select 1 from messages where messages.id = corrections.message_id)"
        )
        connection.execute(text(lost), {"first": month.first, "end": month.end})
    return int(rows) - moved


def _unique(connection: Connection, table: Table, name: str) -> None:
    for index, of in ALONE.get(table.name, {}).items():
        connection.execute(text(f"create unique index {index}{name.removeprefix(table.name)} on {name} {of}"))
