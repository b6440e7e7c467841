"""Versions of the content files that rule the house, as staff wrote them: nothing is overwritten, the last counts.

Parts of a unit of work. A version is `written` (with its text), or `shipped`: as the file has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, and_, func, insert, select

from storage.tables import audit
from storage.tables import content_versions as table

File = Literal["deadlines.yml", "calendar.yml", "departments.yml"]
Kind = Literal["written", "shipped"]
Stamp = tuple[int, int]
"""How many versions there are, and the last one's id: whoever has seen these has seen all."""

HISTORY = 50
"""Versions of a file that are shown, the newest."""


@dataclass(frozen=True, slots=True)
class Version:
    """`number` counts a file's versions from 1; `actor` is `staff:ID`."""

    file: File
    number: int
    kind: Kind
    text: str | None
    actor: str
    at: datetime


class Overtaken(Exception):
    """Somebody else changed this file meanwhile: look at what it is now, and decide again."""


def stamp(connection: Connection) -> Stamp:
    """Of two transactions the later id may be seen first; the count tells that one is missing."""
    count, last = connection.execute(select(func.count(), func.max(table.c.id))).one()
    return count, last or 0


def current(connection: Connection) -> list[Version]:
    """The last version of every file that has any."""
    last = select(table.c.file, func.max(table.c.number).label("number")).group_by(table.c.file).subquery()
    statement = select(table).join(last, and_(table.c.file == last.c.file, table.c.number == last.c.number))
    return [_version(row) for row in connection.execute(statement)]


def history(connection: Connection, file: File) -> Sequence[Version]:
    """The versions of a file, the newest first."""
    statement = select(table).where(table.c.file == file).order_by(table.c.number.desc()).limit(HISTORY)
    return [_version(row) for row in connection.execute(statement)]


def version(connection: Connection, file: File, number: int) -> Version | None:
    row = connection.execute(select(table).where(table.c.file == file, table.c.number == number)).first()
    return None if row is None else _version(row)


def add(connection: Connection, file: File, seen: int, kind: Kind, text: str | None, actor: str, now: datetime) -> None:
    """The next version after `seen`, the number of the last that its writer saw (0: none), and its entry in the audit.
    Raises Overtaken; of two who write at the very same moment the database refuses one (IntegrityError)."""
    last = connection.execute(select(func.max(table.c.number)).where(table.c.file == file)).scalar() or 0
    if last != seen:
        raise Overtaken(file)
    values = {"file": file, "number": seen + 1, "kind": kind, "text": text, "actor": actor[:60], "created_at": now}
    connection.execute(insert(table).values(values))
    line: dict[str, Any] = {
        "at": now,
        "actor": actor[:60],
        "subject": f"content:{file}",
        "detail": {"number": seen + 1},
    }
    connection.execute(insert(audit).values(line | {"action": f"content_{kind}"}))


def _version(row: Any) -> Version:
    return Version(row.file, row.number, row.kind, row.text, row.actor, row.created_at)
