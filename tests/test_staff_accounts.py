"""Accounts: the first administrator, new members, passwords, and what is written down of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from bot.clock import ManualClock
from bot.staff import passwords, sessions
from bot.staff.door import Door, TooManyAttempts, WrongCredentials
from bot.staff.passwords import WeakPassword
from bot.staff.service import AccountError, add_user, disable, ensure_admin, rename, set_password
from storage.database import Database
from storage.tables import audit, staff, staff_sessions

GOOD = "correct horse battery"
START = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


async def audited(database: Database) -> list[tuple[str, str, str, object]]:
    statement = select(audit.c.actor, audit.c.action, audit.c.subject, audit.c.detail).order_by(audit.c.id)
    return [tuple(row) for row in await database.read(lambda connection: connection.execute(statement).all())]


async def test_the_first_start_makes_an_administrator_with_a_one_time_password(
    database: Database, clock: ManualClock
) -> None:
    """It is returned to be printed, works once typed, and asks to be changed; the second start makes nobody."""
    printed = await ensure_admin(database, clock, None)
    assert printed is not None
    member, token = await Door(database, clock).sign_in("Admin", printed, "here")
    assert (member.role, member.must_change) == ("admin", True)
    assert await sessions.find(database, clock, token) == member
    assert await ensure_admin(database, clock, None) is None
    assert await ensure_admin(database, clock, GOOD) is None


async def test_customers_do_not_meet_an_admin(database: Database, clock: ManualClock) -> None:
    """The first account has a name that may be said to them, in the house's language, until its owner says another;
    what is no name is refused, and the change stands in the audit."""
    await ensure_admin(database, clock, GOOD, "zh")
    door = Door(database, clock)
    member, token = await door.sign_in("admin", GOOD, "here")
    assert member.name == "客服"
    assert await rename(database, clock, "Admin", "  小林 ", by="staff:1") == "小林"
    found = await sessions.find(database, clock, token)
    assert found is not None
    assert found.name == "小林"
    assert ("staff:1", "staff_renamed", f"staff:{member.id}", None) in await audited(database)
    for bad in ("", " ", "x" * 101, "a\nb", "[[case_number]]"):
        with pytest.raises(AccountError, match="1 to 100 printable characters"):
            await rename(database, clock, "admin", bad)
    with pytest.raises(AccountError, match="no account 'nobody'"):
        await rename(database, clock, "nobody", "Lin")


async def test_a_given_password_is_kept_and_not_printed(database: Database, clock: ManualClock) -> None:
    """Who sets EARFUL_ADMIN_PASSWORD knows it: nothing is printed, nothing must be changed."""
    assert await ensure_admin(database, clock, GOOD) is None
    member, _ = await Door(database, clock).sign_in("admin", GOOD, "here")
    assert not member.must_change


async def test_a_weak_given_password_is_refused_with_what_to_do(database: Database, clock: ManualClock) -> None:
    """The service does not start with an administrator whom anybody could be."""
    with pytest.raises(WeakPassword, match="at least 10 characters"):
        await ensure_admin(database, clock, "admin")
    assert await database.read(lambda connection: connection.execute(select(staff)).first()) is None


async def test_two_first_starts_at_once_make_one_administrator(database: Database, clock: ManualClock) -> None:
    """Two processes on one PostgreSQL: one prints a password that works, the other prints nothing."""
    printed = [one for one in await asyncio.gather(*(ensure_admin(database, clock, None) for _ in range(3))) if one]
    assert len(printed) == 1
    await Door(database, clock).sign_in("admin", printed[0], "here")


async def test_one_time_passwords_can_be_read_out() -> None:
    """No letter is mistaken for another, and no two are the same."""
    made = {passwords.one_time() for _ in range(200)}
    assert len(made) == 200
    assert all(not set("il1o0") & set(one) and len(one) == 19 for one in made)


@pytest.mark.parametrize(
    ("login", "name", "role", "code"),
    [
        ("", "Ann", "agent", "bad_login"),
        ("ann lee", "Ann", "agent", "bad_login"),
        ("ann", "  ", "agent", "bad_name"),
        ("ann", "An\nn", "agent", "bad_name"),
        ("ann", "[[case_number]]", "agent", "bad_name"),
        ("ann", "Ann", "owner", "bad_role"),
    ],
)
async def test_accounts_that_make_no_sense_are_refused(
    database: Database, clock: ManualClock, login: str, name: str, role: str, code: str
) -> None:
    """Each refusal has a code and says what to do."""
    with pytest.raises(AccountError) as refused:
        await add_user(database, clock, login, name, role, GOOD)
    assert refused.value.code == code


async def test_a_login_is_one_however_it_is_typed(database: Database, clock: ManualClock) -> None:
    """Capitals, full-width letters and a space at the end make no second account."""
    await add_user(database, clock, "Ann", "Ann", "agent", GOOD)
    with pytest.raises(AccountError, match="taken"):
        await add_user(database, clock, "ａｎｎ ", "Ann", "agent", GOOD)
    member, _ = await Door(database, clock).sign_in(" ANN", GOOD, "here")
    assert member.login == "ann"


async def test_a_password_set_by_another_ends_sessions_and_must_be_changed(
    database: Database, clock: ManualClock
) -> None:
    """The old one no longer opens the door, nor does the old cookie."""
    await add_user(database, clock, "ann", "Ann", "agent", GOOD)
    door = Door(database, clock)
    _, token = await door.sign_in("ann", GOOD, "here")
    given = await set_password(database, clock, "ann", by="staff:1")
    assert await sessions.find(database, clock, token) is None
    with pytest.raises(WrongCredentials):
        await door.sign_in("ann", GOOD, "here")
    member, _ = await door.sign_in("ann", given, "here")
    assert member.must_change


async def test_a_disabled_account_is_out_at_once(database: Database, clock: ManualClock) -> None:
    """Its sessions end, its password is refused like a wrong one; a new password lets it in again."""
    await ensure_admin(database, clock, GOOD)
    await add_user(database, clock, "ann", "Ann", "agent", GOOD)
    door = Door(database, clock)
    _, token = await door.sign_in("ann", GOOD, "here")
    await disable(database, clock, "ann")
    assert await sessions.find(database, clock, token) is None
    with pytest.raises(WrongCredentials):
        await door.sign_in("ann", GOOD, "here")
    with pytest.raises(AccountError, match="last administrator"):
        await disable(database, clock, "admin")
    await door.sign_in("ann", await set_password(database, clock, "ann"), "here")


async def test_changing_ones_password_keeps_this_session_and_ends_the_others(
    database: Database, clock: ManualClock
) -> None:
    """The wrong old one, a short one, the login itself and the same again are refused, each for its reason."""
    printed = await ensure_admin(database, clock, None)
    assert printed
    door = Door(database, clock)
    member, here = await door.sign_in("admin", printed, "here")
    _, elsewhere = await door.sign_in("admin", printed, "there")
    for new, code in (("short", "short"), ("x" * 201, "long"), (printed, "same")):
        with pytest.raises(WeakPassword) as weak:
            await door.change_password(member, here, printed, new, "here")
        assert weak.value.code == code
    with pytest.raises(WrongCredentials):
        await door.change_password(member, here, "not that one", GOOD, "here")
    await door.change_password(member, here, printed, GOOD, "here")
    again = await sessions.find(database, clock, here)
    assert again
    assert not again.must_change
    assert await sessions.find(database, clock, elsewhere) is None
    with pytest.raises(WrongCredentials):
        await door.sign_in("admin", printed, "here")


async def test_a_stolen_session_cannot_guess_the_password(database: Database, clock: ManualClock) -> None:
    """Wrong old passwords count like wrong sign-ins."""
    await ensure_admin(database, clock, GOOD)
    door = Door(database, clock)
    member, token = await door.sign_in("admin", GOOD, "here")
    for _ in range(8):
        with pytest.raises(WrongCredentials):
            await door.change_password(member, token, "a wild guess", "another password", "here")
    with pytest.raises(TooManyAttempts):
        await door.change_password(member, token, GOOD, "another password", "here")


async def test_a_session_slides_and_ends(database: Database, clock: ManualClock) -> None:
    """Twelve hours after it was last used; what a page reads by itself is no use."""
    await ensure_admin(database, clock, GOOD)
    _, token = await Door(database, clock).sign_in("admin", GOOD, "here")
    for _ in range(3):
        clock.advance(timedelta(hours=11))
        assert await sessions.find(database, clock, token)
    clock.advance(timedelta(hours=11))
    assert await sessions.find(database, clock, token, renew=False)
    clock.advance(timedelta(hours=1))
    assert await sessions.find(database, clock, token) is None


async def test_the_store_holds_no_cookie_and_no_password(database: Database, clock: ManualClock) -> None:
    """Whoever reads the tables can sign in with nothing that stands there."""
    await ensure_admin(database, clock, GOOD)
    _, token = await Door(database, clock).sign_in("admin", GOOD, "here")

    def work(connection: Connection) -> str:
        return repr([connection.execute(select(table)).all() for table in (staff, staff_sessions, audit)])

    kept = await database.read(work)
    assert token not in kept
    assert GOOD not in kept
    assert "argon2id" in kept


async def test_every_change_is_in_the_audit(database: Database, clock: ManualClock) -> None:
    """With who made it; a failed sign-in says whose account it was, never what was typed."""
    await ensure_admin(database, clock, GOOD)
    await add_user(database, clock, "ann", "Ann", "agent", GOOD, by="staff:1")
    door = Door(database, clock)
    member, token = await door.sign_in("ann", GOOD, "10.0.0.1")
    await door.sign_out(member, token)
    for login in ("ann", "my secret typed into the wrong field"):
        with pytest.raises(WrongCredentials):
            await door.sign_in(login, "wrong", "10.0.0.1")
    await disable(database, clock, "ann", by="staff:1")
    found = await audited(database)
    assert [row[:3] for row in found] == [
        ("system", "staff_added", "staff:1"),
        ("staff:1", "staff_added", "staff:2"),
        ("staff:2", "sign_in", "staff:2"),
        ("staff:2", "sign_out", "staff:2"),
        ("anonymous", "sign_in_failed", "staff:2"),
        ("anonymous", "sign_in_failed", "unknown"),
        ("staff:1", "staff_disabled", "staff:2"),
    ]
    assert "secret" not in repr(found)
