"""Statements straight to SQLite's driver, for a tenth of what they cost through SQLAlchemy. Its errors become
SQLAlchemy's, as they would."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

Values = tuple[Any, ...]


def rows(connection: Connection, sql: str, values: Values) -> Sequence[Sequence[Any]]:
    """What a statement gives."""
    found: list[Sequence[Any]] = _executed(connection, sql, values).fetchall()
    return found


def changed(connection: Connection, sql: str, values: Values) -> int:
    """How many rows a statement changed."""
    return _executed(connection, sql, values).rowcount


def many(connection: Connection, sql: str, values: Sequence[Values]) -> None:
    """A statement, once for each."""
    _executed(connection, sql, values, many=True)


def told(connection: Connection, sql: str, values: Sequence[Values]) -> Sequence[Sequence[Any]]:
    """A statement, once for each; the row that each gives."""
    return [row for each in values for row in rows(connection, sql, each)]


def _executed(connection: Connection, sql: str, values: Any, *, many: bool = False) -> sqlite3.Cursor:
    driver: Any = connection.connection.driver_connection
    try:
        cursor: sqlite3.Cursor = driver.executemany(sql, values) if many else driver.execute(sql, values)
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            sql, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
        ) from error
    return cursor
