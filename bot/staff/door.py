"""The door: signing in and out. Slow for whoever guesses, the same for a login that exists and one that does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

from sqlalchemy import Connection, select, update

from bot.clock import Clock
from bot.staff import passwords, sessions
from bot.staff.passwords import Hashing
from bot.staff.service import folded, note, record
from bot.staff.sessions import Member, Role
from bot.staff.throttle import Throttle
from storage.database import Database
from storage.records import Staff
from storage.tables import staff


class WrongCredentials(Exception):
    """No such login, a wrong password, or a disabled account: which of them is not said."""


class TooManyAttempts(Exception):
    """`wait` is how long until the next attempt is looked at."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("too many attempts")
        self.wait = wait


@dataclass(slots=True)
class Door:
    """One for a process."""

    database: Database
    clock: Clock
    hashing: Hashing = field(default_factory=Hashing)
    throttle: Throttle = field(init=False)

    def __post_init__(self) -> None:
        self.throttle = Throttle(self.clock)

    async def sign_in(self, login: str, password: str, place: str) -> tuple[Member, str]:
        """The member, and the secret for the cookie. `place` is where they call from. Raises WrongCredentials,
        TooManyAttempts."""
        login = folded(login[:400])
        wait = self.throttle.wait(login, place)
        if wait > timedelta(0):
            raise TooManyAttempts(wait)
        self.throttle.count(login, place)
        shut = self.throttle.wait(login, place) > timedelta(0)
        found = await self.database.read(lambda connection: Staff.one(connection, staff.c.login == login))
        usable = found is not None and found.disabled_at is None
        fits = await self.hashing.fits(password, found.password if found and usable else None)
        if found is None or not fits:
            # What was typed as a login may be a password: only an account's own id is written down.
            whom = f"staff:{found.id}" if found else "unknown"
            detail: dict[str, object] = {"ip": place}
            if shut:
                detail["throttled"] = True
            await record(self.database, self.clock, "anonymous", "sign_in_failed", whom, detail)
            raise WrongCredentials
        self.throttle.forgive(login, place)
        token = await self._open(found, password, place)
        return Member(found.id, found.login, found.name, cast(Role, found.role), found.must_change), token

    async def sign_out(self, member: Member, token: str) -> None:
        now = self.clock.now()

        def work(connection: Connection) -> None:
            sessions.end(connection, token)
            note(connection, now, f"staff:{member.id}", "sign_out", f"staff:{member.id}")

        await self.database.write(work)

    async def change_password(self, member: Member, token: str, old: str, new: str, place: str) -> None:
        """A member's own change; their other sessions end. Raises WrongCredentials where `old` is wrong, WeakPassword,
        TooManyAttempts."""
        passwords.check(new, member.login)
        wait = self.throttle.wait(member.login, place)
        if wait > timedelta(0):
            raise TooManyAttempts(wait)
        self.throttle.count(member.login, place)
        found = await self.database.read(lambda connection: Staff.one(connection, staff.c.id == member.id))
        me, now = f"staff:{member.id}", self.clock.now()
        if found is None or not await self.hashing.fits(old, found.password):
            await record(self.database, self.clock, me, "password_change_failed", me, {"ip": place})
            raise WrongCredentials
        self.throttle.forgive(member.login, place)
        if await self.hashing.fits(new, found.password):
            raise passwords.WeakPassword("same")
        hashed = await self.hashing.make(new)

        def work(connection: Connection) -> None:
            # Not over a password that was set meanwhile: the one who set it would be told a wrong one.
            own = update(staff).where(staff.c.id == member.id, staff.c.password == found.password)
            if connection.execute(own.values(password=hashed, must_change=False)).rowcount != 1:
                raise WrongCredentials
            sessions.end_all(connection, member.id, but=token)
            note(connection, now, me, "password_changed", me)

        await self.database.write(work)

    async def _open(self, found: Staff, password: str, place: str) -> str:
        rehashed = await self.hashing.make(password) if passwords.outdated(found.password) else None
        now = self.clock.now()

        def work(connection: Connection) -> str:
            # While the hash was computed the account may have been disabled or given another password.
            same = select(staff.c.id).where(
                staff.c.id == found.id, staff.c.password == found.password, staff.c.disabled_at.is_(None)
            )
            if connection.execute(same).first() is None:
                raise WrongCredentials
            if rehashed:
                connection.execute(update(staff).where(staff.c.id == found.id).values(password=rehashed))
            note(connection, now, f"staff:{found.id}", "sign_in", f"staff:{found.id}", {"ip": place})
            return sessions.open_session(connection, found.id, now)

        return await self.database.write(work)
