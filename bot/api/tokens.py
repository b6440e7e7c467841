"""API tokens: who calls, and what they may do. Only a digest is kept, so the database gives no token away."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from pydantic import SecretStr
from sqlalchemy import Connection, insert, select, update

from bot.clock import Clock
from storage.database import Database
from storage.tables import api_tokens, audit

Scope = Literal[
    "episodes:write",
    "feedback:write",
    "surveys:read",
    "ratings:read",
    "cases:read",
    "cases:write",
    "remedies:approve",
    "contacts:read",
    "contacts:write",
    "conversations:read",
    "conversations:write",
    "privacy:export",
    "privacy:erase",
    "insights:read",
    "knowledge:read",
    "knowledge:write",
    "webhooks:write",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
SETTING = "EARFUL_API_TOKEN"
_PREFIX = "earful_"  # lets a scanner of sources recognise one that leaked


class TokenError(ValueError):
    """The token was not made or revoked; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `actor` stands in the audit."""

    name: str
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        return f"api:{self.name}"[:60]


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it may be shown: never itself."""

    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


async def create(database: Database, clock: Clock, name: str, scopes: Iterable[str], *, by: str = "system") -> str:
    """A new token with these scopes: shown this once. `by` stands in the audit.

    Raises TokenError for an unknown scope, none, or a name that a valid token has."""
    name = name.strip()
    wanted = list(dict.fromkeys(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        what = f"there is no scope {', '.join(unknown)}" if unknown else "a token needs a scope"
        raise TokenError(f"{what}: choose from {', '.join(SCOPES)}")
    if not 1 <= len(name) <= 50 or not name.isprintable():
        raise TokenError("a token's name has 1 to 50 printable characters: say who will use it")
    if name == SETTING:
        raise TokenError(f"{SETTING} is the name of the token in the settings: choose another")
    token = _PREFIX + secrets.token_urlsafe(32)
    now = clock.now()

    def work(connection: Connection) -> None:
        taken = select(api_tokens.c.id).where(api_tokens.c.name == name, api_tokens.c.revoked_at.is_(None))
        if connection.execute(taken).first() is not None:
            raise TokenError(f"a token '{name}' exists: revoke it first, or choose another name")
        values = {"name": name, "digest": _digest(token), "scopes": wanted, "created_at": now}
        made = connection.execute(insert(api_tokens).values(values).returning(api_tokens.c.id)).scalar_one()
        _note(connection, now, by, "token_created", made, {"name": name, "scopes": wanted})

    await database.write(work)
    return token


async def revoke(database: Database, clock: Clock, name: str, *, by: str = "system") -> None:
    """The token is refused from now on. Raises TokenError if there is no valid one of this name."""
    now = clock.now()

    def work(connection: Connection) -> None:
        statement = (
            update(api_tokens)
            .where(api_tokens.c.name == name, api_tokens.c.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(api_tokens.c.id)
        )
        gone = connection.execute(statement).scalar()
        if gone is None:
            raise TokenError(f"there is no valid token '{name}'")
        _note(connection, now, by, "token_revoked", gone, {"name": name})

    await database.write(work)


async def all_tokens(database: Database) -> list[Token]:
    """Every token that was made, the oldest first."""
    table = api_tokens.c
    statement = select(table.name, table.scopes, table.created_at, table.revoked_at).order_by(table.id)
    rows = await database.read(lambda connection: connection.execute(statement).all())
    return [Token(row[0], tuple(row[1]), row[2], row[3]) for row in rows]


async def caller(database: Database, setting: SecretStr | None, token: str) -> Caller | None:
    """Whose token it is; None for one that is unknown or revoked. `setting` is the token of the settings."""
    if not token:
        return None
    digest = _digest(token)
    # Digests are compared, in constant time: how long it takes tells nothing about a token.
    if setting and setting.get_secret_value() and hmac.compare_digest(digest, _digest(setting.get_secret_value())):
        return Caller(SETTING, frozenset(SCOPES))
    table = api_tokens.c
    statement = select(table.name, table.scopes, table.digest).where(table.digest == digest, table.revoked_at.is_(None))
    row = await database.read(lambda connection: connection.execute(statement).first())
    if row is None or not hmac.compare_digest(digest, row[2]):
        return None
    return Caller(row[0], frozenset(row[1]))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _note(connection: Connection, now: datetime, by: str, action: str, token: int, detail: dict[str, object]) -> None:
    connection.execute(insert(audit).values(at=now, actor=by, action=action, subject=f"token:{token}", detail=detail))
