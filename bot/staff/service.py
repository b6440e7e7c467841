"""Accounts: who may sign in, in which role. Every change stands in the audit, with who made it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from bot.clock import Clock
from bot.staff import passwords, sessions
from bot.staff.passwords import Hashing
from bot.staff.sessions import Role
from bot.yamlfile import Words
from storage.database import Database
from storage.records import Staff
from storage.tables import audit, staff

ROLES: tuple[Role, ...] = get_args(Role)
ADMIN = "admin"
NAME_LONGEST = 100
FIRST_NAME = Words("客服", "Support")
SYSTEM = "system"
_LOGIN = re.compile(r"[\w.@+-]{1,100}")


def called(name: str, language: str) -> str:
    """The name by which customers of a language know somebody: who has chosen none yet is the house's desk, in the
    customer's own words."""
    return FIRST_NAME.said("zh" if language == "zh" else "en") if name in (FIRST_NAME.zh, FIRST_NAME.en) else name


class AccountError(ValueError):
    """The account was not made or changed; the message says what to do. `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


async def ensure_admin(database: Database, clock: Clock, password: str | None, language: str = "en") -> str | None:
    """On the first start, when nobody can sign in yet, make the account `admin`: with the password given, or with a
    one-time password, which must be changed at the first sign-in and is returned to be printed. Customers see it under
    the name of the house's desk in `language`, until its owner says another.

    None where there is nothing to print. Raises WeakPassword for a given one that is too weak."""
    if await database.read(_anybody):
        return None
    chosen = passwords.one_time() if password is None else password
    passwords.check(chosen, ADMIN)
    hashed = await Hashing().make(chosen)

    def work(connection: Connection) -> bool:
        if _anybody(connection):
            return False
        name = FIRST_NAME.said("zh" if language == "zh" else "en")
        _insert(connection, clock.now(), SYSTEM, ADMIN, name, "admin", hashed, must_change=password is None)
        return True

    try:
        made = await database.write(work)
    except IntegrityError:
        return None  # another process, started at the same time, made it
    return chosen if made and password is None else None


async def add_user(
    database: Database,
    clock: Clock,
    login: str,
    name: str,
    role: str,
    password: str | None = None,
    *,
    by: str = SYSTEM,
) -> str | None:
    """A new account. Without a password a one-time one is made and returned. `by` is `system` or `staff:ID`.

    Raises AccountError, WeakPassword."""
    login = folded(login)
    if not _LOGIN.fullmatch(login):
        raise AccountError("bad_login", "a login has 1 to 100 letters, digits and the signs . _ - + @")
    if role not in ROLES:
        raise AccountError("bad_role", f"a role is one of {', '.join(ROLES)}, not '{role}'")
    name = _name(name)
    chosen = passwords.one_time() if password is None else password
    passwords.check(chosen, login)
    hashed = await Hashing().make(chosen)
    now = clock.now()
    try:
        await database.write(
            lambda connection: _insert(connection, now, by, login, name, role, hashed, must_change=password is None)
        )
    except IntegrityError:
        raise AccountError("exists", f"the login '{login}' is taken: choose another, or set its password") from None
    return chosen if password is None else None


async def rename(database: Database, clock: Clock, login: str, name: str, *, by: str = SYSTEM) -> str:
    """Another name for customers and colleagues to see. The name as it is kept. Raises AccountError."""
    kept, now = _name(name), clock.now()

    def work(connection: Connection) -> None:
        found = _known(connection, folded(login))
        connection.execute(update(staff).where(staff.c.id == found.id).values(name=kept))
        note(connection, now, by, "staff_renamed", f"staff:{found.id}")

    await database.write(work)
    return kept


async def set_password(
    database: Database, clock: Clock, login: str, password: str | None = None, *, by: str = SYSTEM
) -> str:
    """Give an account a password that must be changed at the next sign-in; a one-time one if none is given. Ends its
    sessions, and lets a disabled account sign in again. The password. Raises AccountError, WeakPassword."""
    login = folded(login)
    chosen = passwords.one_time() if password is None else password
    passwords.check(chosen, login)
    hashed = await Hashing().make(chosen)
    now = clock.now()

    def work(connection: Connection) -> None:
        found = _known(connection, login)
        values = {"password": hashed, "must_change": True, "disabled_at": None}
        connection.execute(update(staff).where(staff.c.id == found.id).values(values))
        sessions.end_all(connection, found.id)
        note(connection, now, by, "password_set", f"staff:{found.id}")

    await database.write(work)
    return chosen


async def place(
    database: Database, clock: Clock, login: str, role: str, department: str | None, *, by: str = SYSTEM
) -> None:
    """Another role or department. Raises AccountError, also for the last administrator, who stays one."""
    if role not in ROLES:
        raise AccountError("bad_role", f"a role is one of {', '.join(ROLES)}, not '{role}'")
    now = clock.now()

    def work(connection: Connection) -> None:
        found = _known(connection, folded(login))
        if found.role == ADMIN and role != ADMIN and _last_admin(connection, found.id):
            raise AccountError("last_admin", "this is the last administrator: make another one first")
        connection.execute(update(staff).where(staff.c.id == found.id).values(role=role, department=department))
        note(connection, now, by, "staff_placed", f"staff:{found.id}", {"role": role, "department": department})

    await database.write(work)


async def disable(database: Database, clock: Clock, login: str, *, by: str = SYSTEM) -> None:
    """No more sign-in, and every session ends. Raises AccountError for the last administrator."""
    now = clock.now()

    def work(connection: Connection) -> None:
        found = _known(connection, folded(login))
        if found.role == ADMIN and _last_admin(connection, found.id):
            raise AccountError("last_admin", "this is the last administrator: make another one first")
        connection.execute(update(staff).where(staff.c.id == found.id).values(disabled_at=now))
        sessions.end_all(connection, found.id)
        note(connection, now, by, "staff_disabled", f"staff:{found.id}")

    await database.write(work)


def names(connection: Connection, actors: Iterable[str]) -> dict[str, str]:
    """What those of `actors` are called who are of the staff (`staff:ID`), by actor; others are left out."""
    ids = {int(each[6:]) for each in actors if each.startswith("staff:")}
    rows = connection.execute(select(staff.c.id, staff.c.name).where(staff.c.id.in_(sorted(ids))))
    return {f"staff:{row.id}": row.name for row in rows}


def folded(login: str) -> str:
    """A login as it is kept: people type it in any case, with full-width letters, with a space at its end."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


