"""Idempotency-Key: a POST told again under the same key, within a day, is answered as before and not done again.

As draft-ietf-httpapi-idempotency-key-header says, the same key with another body is 422. A key belongs to its token.
What is remembered is the answer of a request that succeeded; each request that can be told by other means (an
episode's external_id, a message's client key) is by itself done once, whatever dies between the doing and this note.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.api.problems import KEY_REUSED, MALFORMED, Problem
from bot.api.tokens import Caller
from storage.database import Database
from storage.tables import notes

HEADER = "Idempotency-Key"
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?')  # quoted, as the draft's structured field, or bare
_PREFIX = "idempotency:"
_PIECE = 500  # characters that a note holds; a longer answer takes several


@dataclass(frozen=True, slots=True)
class Repeat:
    """One request under a key. `key` is the digest of (token, operation, key), `said` that of the body."""

    key: str
    said: str


def repeat_of(caller: Caller, operation: str, header: str | None, body: bytes) -> Repeat | None:
    """None without a key. Raises Problem for a key that is none."""
    if header is None:
        return None
    found = _KEY.fullmatch(header.strip())
    if found is None:
        raise Problem(MALFORMED, f"{HEADER} has 1 to 255 visible ASCII characters, such as a UUID.")
    key = hashlib.sha256("\n".join((caller.name, operation, found[1])).encode()).hexdigest()[:48]
    return Repeat(key, hashlib.sha256(body).hexdigest()[:32])


async def remembered(database: Database, repeat: Repeat, now: datetime) -> bytes | None:
    """The body that this request was answered with before. Raises Problem if it was another request's key."""
    names = [_name(now, repeat), _name(now - timedelta(days=1), repeat)]
    statement = select(notes.c.key, notes.c.value).where(notes.c.key.in_(names))
    row = await database.read(lambda connection: connection.execute(statement).first())
    if row is None:
        return None
    kept = orjson.loads(row.value)
    if kept["said"] != repeat.said:
        raise Problem(KEY_REUSED, f"Another request was sent under this {HEADER}. Use a new key for a new request.")
    if "pieces" not in kept:
        return orjson.dumps(kept["answer"])
    pieces = [_piece(row.key, number) for number in range(kept["pieces"])]
    longer = select(notes.c.key, notes.c.value).where(notes.c.key.in_(pieces))
    found = await database.read(lambda connection: {row.key: row.value for row in connection.execute(longer)})
    return "".join(found[piece] for piece in pieces).encode()


async def remember(database: Database, repeat: Repeat, answer: bytes, now: datetime) -> None:
    """Keep the answer, however long, for a day or two; what is older is forgotten."""
    name = _name(now, repeat)
    kept = _kept(name, repeat, answer)

    def work(connection: Connection) -> None:
        insert = _INSERT[connection.dialect.name](notes).on_conflict_do_nothing()
        # Of two who tell it at once only one keeps an answer, whole.
        if connection.execute(insert.values(kept[0])).rowcount and kept[1:]:
            connection.execute(insert, kept[1:])
        before = f"{_PREFIX}{now - timedelta(days=1):%Y-%m-%d}"
        connection.execute(
            delete(notes).where(notes.c.key.startswith(_PREFIX), notes.c.key >= _PREFIX, notes.c.key < before)
        )

    await database.write(work)


def _kept(name: str, repeat: Repeat, answer: bytes) -> list[dict[str, str]]:
    """The notes of an answer: one, or one that says how many pieces follow it."""
    value = orjson.dumps({"said": repeat.said, "answer": orjson.loads(answer)}).decode()
    if len(value) <= _PIECE:
        return [{"key": name, "value": value}]
    text = answer.decode()
    pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
    head = orjson.dumps({"said": repeat.said, "pieces": len(pieces)}).decode()
    return [
        {"key": name, "value": head},
        *({"key": _piece(name, number), "value": piece} for number, piece in enumerate(pieces)),
    ]


def _piece(name: str, number: int) -> str:
    return f"{name}.{number}"


def _name(now: datetime, repeat: Repeat) -> str:
    return f"{_PREFIX}{now:%Y-%m-%d}:{repeat.key}"


_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
