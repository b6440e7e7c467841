"""Conditions that keep a statement the same text, and that indexes can answer.

`one_of`: an IN list of varying length is another text each time, which SQLAlchemy would expand anew and PostgreSQL
prepare anew. Here the values are one parameter: an array on PostgreSQL, JSON on SQLite.

`among`: a partial index (`where state = 'new'`) serves only a statement that says the same words itself: of a
parameter neither database knows what it will be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Dialect,
    Text,
    TypeDecorator,
    bindparam,
    literal_column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.type_api import TypeEngine
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import Boolean

PARTITIONED = frozenset(("attempts", "outbox", "messages", "audit"))
"""Tables that `storage.months` keeps by ranges of their ids."""


def partitioned_by(column: ColumnElement[Any]) -> bool:
    """Whether this column says in which partition a row is."""
    return isinstance(column, Column) and column.primary_key and column.table.description in PARTITIONED


class set_of(TypeDecorator[Iterable[Any]]):
    """A set of values as one parameter."""

    impl = Text
    cache_ok = True

    def __init__(self, of: type[BigInteger] | type[Text]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(self.of()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Iterable[Any] | None, dialect: Dialect) -> Any:
        values = list(value or ())
        return sorted(values) if dialect.name == "postgresql" else orjson.dumps(values).decode()


class one_of(ColumnElement[bool]):
    """Whether `column` is one of the values given as parameter `name`: integers, or texts where the column is one."""

    inherit_cache = True
    type = Boolean()
    _traverse_internals = [  # noqa: RUF012 - how SQLAlchemy wants to know what a clause is made of
        ("column", InternalTraversal.dp_clauseelement),
        ("values", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        integers = isinstance(column.type, BigInteger) or column.type.python_type is int
        self.values: BindParameter[Any] = bindparam(name, type_=set_of(BigInteger if integers else Text))

    def self_group(self, against: Any = None) -> one_of:
        """As it stands. SQLAlchemy would write `(...) = 1` on SQLite, which no index can answer."""
        return self


def among(column: ColumnElement[Any], *words: str) -> ColumnElement[bool]:
    """Whether `column` is one of these words of ours, written into the statement."""
    written: list[ColumnElement[Any]] = [literal_column(f"'{word}'") for word in words if word.isidentifier()]
    if len(written) != len(words):
        raise ValueError("only plain words are written into a statement")
    return column == written[0] if len(written) == 1 else column.in_(written)


def other_than(column: ColumnElement[Any], word: str) -> ColumnElement[bool]:
    """Whether `column` is not this word of ours, written into the statement."""
    return ~among(column, word)


@compiles(one_of, "postgresql")
def _postgresql(element: one_of, compiler: Any, **kw: Any) -> str:
    column, values = compiler.process(element.column, **kw), compiler.process(element.values, **kw)
    found = f"{column} = ANY ({values})"
    if not partitioned_by(element.column):
        return found
    # Of an array PostgreSQL does not see in which partitions its values lie; of its ends, for it is sorted, it does.
    return f"({found} AND {column} >= ({values})[1] AND {column} <= ({values})[cardinality({values})])"


@compiles(one_of, "sqlite")
def _sqlite(element: one_of, compiler: Any, **kw: Any) -> str:
    column, values = compiler.process(element.column, **kw), compiler.process(element.values, **kw)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - compiled names and one parameter
