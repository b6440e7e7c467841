"""Whether a customer is asked, and why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bot
from bot.surveys import reading
from bot.surveys.definitions import Definition, Surveys, Trigger
from bot.surveys.selection import Occasion, Reach, Send, Suppressed, decide

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
SURVEYS = reading.load(Path(bot.__file__).parent / "assistant" / "surveys.yml")
EPISODE = Occasion(trigger="episode", happened_at=NOW - timedelta(minutes=5), touchpoint="repair")
SMS = Reach(address_id=1, starts_conversations=True)
TELEGRAM = Reach(address_id=2, heard_at=NOW - timedelta(days=90))
MESSENGER = Reach(address_id=3, heard_at=NOW - timedelta(hours=23), window=timedelta(hours=24))


def reason(*reaches: Reach, occasion: Occasion = EPISODE, of: Surveys = SURVEYS) -> str:
    decision = decide(of, occasion, reaches, NOW)
    return decision.reason if isinstance(decision, Suppressed) else f"sent to {decision.address_id}"


@pytest.mark.parametrize(
    ("trigger", "touchpoint", "key"),
    [
        ("episode", "repair", "post_service"),
        ("episode", None, "post_service"),
        ("episode", "faq", "thumbs"),
        ("conversation_resolved", None, "agent"),
        ("case_resolved", None, "case_follow_up"),
        ("volunteered", None, "volunteered"),
    ],
)
def test_the_shipped_surveys_cover_every_trigger(trigger: Trigger, touchpoint: str | None, key: str) -> None:
    """A named touchpoint has its own survey; any other the general one."""
    found = SURVEYS.for_trigger(trigger, touchpoint)
    assert found is not None
    assert found.key == key


def test_the_first_address_that_can_be_written_to_is_taken() -> None:
    """In the order of preference, passing over those that cannot."""
    assert reason(SMS, TELEGRAM) == "sent to 1"
    assert reason(replace(SMS, stopped=True), TELEGRAM, MESSENGER) == "sent to 2"
    assert reason(replace(SMS, blocked=True), replace(TELEGRAM, heard_at=None), MESSENGER) == "sent to 3"


def test_every_survey_not_sent_has_its_reason() -> None:
    """Each hindrance is named as what it is."""
    assert reason() == "no_address"
    assert reason(replace(SMS, stopped=True)) == "opted_out"
    assert reason(replace(SMS, blocked=True)) == "blocked"
    assert reason(replace(MESSENGER, heard_at=NOW - timedelta(hours=24))) == "window_closed"
    assert reason(replace(TELEGRAM, heard_at=None)) == "window_closed"
    assert reason(SMS, occasion=replace(EPISODE, wanted="nonesuch")) == "no_definition"
    assert reason(SMS, of=Surveys({})) == "no_definition"


def test_of_several_hindrances_the_customers_own_wish_is_named() -> None:
    """An opt-out weighs more than a block or a closed window."""
    closed = replace(MESSENGER, heard_at=None)
    assert reason(replace(SMS, blocked=True), closed, replace(TELEGRAM, stopped=True)) == "opted_out"
    assert reason(replace(SMS, blocked=True), closed) == "window_closed"


def test_the_definition_that_the_caller_wants_is_asked() -> None:
    """The API may name a survey."""
    decision = decide(SURVEYS, replace(EPISODE, wanted="thumbs"), [SMS], NOW)
    assert isinstance(decision, Send)
    assert decision.definition.key == "thumbs"


def with_post_service(**changes: timedelta) -> Surveys:
    changed: Definition = replace(SURVEYS.definitions["post_service"], **changes)  # type: ignore[arg-type] # durations only
    return Surveys({"post_service": changed})


def test_a_survey_not_sent_says_where_it_would_have_been() -> None:
    """Where the hindrance named stands, else at the first address: coverage is told by channel."""
    closed = replace(MESSENGER, heard_at=None)
    named = decide(SURVEYS, EPISODE, [closed, replace(TELEGRAM, stopped=True)], NOW)
    assert named == Suppressed("opted_out", SURVEYS.definitions["post_service"], 2)
    few = Surveys({"post_service": replace(SURVEYS.definitions["post_service"], sample=0)})
    for occasion in (replace(EPISODE, wanted="nonesuch"), replace(EPISODE, subject="e1")):
        left_out = decide(few, occasion, [SMS, TELEGRAM], NOW)
        assert isinstance(left_out, Suppressed)
        assert left_out.address_id == 1


def test_the_delay_counts_from_the_service_and_never_lies_in_the_past() -> None:
    """The window is judged by the time of sending, not of deciding."""
    surveys = with_post_service(delay=timedelta(hours=2))
    decision = decide(surveys, EPISODE, [SMS], NOW)
    assert isinstance(decision, Send)
    assert decision.at == EPISODE.happened_at + timedelta(hours=2)
    assert reason(MESSENGER, of=surveys) == "window_closed"
    old = replace(EPISODE, happened_at=NOW - timedelta(days=3))
    late = decide(surveys, old, [SMS], NOW)
    assert isinstance(late, Send)
    assert late.at == NOW


reaches = st.lists(
    st.builds(
        Reach,
        address_id=st.integers(1, 9),
        stopped=st.booleans(),
        blocked=st.booleans(),
        heard_at=st.none() | st.sampled_from([NOW, NOW - timedelta(hours=30)]),
        window=st.none() | st.just(timedelta(hours=24)),
        starts_conversations=st.booleans(),
    ),
    max_size=4,
)


@settings(deadline=None)
@given(reaches)
def test_nobody_who_opted_out_or_blocked_us_is_ever_written_to(found: list[Reach]) -> None:
    """For any addresses: a survey goes only to one that is open, else there is a reason."""
    decision = decide(SURVEYS, EPISODE, found, NOW)
    if isinstance(decision, Send):
        assert any(r.address_id == decision.address_id and not r.stopped and not r.blocked for r in found)
    else:
        assert all(r.stopped or r.blocked or r.window or r.heard_at is None for r in found)
