"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary, Text, TypeDecorator
from sqlalchemy.sql.type_api import TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Id = BigInteger().with_variant(Integer, "sqlite")
"""Ids are 64 bits; SQLite needs the word INTEGER for AUTOINCREMENT."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC: `timestamptz` on PostgreSQL, whole microseconds since 1970 on SQLite, where
    text would be slower and would compare wrongly. Raises ValueError for a naive datetime."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = DateTime(timezone=True) if dialect.name == "postgresql" else BigInteger()
        return dialect.type_descriptor(kind)

    # The processors themselves, rather than TypeDecorator's hooks: a turn reads and writes some thirty times, and each
    # hook is three calls.
    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return _aware if dialect.name == "postgresql" else _microseconds

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        return _in_utc if dialect.name == "postgresql" else _moment


def _aware(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise ValueError("a time without its zone: use datetime.now(UTC) or the injected clock")
    return value


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def _microseconds(value: datetime | None) -> int | None:
    aware = _aware(value)
    return None if aware is None else (aware - EPOCH) // _MICROSECOND


def _moment(value: int | None) -> datetime | None:
    return None if value is None else EPOCH + timedelta(0, 0, value)


def clean(text: str) -> str:
    """Replace what a database cannot keep: NUL (PostgreSQL refuses it) and lone surrogates (not UTF-8)."""
    if "\0" in text:
        text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class CleanText(TypeDecorator[str]):
    """Text from people: `clean` is applied on the way in."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return _cleaned_text


def _cleaned_text(value: str | None) -> str | None:
    return None if value is None else clean(value)


class Json(TypeDecorator[Any]):
    """A JSON value kept as UTF-8 bytes of the driver's own, never queried into: the cheapest form on both databases.
    Strings inside are cleaned like CleanText."""

    impl = LargeBinary
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return _dumped

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        return _loaded


class Unread(Json):
    """JSON that others wrote, or another version of us: what is none is read as None, so that a row which is broken
    keeps no others from being read."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        return _loaded_or_none


def _dumped(value: Any) -> bytes | None:
    return None if value is None else dump(value)


def _loaded(value: bytes | None) -> Any:
    return None if value is None else orjson.loads(value)


def _loaded_or_none(value: bytes | None) -> Any:
    try:
        return _loaded(value)
    except ValueError:
        return None


def dump(value: Any) -> bytes:
    """JSON bytes of a value. Lone surrogates, which orjson refuses, are replaced."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(_cleaned(value), ensure_ascii=False).encode()


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): _cleaned(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(each) for each in value]
    return value
