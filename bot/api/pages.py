"""Lists, a page at a time, the newest first. A cursor says where the last page ended, so what is added meanwhile moves
nothing: no row is shown twice and none is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Connection, Select

from bot import tokens
from bot.api.problems import BAD_PARAMETER, Problem, ProblemError
from bot.service import Service

T = TypeVar("T")

PURPOSE = "cursor:"


class Paging(BaseModel):
    """What every list takes."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=100, description="How many to a page.")
    cursor: str | None = Field(None, max_length=200, description="`next` of the page before; without it: the newest.")


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T] = Field(description="The newest first.")
    next: str | None = Field(None, description="The cursor of the next page; null on the last.")


Rows = Sequence[Any]


async def page_of(
    service: Service,
    name: str,
    paging: Paging,
    statement: Select[Any],
    key: ColumnElement[int],
    show: Callable[[Connection, Rows], list[T]],
) -> tuple[list[T], str | None]:
    """The rows of `statement` that `paging` asks for, by `key` descending, as `show` makes them, and the next cursor.
    The first column of the statement is `key`. `name` is the list's: a cursor is of no use to another."""
    before = _read(service, name, paging.cursor)
    if before is not None:
        statement = statement.where(key < before)
    statement = statement.order_by(key.desc()).limit(paging.limit + 1)

    def work(connection: Connection) -> tuple[list[T], int | None]:
        rows = connection.execute(statement).all()
        more = len(rows) > paging.limit
        rows = rows[: paging.limit]
        return show(connection, rows), rows[-1][0] if more else None

    items, last = await service.database.read(work)
    return items, None if last is None else tokens.sign(service.secret, PURPOSE + name, str(last))


def _read(service: Service, name: str, cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        return int(tokens.verify(service.secret, PURPOSE + name, cursor, service.clock.now()))
    except (tokens.BadToken, tokens.ExpiredToken, ValueError):
        wrong = "this is not a cursor of this list: leave it out to begin anew"
        error = ProblemError(detail=wrong, pointer=None, parameter="cursor")
        raise Problem(BAD_PARAMETER, f"cursor: {wrong}", errors=[error]) from None
