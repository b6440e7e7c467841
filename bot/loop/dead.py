"""Dead letters: events that could not be worked after several attempts, everything known of them, and another try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, LargeBinary, func, select, type_coerce, update

from storage.sets import among, one_of
from storage.tables import conversations, inbox

_DEAD = among(inbox.c.state, "dead")
_LISTED = (
    inbox.c.id,
    inbox.c.received_at,
    inbox.c.channel,
    inbox.c.account,
    inbox.c.reason,
    inbox.c.attempts,
    conversations.c.id.label("conversation"),
)
_WHOLE = (
    inbox.c.id,
    inbox.c.received_at,
    inbox.c.channel,
    inbox.c.account,
    inbox.c.lane,
    inbox.c.dedupe_key,
    inbox.c.attempts,
    inbox.c.reason,
    # The bytes themselves: what cannot be decoded may be why it is here.
    type_coerce(inbox.c.event, LargeBinary).label("event"),
    inbox.c.raw,
)


def listed(connection: Connection, *, before: int | None = None, most: int | None = None) -> list[Any]:
    """The newest first, never what anybody wrote. `before`: the id that the page before ended with."""
    statement = select(*_LISTED).outerjoin_from(inbox, conversations, conversations.c.lane == inbox.c.lane).where(_DEAD)
    if before is not None:
        statement = statement.where(inbox.c.id < before)
    return list(connection.execute(statement.order_by(inbox.c.id.desc()).limit(most)).all())


def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(inbox).where(_DEAD)).scalar_one())


def one(connection: Connection, id: int) -> Any:
    """Everything about one, what somebody wrote as well: bytes as `event` and, where it was not understood, as it came,
    as `raw`. None where it is no dead letter."""
    return connection.execute(select(*_WHOLE).where(inbox.c.id == id, _DEAD)).mappings().first()


def again(connection: Connection, ids: Sequence[int]) -> list[str]:
    """Those of them that are dead letters are tried again, as if they had just come. Their lanes, one for each."""
    chosen = (one_of(inbox.c.id, "ids"), _DEAD)
    told = {"ids": list(ids)}
    lanes = list(connection.execute(select(inbox.c.lane).where(*chosen), told).scalars())
    fresh = {"state": "new", "attempts": 0, "reason": None, "tried_at": None}
    connection.execute(update(inbox).where(*chosen).values(fresh), told)
    return lanes


def words(value: bytes | memoryview) -> str:
    """What was kept as bytes, as far as it can be read."""
    return bytes(value).decode(errors="replace")
