"""A circuit breaker and a budget: pure of sockets, moved by a clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from remote_parts import START

from bot.clock import ManualClock
from bot.loop.remote import Breaker, Budget
from bot.loop.remote.breaker import FAILURES, REST


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def opened(clock: ManualClock) -> Breaker:
    breaker = Breaker(clock)
    assert [breaker.failed() for _ in range(FAILURES)] == [False] * (FAILURES - 1) + [True]
    return breaker


def test_a_few_failures_change_nothing_and_a_success_forgets_them(clock: ManualClock) -> None:
    """Only failures in a row count."""
    breaker = Breaker(clock)
    for _ in range(FAILURES - 1):
        breaker.failed()
    breaker.succeeded()
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert breaker.state == "closed"
    assert breaker.admits()


def test_an_open_breaker_admits_nothing_until_the_rest_is_over(clock: ManualClock) -> None:
    """To the microsecond."""
    breaker = opened(clock)
    clock.advance(REST - timedelta(microseconds=1))
    assert (breaker.state, breaker.admits()) == ("open", False)
    clock.advance(timedelta(microseconds=1))
    assert (breaker.state, breaker.admits()) == ("half-open", True)


def test_half_open_admits_one_probe_alone(clock: ManualClock) -> None:
    """Whoever comes while it is under way stays local."""
    breaker = opened(clock)
    clock.advance(REST)
    assert [breaker.admits() for _ in range(3)] == [True, False, False]


def test_a_probe_decides(clock: ManualClock) -> None:
    """Success closes; failure opens for as long again."""
    breaker = opened(clock)
    clock.advance(REST)
    assert breaker.admits()
    assert breaker.failed()
    assert breaker.state == "open"
    clock.advance(REST)
    assert breaker.admits()
    breaker.succeeded()
    assert (breaker.state, breaker.admits()) == ("closed", True)


def test_a_probe_that_was_given_up_does_not_lock_the_door(clock: ManualClock) -> None:
    """A turn that is cancelled while it probes leaves the next one its chance."""
    breaker = opened(clock)
    clock.advance(REST)
    assert breaker.admits()
    breaker.abandoned()
    assert breaker.admits()


def test_calls_that_end_after_it_opened_do_not_prolong_the_rest(clock: ManualClock) -> None:
    """They began before."""
    breaker = opened(clock)
    clock.advance(REST / 2)
    assert not breaker.failed()
    clock.advance(REST / 2)
    assert breaker.state == "half-open"


def test_a_budget_ends_with_its_requests_and_begins_anew_at_midnight(clock: ManualClock) -> None:
    """UTC, by the injected clock."""
    budget = Budget(clock, requests=2, characters=1_000)
    assert [budget.take(10) for _ in range(3)] == [True, True, False]
    clock.move_to(START.replace(hour=23, minute=59, second=59))
    assert not budget.take(1)
    clock.advance(timedelta(seconds=1))
    assert budget.take(1)


def test_a_budget_never_spends_more_characters_than_it_has(clock: ManualClock) -> None:
    """What does not fit is not booked; what was not needed comes back."""
    budget = Budget(clock, requests=100, characters=100)
    assert budget.take(60)
    assert not budget.take(41)
    assert budget.take(40)
    budget.give_back(30)
    assert budget.take(30)
    assert not budget.take(1)


def test_an_empty_budget_allows_nothing(clock: ManualClock) -> None:
    """0 turns it off."""
    assert not Budget(clock, requests=0, characters=100).take(1)
    assert not Budget(clock, requests=1, characters=0).take(1)
