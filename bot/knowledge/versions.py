"""What staff made of the knowledge base: every change a version, of which the last counts. Nothing is ever overwritten,
so everything can be taken back.

Parts of a unit of work. A version is `written` (with its words), `removed` (nobody is told it any more) or `shipped`
(as the content files have it, if they have it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, and_, func, insert, select

from bot.knowledge.entries import Entry, as_json, from_json
from storage.prepared import as_prepared
from storage.tables import knowledge_versions as table

Kind = Literal["written", "removed", "shipped"]
KINDS: tuple[Kind, ...] = get_args(Kind)
HISTORY = 50
"""Versions of an entry that are shown, the newest."""

Stamp = tuple[int, int]
"""How many versions there are, and the last one's id: whoever has seen these has seen all."""


@dataclass(frozen=True, slots=True)
class Version:
    """`number` counts an entry's versions from 1; `actor` is `staff:ID` or `api:NAME`."""

    key: str
    number: int
    kind: Kind
    entry: Entry | None
    actor: str
    at: datetime


class Overtaken(Exception):
    """Somebody else changed this entry meanwhile: look at what it is now, and decide again."""


def stamp(connection: Connection) -> Stamp:
    """Of two transactions the later id may be seen first; the count tells that one is missing."""
    [[count, last]] = as_prepared(_STAMP, connection.dialect).all(connection, {})
    return count, last or 0


def current(connection: Connection) -> list[Version]:
    """The last version of every entry that has any, in the order in which they were first written."""
    last = select(table.c.key, func.max(table.c.number).label("number")).group_by(table.c.key).subquery()
    statement = select(table).join(last, and_(table.c.key == last.c.key, table.c.number == last.c.number))
    return [_version(row) for row in connection.execute(statement.order_by(table.c.id))]


def history(connection: Connection, key: str) -> Sequence[Version]:
    """The versions of an entry, the newest first."""
    statement = select(table).where(table.c.key == key).order_by(table.c.number.desc()).limit(HISTORY)
    return [_version(row) for row in connection.execute(statement)]


def version(connection: Connection, key: str, number: int) -> Version | None:
    row = connection.execute(select(table).where(table.c.key == key, table.c.number == number)).first()
    return None if row is None else _version(row)


def add(
    connection: Connection, key: str, seen: int, kind: Kind, entry: Entry | None, actor: str, now: datetime
) -> Version:
    """The next version of `key` after `seen`, the number of the last that its writer saw (0: none). Raises Overtaken;
    of two who write at the very same moment the database refuses one (IntegrityError)."""
    last = connection.execute(select(func.max(table.c.number)).where(table.c.key == key)).scalar() or 0
    if last != seen:
        raise Overtaken(key)
    values = {
        "key": key,
        "number": seen + 1,
        "kind": kind,
        "content": None if entry is None else as_json(entry),
        "actor": actor[:60],
        "created_at": now,
    }
    connection.execute(insert(table).values(values))
    return Version(key, seen + 1, kind, entry, actor, now)


def _version(row: Any) -> Version:
    entry = from_json(row.key, row.content) if row.content else None
    return Version(row.key, row.number, row.kind, entry, row.actor, row.created_at)


_STAMP = select(func.count(), func.max(table.c.id)).select_from(table)
