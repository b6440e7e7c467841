"""Rows that are older than they are kept, removed in small batches: all of SQLite's, and on PostgreSQL what is not
partitioned by month (`storage.months`).

Nothing holds the writer for long, and what breaks off is gone on with: a batch is a unit of work of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from storage.months import FIRST, GROWING
from storage.sets import among, one_of
from storage.tables import attempts, audit, corrections, inbox, mentions, messages, outbox, whispers

PAGE = 500
"""Rows that a batch looks at."""

Keep = Callable[[Connection, Sequence[int]], set[int]]
"""Of these conversations those whose rows stay."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`after`: the id up to which was looked; None at the end. `gone`: how many rows were removed."""

    after: int | None
    gone: int


def expire(connection: Connection, name: str, after: int, before: datetime, keep: Keep | None = None) -> Batch:
    """One batch of a table: the rows after this id, those older than `before` removed, but for what is still being
    worked on, and for what belongs to conversations that `keep` names."""
    table, columns = _TABLES[name], _COLUMNS[name]
    statement = select(*columns).where(table.c.id > after).order_by(table.c.id).limit(PAGE)
    if connection.dialect.name == "postgresql" and any(table in family for family in GROWING.values()):
        statement = statement.where(table.c.id < FIRST)
    rows = connection.execute(statement).all()
    old = [row for row in rows if row[1] < before]
    if not old:  # ids rise with time: what comes after is younger still
        return Batch(None, 0)
    if keep is not None:
        kept = keep(connection, sorted({row[2] for row in old}))
        old = [row for row in old if row[2] not in kept]
    ids = [row[0] for row in old if name != inbox.name or row[2] == "done"]
    gone = _REMOVE[name](connection, ids) if ids else 0
    return Batch(rows[-1][0] if len(rows) == PAGE else None, gone)


def _plain(table: Table) -> Callable[[Connection, Sequence[int]], int]:
    return lambda connection, ids: _gone(connection, table, table.c.id, ids)


def _gone(connection: Connection, table: Table, column: ColumnElement[Any], ids: Sequence[int]) -> int:
    return connection.execute(delete(table).where(one_of(column, "ids")), {"ids": list(ids)}).rowcount


def _sent(connection: Connection, ids: Sequence[int]) -> int:
    _gone(connection, attempts, attempts.c.outbox_id, ids)
    return _gone(connection, outbox, outbox.c.id, ids)


def _said(connection: Connection, ids: Sequence[int]) -> int:
    left = select(outbox.c.id).where(one_of(outbox.c.message_id, "ids"))
    if sent := list(connection.execute(left, {"ids": list(ids)}).scalars()):
        _sent(connection, sent)
    _gone(connection, corrections, corrections.c.message_id, ids)
    return _gone(connection, messages, messages.c.id, ids)


def _whispered(connection: Connection, ids: Sequence[int]) -> int:
    _gone(connection, mentions, mentions.c.whisper_id, ids)
    return _gone(connection, whispers, whispers.c.id, ids)


def _heard(connection: Connection, ids: Sequence[int]) -> int:
    """A dead letter stays until it is replayed."""
    gone = delete(inbox).where(one_of(inbox.c.id, "ids"), among(inbox.c.state, "done"))
    return connection.execute(gone, {"ids": list(ids)}).rowcount


_TABLES: Mapping[str, Table] = {table.name: table for table in (inbox, outbox, messages, whispers, audit)}
_COLUMNS: Mapping[str, Sequence[ColumnElement[Any]]] = {
    "inbox": (inbox.c.id, inbox.c.received_at, inbox.c.state),
    "outbox": (outbox.c.id, outbox.c.created_at, outbox.c.conversation_id),
    "messages": (messages.c.id, messages.c.created_at, messages.c.conversation_id),
    "whispers": (whispers.c.id, whispers.c.created_at, whispers.c.conversation_id),
    "audit": (audit.c.id, audit.c.at, audit.c.actor),
}
_REMOVE: Mapping[str, Callable[[Connection, Sequence[int]], int]] = {
    "inbox": _heard,
    "outbox": _sent,
    "messages": _said,
    "whispers": _whispered,
    "audit": _plain(audit),
}
