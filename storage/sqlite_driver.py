"""Statements straight to SQLite's driver, for a tenth of what they cost through SQLAlchemy. Its errors become
SQLAlchemy's, as they would."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

Values = tuple[Any, ...]


def rows(connection: Connection, sql: str, values: Values) -> Sequence[Sequence[Any]]:
    """What a statement gives."""
    with _errors(connection, sql):
        found: list[Sequence[Any]] = _driver(connection).execute(sql, values).fetchall()
    return found


def changed(connection: Connection, sql: str, values: Values) -> int:
    """How many rows a statement changed."""
    with _errors(connection, sql):
        return int(_driver(connection).execute(sql, values).rowcount)


def many(connection: Connection, sql: str, values: Sequence[Values]) -> None:
    """A statement, once for each."""
    with _errors(connection, sql):
        _driver(connection).executemany(sql, values)


def told(connection: Connection, sql: str, values: Sequence[Values]) -> Sequence[Sequence[Any]]:
    """A statement, once for each; the row that each gives."""
    return [row for each in values for row in rows(connection, sql, each)]


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


@contextmanager
def _errors(connection: Connection, sql: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            sql, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
        ) from error
