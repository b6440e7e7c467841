"""The database's own clock, for leases: processes on several machines agree on it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.types import Float


class database_now(ColumnElement[float]):
    """Seconds since 1970 by the database's clock."""

    type = Float()
    inherit_cache = True
    _traverse_internals = []  # noqa: RUF012 - no parts: without this the statement around it is compiled every time


@compiles(database_now, "postgresql")
def _postgresql(element: database_now, compiler: Any, **kw: Any) -> str:
    return "extract(epoch from clock_timestamp())::float8"


@compiles(database_now, "sqlite")
def _sqlite(element: database_now, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"
