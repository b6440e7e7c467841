"""What a turn changes, as values, and how many turns' changes are written in one set-based transaction.

A change never holds a lock while something is decided: `Guard` names the version that the decision was made on, and
`apply` refuses with `Conflict` where it moved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Integer, Table, select, text

from storage.database import Conflict
from storage.prepared import Prepared, as_prepared, insert_into, insert_told, prepared, update_by_id
from storage.sets import one_of
from storage.tables import metadata

_ORDER = {
    name: place
    for place, name in enumerate(
        [
            "staff",
            "contacts",
            "addresses",
            "conversations",
            "episodes",
            "surveys",
            "ratings",
            "cases",
            "case_reports",
            "messages",
            "outbox",
            "whispers",
        ]
    )
}
"""Order of locks and of inserts; what is not named comes last."""


@dataclass(slots=True, eq=False)
class Insert:
    """A new row. A value may be another Insert (its id is meant) or a `Later`. `id` is known after `apply`."""

    table: Table
    values: dict[str, Any]
    id: int | None = None


@dataclass(slots=True, eq=False)
class Update:
    """New values for the row with this id, or for the one that an Insert of the same turn made."""

    table: Table
    id: int | Insert
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Guard:
    """The row must still have this version."""

    table: Table
    id: int
    version: int


@dataclass(frozen=True, slots=True)
class Later:
    """A value that is known only once the rows it speaks of have their ids."""

    of: Callable[[], Any]


Change = Insert | Update


def apply(connection: Connection, guards: Iterable[Guard], changes: Sequence[Change]) -> None:
    """Check the guards and write the changes, a statement for each kind of them. Locks are taken in the order of
    tables and ascending ids. Raises Conflict, or IntegrityError where a row that must be unique is there already."""
    _check(connection, guards)
    updates = [change for change in changes if isinstance(change, Update)]
    inserts = [change for change in changes if isinstance(change, Insert)]
    _update(connection, [change for change in updates if isinstance(change.id, int) and not _waits(change)])
    _insert(connection, inserts)
    _update(connection, [change for change in updates if not isinstance(change.id, int) or _waits(change)])


def _check(connection: Connection, guards: Iterable[Guard]) -> None:
    by_table: dict[Table, dict[int, int]] = defaultdict(dict)
    for guard in guards:
        if guard.id in by_table[guard.table]:  # two lanes at the same version: the later would undo the earlier
            raise Conflict(f"{guard.table.name} {guard.id} is changed twice in one transaction")
        by_table[guard.table][guard.id] = guard.version
    for table in sorted(by_table, key=_place):
        wanted = by_table[table]
        found = dict(_versions(table, connection.dialect).all(connection, {"ids": list(wanted)}))
        moved = [row for row, version in wanted.items() if found.get(row) != version]
        if moved:
            raise Conflict(f"{table.name} {moved} moved on")


def _versions(table: Table, dialect: Dialect) -> Prepared:
    def make() -> Prepared:
        statement = select(table.c.id, table.c.version).where(one_of(table.c.id, "ids")).order_by(table.c.id)
        # FOR NO KEY UPDATE; SQLite has one writer.
        return Prepared(statement.with_for_update(key_share=True), dialect)

    return prepared(dialect, ("versions", table.name), make)


def _update(connection: Connection, changes: Sequence[Update]) -> None:
    groups: dict[tuple[Table, tuple[str, ...]], list[dict[str, Any]]] = defaultdict(list)
    for change in changes:
        row = _settled(change.values)
        groups[change.table, tuple(row)].append({"key": _settle(change.id), **row})
    for (table, names), rows in sorted(groups.items(), key=lambda group: _place(group[0][0])):
        rows.sort(key=lambda row: int(row["key"]))
        update_by_id(table, names, connection.dialect).run(connection, rows)


def _insert(connection: Connection, changes: Sequence[Insert]) -> None:
    named = {id(value) for change in changes for value in change.values.values() if isinstance(value, Insert)}
    groups: dict[tuple[Table, tuple[str, ...]], list[Insert]] = defaultdict(list)
    for change in changes:
        groups[change.table, tuple(change.values)].append(change)
    for (table, names), rows in sorted(groups.items(), key=lambda group: _place(group[0][0])):
        values = [_settled(row.values) for row in rows]
        if table.name not in _ALWAYS_TOLD and not any(id(row) in named for row in rows):
            insert_into(table, names, connection.dialect).run(connection, values)
            continue
        for row, made in zip(rows, _insert_told(connection, table, names, values), strict=True):
            row.id = made


def _insert_told(
    connection: Connection, table: Table, names: tuple[str, ...], values: list[dict[str, Any]]
) -> Sequence[int]:
    """Insert the rows; their ids in the order given."""
    if connection.dialect.name == "sqlite":
        # RETURNING would take a statement a row here. We are the one writer until the commit, so ids can be given out.
        found = as_prepared(_SEQUENCE, connection.dialect).all(connection, {"name": table.name})
        first = found[0][0] + 1 if found else 1
        ids = range(first, first + len(values))
        for made, row in zip(ids, values, strict=True):
            row["id"] = made
        insert_into(table, ("id", *names), connection.dialect).run(connection, values)
        return ids
    return insert_told(table, names, connection.dialect).told(connection, values)


_SEQUENCE = text("select seq from sqlite_sequence where name = :name").columns(seq=Integer)


_ALWAYS_TOLD = frozenset(
    (
        "contacts",
        "conversations",
        "episodes",
        "surveys",
        "ratings",
        "cases",
        "case_reports",
        "case_remedies",
        "messages",
    )
)
"""Rows whose id something outside the set of inserts may ask for."""


def _settled(values: dict[str, Any]) -> dict[str, Any]:
    """The values themselves, where an Insert or a Later stands for one."""
    return {name: _settle(value) if type(value) in _STANDS_FOR else value for name, value in values.items()}


_STANDS_FOR = frozenset((Insert, Later))


def _settle(value: Any) -> Any:
    if isinstance(value, Insert):
        if value.id is None:
            raise AssertionError(f"a row of {value.table.name} is needed before it is written")
        return value.id
    return value.of() if isinstance(value, Later) else value


def _waits(change: Update) -> bool:
    return any(isinstance(value, Insert | Later) for value in change.values.values())


def _place(table: Table) -> tuple[int, str]:
    return _ORDER.get(table.name, len(_ORDER)), table.name


assert set(_ORDER) <= set(metadata.tables)  # noqa: S101 - a name misspelt here would silently lose its place
