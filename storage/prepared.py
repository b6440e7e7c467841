"""Statements compiled once. SQLAlchemy prepares a statement's parameters and its result anew each time; for what each
message reads and writes that is most of the cost, so here a row is a tuple, its values processed by their column's
type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Dialect, Executable, Table, bindparam, insert, update

from storage import sqlite_driver

Row = Mapping[str, Any]
Values = tuple[Any, ...]
Cast = Callable[[Any], Any]


class Driver(Protocol):
    """How statements are given straight to a database's driver."""

    def rows(self, connection: Connection, sql: str, values: Values) -> Sequence[Sequence[Any]]: ...

    def changed(self, connection: Connection, sql: str, values: Values) -> int: ...

    def many(self, connection: Connection, sql: str, values: Sequence[Values]) -> None: ...

    def told(self, connection: Connection, sql: str, values: Sequence[Values]) -> Sequence[Sequence[Any]]: ...


class Prepared:
    """A statement for one dialect, its parameters by name. Not for an IN of many values: that is `sets.one_of`."""

    def __init__(self, statement: Executable, dialect: Dialect, names: Sequence[str] | None = None) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=names)  # type: ignore[attr-defined]
        if compiled.post_compile_params or compiled.literal_execute_params:
            raise ValueError("a statement whose text depends on its parameters cannot be prepared")
        self.sql: str = str(compiled)
        self._driver = _driver_of(dialect)
        processors: Mapping[str, Cast] = compiled._bind_processors
        # What the statement itself says (state = 'sent') is a parameter too, the same for every row.
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        self._fixed = {name: bind.value for name, bind in binds.items() if not bind.required and bind.value is not None}
        self._values = [(name, processors.get(name)) for name in compiled.positiontup]
        self._casts: list[tuple[int, Cast]] = [
            (place, cast)
            for place, column in enumerate(compiled._result_columns)
            if (cast := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        ]

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Execute once for each row."""
        self._driver.many(connection, self.sql, [self._given(row) for row in rows])

    def told(self, connection: Connection, rows: Sequence[Row]) -> list[Any]:
        """Execute once for each row; the one value that each gives, in the order given."""
        return [found[0] for found in self._driver.told(connection, self.sql, [self._given(row) for row in rows])]

    def count(self, connection: Connection, row: Row) -> int:
        """Execute once; the number of rows that it changed."""
        return self._driver.changed(connection, self.sql, self._given(row))

    def all(self, connection: Connection, row: Row) -> list[list[Any]]:
        """The rows that it gives, each a list of values."""
        found = [list(each) for each in self._driver.rows(connection, self.sql, self._given(row))]
        for place, cast in self._casts:
            for each in found:
                each[place] = cast(each[place])
        return found

    def _given(self, row: Row) -> tuple[Any, ...]:
        fixed = self._fixed
        whole = {**fixed, **row} if fixed else row
        return tuple([whole[name] if cast is None else cast(whole[name]) for name, cast in self._values])


def _driver_of(dialect: Dialect) -> Driver:
    if dialect.name == "sqlite":
        return sqlite_driver
    from storage import asyncpg_driver  # noqa: PLC0415 - who has SQLite need not wait for it

    return asyncpg_driver


def prepared(dialect: Dialect, key: object, make: Callable[[], Prepared]) -> Prepared:
    """The statement of this key, made once for a dialect and kept with it, so that both go when the engine goes."""
    known: dict[object, Prepared] = dialect.__dict__.setdefault("_earful_prepared", {})
    found = known.get(key)
    if found is None:
        found = known[key] = make()
    return found


def as_prepared(statement: Executable, dialect: Dialect) -> Prepared:
    """A statement that a module keeps, prepared."""
    return prepared(dialect, statement, lambda: Prepared(statement, dialect))


def insert_into(table: Table, names: tuple[str, ...], dialect: Dialect) -> Prepared:
    """Inserts rows with these columns."""
    return prepared(dialect, ("insert", table.name, names), lambda: Prepared(insert(table).inline(), dialect, names))


def insert_told(table: Table, names: tuple[str, ...], dialect: Dialect) -> Prepared:
    """Inserts rows with these columns, and tells their ids."""
    statement = insert(table).returning(table.c.id)
    return prepared(dialect, ("insert told", table.name, names), lambda: Prepared(statement, dialect, names))


def update_by_id(table: Table, names: tuple[str, ...], dialect: Dialect) -> Prepared:
    """Sets `names` of the row whose id is given as `key`."""

    def make() -> Prepared:
        values: dict[str, Any] = {name: bindparam(name) for name in names}
        return Prepared(update(table).where(table.c.id == bindparam("key")).values(values), dialect)

    return prepared(dialect, ("update", table.name, names), make)
