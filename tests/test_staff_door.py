"""The door against guessing: throttled by login and by place, the same for logins that exist and that do not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.clock import ManualClock
from bot.staff.door import Door, TooManyAttempts, WrongCredentials
from bot.staff.service import ensure_admin
from bot.staff.throttle import PER_LOGIN, PER_PLACE, WINDOW, Throttle
from storage.database import Database

GOOD = "correct horse battery"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 5, 2, 0, tzinfo=UTC))


async def guess(door: Door, login: str, place: str, password: str = "wrong") -> str:
    try:
        await door.sign_in(login, password, place)
    except (WrongCredentials, TooManyAttempts) as refused:
        return type(refused).__name__
    return "in"


@pytest.mark.parametrize("login", ["admin", "nobody"])
async def test_guessing_a_login_is_stopped_whether_it_exists_or_not(
    database: Database, clock: ManualClock, login: str
) -> None:
    """From many places too: then even the right password waits, and afterwards it works."""
    await ensure_admin(database, clock, GOOD)
    door = Door(database, clock)
    found = [await guess(door, login, f"10.0.0.{n}") for n in range(PER_LOGIN + 1)]
    assert found == ["WrongCredentials"] * PER_LOGIN + ["TooManyAttempts"]
    assert await guess(door, login, "10.9.9.9", GOOD) == "TooManyAttempts"
    clock.advance(WINDOW)
    assert await guess(door, login, "10.9.9.9", GOOD) == ("in" if login == "admin" else "WrongCredentials")


async def test_a_crowd_at_once_gets_no_more_tries(database: Database, clock: ManualClock) -> None:
    """Attempts are counted before they are tried: fifty at the same moment are eight."""
    await ensure_admin(database, clock, GOOD)
    door = Door(database, clock)
    found = await asyncio.gather(*(guess(door, "admin", "10.0.0.1") for _ in range(50)))
    assert found.count("WrongCredentials") == PER_LOGIN


def test_one_place_is_stopped_over_many_logins(clock: ManualClock) -> None:
    """One guess at each of many accounts is still guessing."""
    throttle = Throttle(clock)
    for n in range(PER_PLACE):
        assert throttle.wait(f"user{n}", "10.0.0.1") == timedelta(0)
        throttle.count(f"user{n}", "10.0.0.1")
    assert throttle.wait("one more", "10.0.0.1") == WINDOW
    assert throttle.wait("one more", "10.0.0.2") == timedelta(0)


def test_the_wait_grows_shorter_as_time_passes(clock: ManualClock) -> None:
    """It is the time until the oldest attempt that counts is forgotten."""
    throttle = Throttle(clock)
    for _ in range(PER_LOGIN):
        throttle.count("admin", "here")
        clock.advance(timedelta(minutes=1))
    assert throttle.wait("admin", "here") == WINDOW - timedelta(minutes=PER_LOGIN)
    clock.advance(WINDOW - timedelta(minutes=PER_LOGIN))
    assert throttle.wait("admin", "here") == timedelta(0)


def test_a_right_password_is_forgiven(clock: ManualClock) -> None:
    """A whole office behind one address signs in every morning without being stopped."""
    throttle = Throttle(clock)
    for n in range(5 * PER_PLACE):
        assert throttle.wait(f"user{n}", "office") == timedelta(0)
        throttle.count(f"user{n}", "office")
        throttle.forgive(f"user{n}", "office")


def test_what_is_remembered_is_bounded(clock: ManualClock) -> None:
    """A flood of made-up logins does not fill the memory."""
    throttle = Throttle(clock)
    for n in range(25_000):
        throttle.count(f"user{n}", f"place{n}")
    assert len(throttle._failures) <= 20_000
