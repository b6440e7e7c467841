"""What all processes of one installation must agree on, kept in the database that they share."""

from __future__ import annotations

import hashlib
import uuid

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.settings import SettingsError
from storage.database import Database
from storage.tables import notes


async def identity(database: Database) -> str:
    """A name that this database got when it was first asked, and keeps."""
    return await database.write(lambda connection: _first(connection, "installation", uuid.uuid4().hex[:12]))


async def same_secret(database: Database, secret: bytes, *, given: bool) -> None:
    """Links and sessions that one process signs must be good in the others. Raises SettingsError where this process
    made a secret of its own; one that the operator gave (`given`) replaces what was known."""
    mark = hashlib.sha256(b"earful secret mark:" + secret).hexdigest()

    def work(connection: Connection) -> str:
        if given:
            _first(connection, _SECRET, mark)
            connection.execute(update(notes).where(notes.c.key == _SECRET).values(value=mark))
            return mark
        return _first(connection, _SECRET, mark)

    if await database.write(work) != mark:
        raise SettingsError(
            "the other processes on this database sign links with another secret. Set EARFUL_SECRET (or "
            "EARFUL_SECRET_FILE) to the same 32 random characters for every process, or let them share one "
            "EARFUL_DATA_DIR"
        )


_SECRET = "secret_mark"  # noqa: S105 - the name of a note, which holds a digest


def _first(connection: Connection, key: str, value: str) -> str:
    """The note `key`; `value` where there was none."""
    insert = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(notes)
    connection.execute(insert.values(key=key, value=value).on_conflict_do_nothing())
    return str(connection.execute(select(notes.c.value).where(notes.c.key == key)).scalar_one())
