"""Statements run over many rows, compiled once. SQLAlchemy prepares the parameters of every row anew; for what each
message writes that is most of the cost, so here a row is a tuple, its values processed by their column's type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, Table, bindparam, insert, update

Row = dict[str, Any]


class Prepared:
    """A statement for one dialect, its parameters by name."""

    def __init__(self, statement: Executable, dialect: Dialect, names: Sequence[str] | None = None) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=names)  # type: ignore[attr-defined]
        self._sql: str = str(compiled)
        processors: Mapping[str, Callable[[Any], Any]] = compiled._bind_processors
        # What the statement itself says (state = 'sent') is a parameter too, the same for every row.
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        self._fixed = {name: bind.value for name, bind in binds.items() if not bind.required and bind.value is not None}
        self._values = [(name, processors.get(name)) for name in compiled.positiontup]

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Execute once for each row."""
        values, fixed = self._values, self._fixed
        whole = [fixed | row for row in rows] if fixed else rows
        given = [tuple([row[name] if cast is None else cast(row[name]) for name, cast in values]) for row in whole]
        connection.exec_driver_sql(self._sql, given)


def prepared(dialect: Dialect, key: object, make: Callable[[], Prepared]) -> Prepared:
    """The statement of this key, made once for a dialect and kept with it, so that both go when the engine goes."""
    known: dict[object, Prepared] = dialect.__dict__.setdefault("_earful_prepared", {})
    found = known.get(key)
    if found is None:
        found = known[key] = make()
    return found


def insert_into(table: Table, names: tuple[str, ...], dialect: Dialect) -> Prepared:
    """Inserts rows with these columns."""
    return prepared(dialect, ("insert", table.name, names), lambda: Prepared(insert(table), dialect, names))


def update_by_id(table: Table, names: tuple[str, ...], dialect: Dialect) -> Prepared:
    """Sets `names` of the row whose id is given as `key`."""

    def make() -> Prepared:
        values: dict[str, Any] = {name: bindparam(name) for name in names}
        return Prepared(update(table).where(table.c.id == bindparam("key")).values(values), dialect)

    return prepared(dialect, ("update", table.name, names), make)
