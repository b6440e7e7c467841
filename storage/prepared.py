"""Statements compiled once. SQLAlchemy prepares a statement's parameters and its result anew each time; for what each
message reads and writes that is most of the cost, so here a row is a tuple, its values processed by their column's
type."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, Table, bindparam, insert, update
from sqlalchemy.exc import DBAPIError

Row = Mapping[str, Any]
Cast = Callable[[Any], Any]


class Prepared:
    """A statement for one dialect, its parameters by name. Not for an IN of many values: that is `sets.one_of`."""

    def __init__(self, statement: Executable, dialect: Dialect, names: Sequence[str] | None = None) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=names)  # type: ignore[attr-defined]
        if compiled.post_compile_params or compiled.literal_execute_params:
            raise ValueError("a statement whose text depends on its parameters cannot be prepared")
        self.sql: str = str(compiled)
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
        self._executed(connection, [self._given(row) for row in rows])

    def count(self, connection: Connection, row: Row) -> int:
        """Execute once; the number of rows that it changed."""
        found: int = self._executed(connection, self._given(row)).rowcount
        return found

    def all(self, connection: Connection, row: Row) -> list[list[Any]]:
        """The rows that it gives, each a list of values."""
        found = [list(each) for each in self._executed(connection, self._given(row))]
        for place, cast in self._casts:
            for each in found:
                each[place] = cast(each[place])
        return found

    def _executed(self, connection: Connection, given: Any) -> Any:
        if connection.dialect.name != "sqlite":
            return connection.exec_driver_sql(self.sql, given)
        # Straight to the driver, for a tenth of the cost; its errors become SQLAlchemy's, as they would.
        driver: Any = connection.connection.driver_connection
        try:
            return driver.executemany(self.sql, given) if isinstance(given, list) else driver.execute(self.sql, given)
        except sqlite3.Error as error:
            raise DBAPIError.instance(
                self.sql, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
            ) from error

    def _given(self, row: Row) -> tuple[Any, ...]:
        fixed = self._fixed
        whole = {**fixed, **row} if fixed else row
        return tuple([whole[name] if cast is None else cast(whole[name]) for name, cast in self._values])


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
    return prepared(dialect, ("insert", table.name, names), lambda: Prepared(insert(table), dialect, names))


def update_by_id(table: Table, names: tuple[str, ...], dialect: Dialect) -> Prepared:
    """Sets `names` of the row whose id is given as `key`."""

    def make() -> Prepared:
        values: dict[str, Any] = {name: bindparam(name) for name in names}
        return Prepared(update(table).where(table.c.id == bindparam("key")).values(values), dialect)

    return prepared(dialect, ("update", table.name, names), make)
