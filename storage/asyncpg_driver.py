"""Statements straight to asyncpg, for a seventh of what they cost through SQLAlchemy. Its errors become
SQLAlchemy's, as they would."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError

Values = tuple[Any, ...]
ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""The last where a connection is ended by the server between two statements."""

_CHANGED = re.compile(r"\d+$")


def rows(connection: Connection, sql: str, values: Values) -> Sequence[Sequence[Any]]:
    """What a statement gives."""
    found: list[Sequence[Any]] = _executed(connection, sql, "fetch", *values)
    return found


def changed(connection: Connection, sql: str, values: Values) -> int:
    """How many rows a statement changed."""
    told = _CHANGED.search(_executed(connection, sql, "execute", *values))  # "UPDATE 3"
    return int(told[0]) if told else 0


def many(connection: Connection, sql: str, values: Sequence[Values]) -> None:
    """A statement, once for each. Whoever cancels a large one while the server is slow to take it waits until it has:
    asyncpg goes on."""
    if len(values) == 1:
        _executed(connection, sql, "execute", *values[0])
    else:
        _executed(connection, sql, "executemany", values)


def told(connection: Connection, sql: str, values: Sequence[Values]) -> Sequence[Sequence[Any]]:
    """A statement, once for each; the row that each gives."""
    if len(values) == 1:
        return rows(connection, sql, values[0])
    found: list[Sequence[Any]] = _executed(connection, sql, "fetchmany", values)
    return found


def as_sqlalchemy(error: Exception, sql: str, *, closed: bool) -> DBAPIError:
    """What SQLAlchemy would have raised for one of ERRORS. `closed`: the connection did not survive it."""
    kind: type[DBAPIError] = DBAPIError
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        kind = IntegrityError
    elif isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        kind = InterfaceError
    error.detail = None  # type: ignore[attr-defined] # it repeats what people wrote, and errors are logged
    return kind(sql, None, error, hide_parameters=True, connection_invalidated=closed)


def _executed(connection: Connection, sql: str, how: str, *values: Any) -> Any:
    adapted: Any = connection.connection.dbapi_connection
    try:
        return adapted.run_async(lambda driver: getattr(driver, how)(sql, *values))
    except ERRORS as error:
        raise as_sqlalchemy(error, sql, closed=adapted.driver_connection.is_closed()) from error
