"""Decides whether a customer is asked, where and when; every survey not sent has its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bot.surveys.definitions import Definition, Surveys, Trigger

Reason = Literal["no_definition", "already_surveyed", "opted_out", "cooldown", "no_address", "window_closed", "blocked"]
Supersession = Literal["newer_survey", "case_follow_up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What calls for a survey. `wanted` is the key of the definition that the caller asked for; `already_surveyed`:
    this episode, conversation resolution or case resolution has its survey."""

    trigger: Trigger
    happened_at: datetime
    touchpoint: str | None = None
    wanted: str | None = None
    already_surveyed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One address of a contact. `window` and `starts_conversations` are its channel's capabilities; `heard_at` is the
    customer's last message there."""

    address_id: int
    stopped: bool = False
    blocked: bool = False
    heard_at: datetime | None = None
    window: timedelta | None = None
    starts_conversations: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Ask `definition` at `address_id`, not before `at`."""

    definition: Definition
    address_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Do not ask; `reason` is recorded. `definition` is the one that would have been asked."""

    reason: Reason
    definition: Definition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaiting:
    """A survey that awaits an answer, or is about to be sent."""

    trigger: Trigger
    address_id: int | None = None
    conversation_id: int | None = None
    case_id: int | None = None


def decide(
    surveys: Surveys, occasion: Occasion, reaches: Sequence[Reach], last_asked_at: datetime | None, now: datetime
) -> Send | Suppressed:
    """`reaches` in the order of preference; `last_asked_at`: when any survey was last sent to the contact."""
    definition = (
        surveys.get(occasion.wanted) if occasion.wanted else surveys.for_trigger(occasion.trigger, occasion.touchpoint)
    )
    if definition is None:
        return Suppressed("no_definition")
    if occasion.already_surveyed:
        return Suppressed("already_surveyed", definition)
    if not reaches:
        return Suppressed("no_address", definition)
    at = max(now, occasion.happened_at + definition.delay)
    hindrances: list[Reason] = []
    for reach in reaches:
        hindrance = _hindrance(reach, at)
        if hindrance is None:
            if last_asked_at is not None and at < last_asked_at + definition.cooldown:
                return Suppressed("cooldown", definition)
            return Send(definition, reach.address_id, at)
        hindrances.append(hindrance)
    # Their own wish outweighs everything; else what time may mend is named before what it does not.
    order: tuple[Reason, ...] = ("opted_out", "window_closed", "blocked")
    return Suppressed(min(hindrances, key=order.index), definition)


def supersedes(newer: Awaiting, older: Awaiting) -> Supersession | None:
    """Why `older`, unanswered, gives way to `newer`; None if both may stand."""
    if (
        newer.trigger == "case_resolved"
        and older.trigger == "conversation_resolved"
        and newer.conversation_id is not None
        and newer.conversation_id == older.conversation_id
    ):
        return "case_follow_up"
    if newer.address_id is not None and newer.address_id == older.address_id:
        return "newer_survey"
    return None


def _hindrance(reach: Reach, at: datetime) -> Reason | None:
    if reach.stopped:
        return "opted_out"
    if reach.blocked:
        return "blocked"
    if reach.heard_at is None:
        return None if reach.starts_conversations and reach.window is None else "window_closed"
    return None if reach.window is None or at < reach.heard_at + reach.window else "window_closed"