async def record(
    database: Database, clock: Clock, actor: str, action: str, subject: str, detail: dict[str, Any] | None = None
) -> None:
    """A line of the audit by itself."""
    now = clock.now()
    await database.write(lambda connection: note(connection, now, actor, action, subject, detail))


def note(
    connection: Connection,
    now: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: dict[str, Any] | None = None,
) -> None:
    """A line of the audit within a unit of work."""
    connection.execute(insert(audit).values(at=now, actor=actor, action=action, subject=subject, detail=detail))


def _name(name: str) -> str:
    """Raises AccountError."""
    name = name.strip()
    if not 1 <= len(name) <= NAME_LONGEST or not name.isprintable() or "[[" in name:
        raise AccountError(
            "bad_name", f"a name has 1 to {NAME_LONGEST} printable characters, without [[: customers see it"
        )
    return name


def _anybody(connection: Connection) -> bool:
    return connection.execute(select(staff.c.id).limit(1)).first() is not None


def _last_admin(connection: Connection, one: int) -> bool:
    """Whether nobody but this one may administer."""
    others = select(func.count()).where(staff.c.role == ADMIN, staff.c.disabled_at.is_(None), staff.c.id != one)
    return connection.execute(others).scalar_one() == 0


def _known(connection: Connection, login: str) -> Staff:
    found = Staff.one(connection, staff.c.login == login)
    if found is None:
        raise AccountError("unknown", f"there is no account '{login}'")
    return found


def _insert(
    connection: Connection,
    now: datetime,
    by: str,
    login: str,
    name: str,
    role: str,
    hashed: str,
    *,
    must_change: bool,
) -> None:
    values = {"login": login, "name": name, "password": hashed, "role": role, "must_change": must_change}
    made = connection.execute(insert(staff).values(**values, created_at=now).returning(staff.c.id)).scalar_one()
    note(connection, now, by, "staff_added", f"staff:{made}", {"role": role})
