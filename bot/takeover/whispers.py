"""What staff say among themselves in a conversation: notes, and the colleagues they name with @.

A table of its own holds them: nothing that shows a conversation to its customer reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, update

from storage.tables import mentions, staff, whispers

Kind = Literal["note", "transfer"]
LONGEST = 4_000
"""Characters of a note."""


def values(conversation: int, by: int | None, kind: Kind, text: str, now: datetime) -> dict[str, Any]:
    """A whisper as a row."""
    return {"conversation_id": conversation, "staff_id": by, "kind": kind, "text": text, "created_at": now}


def whisper(connection: Connection, conversation: int, by: int, text: str, key: str, now: datetime) -> int:
    """A note from `by`; the same `key` twice is one. Its id. Colleagues named in it with @ are told."""
    known = select(whispers.c.id).where(whispers.c.conversation_id == conversation, whispers.c.client_key == key)
    found = connection.execute(known).scalar()
    if found is not None:
        return int(found)
    row = values(conversation, by, "note", text, now) | {"client_key": key}
    made = connection.execute(insert(whispers).values(row).returning(whispers.c.id)).scalar_one()
    named = [each for each in _named(connection, text) if each != by]
    if named:
        rows = [{"whisper_id": made, "conversation_id": conversation, "staff_id": each} for each in named]
        connection.execute(insert(mentions), rows)
    return int(made)


def said(connection: Connection, conversation: int, most: int = 200) -> list[Any]:
    """The last whispers of a conversation, in order, with their authors' names."""
    statement = (
        select(
            whispers.c.id, whispers.c.kind, whispers.c.text, whispers.c.created_at, whispers.c.staff_id, staff.c.name
        )
        .outerjoin(staff, staff.c.id == whispers.c.staff_id)
        .where(whispers.c.conversation_id == conversation)
    )
    return list(connection.execute(statement.order_by(whispers.c.id.desc()).limit(most)))[::-1]


def unseen(connection: Connection, member: int) -> Sequence[int]:
    """The conversations in which this member was named and has not looked since, the newest first."""
    statement = (
        select(mentions.c.conversation_id)
        .where(mentions.c.staff_id == member, mentions.c.seen_at.is_(None))
        .order_by(mentions.c.id.desc())
        .limit(200)
    )
    return list(dict.fromkeys(connection.execute(statement).scalars()))


def unseen_by(connection: Connection) -> dict[int, int]:
    """In how many conversations each member was named and has not looked since."""
    statement = (
        select(mentions.c.staff_id, func.count(mentions.c.conversation_id.distinct()))
        .where(mentions.c.seen_at.is_(None))
        .group_by(mentions.c.staff_id)
    )
    return {row[0]: int(row[1]) for row in connection.execute(statement)}


def see(connection: Connection, member: int, conversation: int, now: datetime) -> int:
    """The member has looked at a conversation. How many mentions that were."""
    statement = update(mentions).where(
        mentions.c.staff_id == member, mentions.c.conversation_id == conversation, mentions.c.seen_at.is_(None)
    )
    return connection.execute(statement.values(seen_at=now)).rowcount


def _named(connection: Connection, text: str) -> list[int]:
    """Whom the text names: the longest name that fits, so that "@Ann Lee" does not call Ann."""
    if "@" not in text:
        return []
    people = connection.execute(select(staff.c.id, staff.c.name).where(staff.c.disabled_at.is_(None))).all()
    found: list[int] = []
    for place, sign in enumerate(text):
        if sign != "@":
            continue
        rest = text[place + 1 :].casefold()
        fitting = [row for row in people if rest.startswith(row.name.casefold())]
        longest = max((len(row.name) for row in fitting), default=0)
        found += [row.id for row in fitting if len(row.name) == longest]
    return list(dict.fromkeys(found))
