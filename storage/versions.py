"""Versions of what staff write: nothing is overwritten, of each key's versions the last counts, and any may be brought
back. Knowledge entries and content files are kept so, each kind in a table of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Table, and_, func, insert, select
from sqlalchemy.exc import IntegrityError

from storage.database import Database
from storage.prepared import as_prepared
from storage.tables import audit

T = TypeVar("T")
Stamp = tuple[int, int]
"""How many versions there are, and the last one's id: whoever has seen these has seen all."""

NONE: Stamp = (0, 0)
HISTORY = 50
"""Versions of a key that are shown, the newest."""


@dataclass(frozen=True, slots=True)
class Version(Generic[T]):
    """`number` counts a key's versions from 1; `kind` is what was done, `content` what it says since (None: nothing, or
    what the files say); `actor` is `staff:ID` or `api:NAME`."""

    key: str
    number: int
    kind: str
    content: T | None
    actor: str
    at: datetime


class Overtaken(Exception):
    """Somebody else changed this meanwhile: look at what it is now, and decide again."""


class Versions(Generic[T]):
    """One kind of what is kept in versions. `name` is what the audit calls it; `key` and `content` are the columns of
    its table; `reads` and `writes` are what they say of what stands in `content`."""

    def __init__(
        self,
        name: str,
        table: Table,
        key: str,
        content: str,
        reads: Callable[[str, Any], T],
        writes: Callable[[T], Any],
    ) -> None:
        self._name = name
        self._table, self._key, self._content = table, table.c[key], table.c[content]
        self._reads, self._writes = reads, writes
        self._stamp = select(func.count(), func.max(table.c.id)).select_from(table)

    async def news(self, database: Database, seen: Stamp) -> tuple[Stamp, Sequence[Version[T]]]:
        """What there is now, and the last version of every key if it is not `seen` already: one small statement where
        nothing was changed."""

        def work(connection: Connection) -> tuple[Stamp, Sequence[Version[T]]]:
            # Of two transactions the later id may be seen first; the count tells that one is missing.
            [[count, last]] = as_prepared(self._stamp, connection.dialect).all(connection, {})
            now = (count, last or 0)
            return now, self.current(connection) if now != seen else ()

        return await database.read(work)

    def current(self, connection: Connection) -> list[Version[T]]:
        """The last version of every key that has any, in the order in which they were made."""
        number, columns = self._table.c.number, (self._key.label("key"), func.max(self._table.c.number).label("number"))
        last = select(*columns).group_by(self._key).subquery()
        statement = select(self._table).join(last, and_(self._key == last.c.key, number == last.c.number))
        return [self._version(row) for row in connection.execute(statement.order_by(self._table.c.id))]

    def history(self, connection: Connection, key: str) -> list[Version[T]]:
        """The versions of a key, the newest first."""
        statement = select(self._table).where(self._key == key).order_by(self._table.c.number.desc()).limit(HISTORY)
        return [self._version(row) for row in connection.execute(statement)]

    def version(self, connection: Connection, key: str, number: int) -> Version[T] | None:
        statement = select(self._table).where(self._key == key, self._table.c.number == number)
        row = connection.execute(statement).first()
        return None if row is None else self._version(row)

    async def change(
        self,
        database: Database,
        key: str,
        seen: int,
        kind: str,
        content: T | None,
        *,
        actor: str,
        now: datetime,
        also: Callable[[Connection], None] | None = None,
    ) -> Version[T]:
        """The next version by whoever saw the version `seen` (0: none), in the audit with who made it, and what `also`
        has to be written with it. Raises Overtaken."""

        def work(connection: Connection) -> Version[T]:
            last = connection.execute(select(func.max(self._table.c.number)).where(self._key == key)).scalar() or 0
            if last != seen:
                raise Overtaken(key)
            made = Version(key, seen + 1, kind, content, actor[:60], now)
            values = {"number": made.number, "kind": kind, "actor": made.actor, "created_at": now}
            values |= {self._key.name: key, self._content.name: None if content is None else self._writes(content)}
            connection.execute(insert(self._table).values(values))
            line: dict[str, Any] = {"at": now, "actor": made.actor, "subject": f"{self._name}:{key}"[:100]}
            line |= {"action": f"{self._name}_{kind}", "detail": {"number": made.number}}
            connection.execute(insert(audit).values(line))
            if also:
                also(connection)
            return made

        try:
            return await database.write(work)
        except IntegrityError:
            raise Overtaken(key) from None  # written twice at the very same moment

    def _version(self, row: Any) -> Version[T]:
        found = row._mapping
        key, content = found[self._key], found[self._content]
        read = None if content is None else self._reads(key, content)
        return Version(key, row.number, row.kind, read, row.actor, row.created_at)
