"""Decides whether a customer is asked, where and when; every survey not sent has its reason."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from bot.surveys.definitions import Definition, QuietHours, Surveys, Trigger, suited

Reason = Literal[
    "no_definition",
    "other_segment",
    "sampled_out",
    "opted_out",
    "cooldown",
    "quota",
    "no_address",
    "window_closed",
    "blocked",
    "too_old",
    "bot_only",
    "trivial",
    "spam",
    "case_follow_up",
]
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What calls for a survey. `wanted` is the key of the definition that the caller asked for. `subject` names the
    occasion: the same one is sampled the same way each time; empty: it is not sampled. `segment` is the customer's."""

    trigger: Trigger
    happened_at: datetime
    touchpoint: str | None = None
    wanted: str | None = None
    subject: str = ""
    segment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One address of a contact. `window` and `starts_conversations` are its channel's capabilities; `heard_at` is the
    customer's last message there."""

    address_id: int
    channel: str = ""
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
    """Do not ask; `reason` is recorded. `definition` is the one that would have been asked, and `address_id` where:
    coverage is told by channel."""

    reason: Reason
    definition: Definition | None = None
    address_id: int | None = None


Hours = Callable[[Definition, datetime], datetime]
"""When a survey may go that is due at this time: then, or later."""


def decide(
    surveys: Surveys,
    occasion: Occasion,
    reaches: Sequence[Reach],
    now: datetime,
    hours: Hours = lambda definition, at: at,
) -> Send | Suppressed:
    """`reaches` in the order of preference. What was asked of the customer before is the caller's to look at."""
    definition = chosen(surveys, occasion)
    if isinstance(definition, Suppressed):
        return replace(definition, address_id=reaches[0].address_id if reaches else None)
    found = reached(definition, reaches, hours(definition, max(now, occasion.happened_at + definition.delay)))
    if occasion.subject and not sampled(definition, occasion.subject):
        return Suppressed("sampled_out", definition, found.address_id)
    return found


def chosen(surveys: Surveys, occasion: Occasion) -> Definition | Suppressed:
    """The definition for an occasion, or why there is none."""
    if occasion.wanted is not None:
        wanted = surveys.get(occasion.wanted)
        return Suppressed("no_definition") if wanted is None else wanted
    fitting = surveys.fitting(occasion.trigger, occasion.touchpoint)
    if not fitting:
        return Suppressed("no_definition")
    return suited(fitting, occasion.segment) or Suppressed("other_segment", fitting[0])


def sampled(definition: Definition, subject: str) -> bool:
    """Whether this occasion is in the sample: by a hash, so that it is the same whenever and wherever it is asked."""
    digest = hashlib.sha256(f"{definition.key}:{subject}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 10_000 < 100 * definition.sample


def reached(definition: Definition, reaches: Sequence[Reach], at: datetime) -> Send | Suppressed:
    """The first address that may be written to at `at`, those on the definition's own channels first."""
    if not reaches:
        return Suppressed("no_address", definition)
    hindered: list[tuple[Reason, int]] = []
    for reach in sorted(reaches, key=lambda reach: _preference(definition, reach)):
        found = hindrance(reach, at)
        if found is None:
            return Send(definition, reach.address_id, at)
        hindered.append((found, reach.address_id))
    # Their own wish outweighs everything; else what time may mend is named before what it does not.
    order: tuple[Reason, ...] = ("opted_out", "window_closed", "blocked")
    reason, address = min(hindered, key=lambda each: order.index(each[0]))
    return Suppressed(reason, definition, address)


def spam(said: Sequence[str]) -> bool:
    """Whether what somebody wrote is advertising or noise rather than a conversation: every message of several bears a
    link, or one and the same was sent again and again. Who is at a loss repeats a request too, but not five times."""
    if len(said) >= _LINKS and all(_LINK.search(text) for text in said):
        return True
    return len(said) >= _SAME and len({"".join(text.split()).casefold() for text in said}) == 1


_LINKS, _SAME = 2, 5
_LINK = re.compile(r"https?://|\bwww\.|\bt\.me/", re.IGNORECASE)


def after_quiet(quiet: QuietHours, at: datetime, zone: ZoneInfo) -> datetime:
    """`at`, or the end of the quiet hours that it lies in."""
    local = at.astimezone(zone)
    inside = (
        quiet.start <= local.time() < quiet.end
        if quiet.start < quiet.end
        else local.time() >= quiet.start or local.time() < quiet.end
    )
    if not inside:
        return at
    day = local.date() + timedelta(days=1) if quiet.start > quiet.end and local.time() >= quiet.start else local.date()
    return datetime.combine(day, quiet.end, zone).astimezone(at.tzinfo)


def _preference(definition: Definition, reach: Reach) -> int:
    wanted = definition.channels
    return wanted.index(reach.channel) if reach.channel in wanted else len(wanted)


def hindrance(reach: Reach, at: datetime) -> Reason | None:
    """Why nothing may be sent there at `at` by ourselves; None if it may."""
    if reach.stopped:
        return "opted_out"
    if reach.blocked:
        return "blocked"
    if reach.heard_at is None:
        return None if reach.starts_conversations and reach.window is None else "window_closed"
    return None if reach.window is None or at < reach.heard_at + reach.window else "window_closed"
