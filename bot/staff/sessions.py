"""Sessions: a random secret in the browser's cookie, its digest here: whoever reads the table cannot sign in."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

from sqlalchemy import Connection, delete, insert, select, update

from bot.clock import Clock
from storage.database import Database
from storage.tables import staff, staff_sessions

LIFE = timedelta(hours=12)
"""A session ends this long after it was last used."""

_RENEWED_AFTER = timedelta(minutes=10)
"""A use within this time of the last renewal writes nothing."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")

Role = Literal["agent", "supervisor", "admin"]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the staff who may sign in. `must_change`: only to change the password."""

    id: int
    login: str
    name: str
    role: Role
    must_change: bool

    @property
    def supervisor(self) -> bool:
        """Whether they may act for colleagues."""
        return self.role in ("supervisor", "admin")


def open_session(connection: Connection, staff_id: int, now: datetime) -> str:
    """A new session; the secret for the cookie. Sessions that have ended go."""
    token = secrets.token_urlsafe(32)
    connection.execute(delete(staff_sessions).where(staff_sessions.c.expires_at <= now))
    connection.execute(
        insert(staff_sessions).values(digest=digest(token), staff_id=staff_id, created_at=now, expires_at=now + LIFE)
    )
    return token


async def find(database: Database, clock: Clock, token: str | None, *, renew: bool = True) -> Member | None:
    """Whose session this is; None if it is nobody's, has ended, or its owner may no longer sign in. A use puts off
    its end, unless told not to."""
    if token is None or not _TOKEN.fullmatch(token):
        return None
    now, sealed = clock.now(), digest(token)
    statement = (
        select(staff.c.id, staff.c.login, staff.c.name, staff.c.role, staff.c.must_change, staff_sessions.c.expires_at)
        .join(staff, staff.c.id == staff_sessions.c.staff_id)
        .where(staff_sessions.c.digest == sealed, staff_sessions.c.expires_at > now, staff.c.disabled_at.is_(None))
    )
    row = await database.read(lambda connection: connection.execute(statement).first())
    if row is None:
        return None
    if renew and row.expires_at < now + LIFE - _RENEWED_AFTER:
        renewed = update(staff_sessions).where(staff_sessions.c.digest == sealed).values(expires_at=now + LIFE)
        await database.write(lambda connection: connection.execute(renewed))
    return Member(row.id, row.login, row.name, cast(Role, row.role), bool(row.must_change))


def end(connection: Connection, token: str) -> None:
    connection.execute(delete(staff_sessions).where(staff_sessions.c.digest == digest(token)))


def end_all(connection: Connection, staff_id: int, *, but: str | None = None) -> None:
    """Every session of a member, but the one with this secret."""
    statement = delete(staff_sessions).where(staff_sessions.c.staff_id == staff_id)
    if but is not None:
        statement = statement.where(staff_sessions.c.digest != digest(but))
    connection.execute(statement)


def digest(token: str) -> str:
    """SHA-256 is enough: the secret has 256 bits of its own, so there is nothing to guess."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
