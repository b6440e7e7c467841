"""A month's report: goals beside figures, the three matters that most complaints were about and what is done about
them, and the way of feedback from channel through nature to outcome. Every complaint of the month is in the flow once,
so its lines add up.

Figures (percent, each with its 95 % interval):
- complaint rate: complaints per 100 services of the month;
- scores of 90 and more: of the ratings received in the month;
- answered within 24 hours: of the complaints opened in the month, but those that are younger and wait;
- closure: closed by the customer's own rating, of the complaints opened in the month that were not merged, doubled or
  withdrawn;
- coverage: asked of the occasions, answered of those asked (`bot.indicators.coverage`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from bot.indicators import coverage
from bot.indicators.statistics import Estimate, mean, share
from storage.tables import cases, conversations, episodes, improvements, ratings

Name = Literal["complaint_rate", "scores_90", "within_24h", "closure", "asked", "answered"]
Outcome = Literal["open", "closed", "unconfirmed", "withdrawn", "merged"]

GOALS: dict[Name, float | None] = {
    "complaint_rate": None,
    "scores_90": None,
    "within_24h": 95.0,
    "closure": 95.0,
    "asked": None,
    "answered": None,
}
"""In the order of the report; at least so many percent (R4.2, R5.8). None: the operator's own to set."""
ISSUES = 3
NUMBERS = 5
"""Of an issue's complaints so many are named, the newest ones."""
_PROMPT = timedelta(hours=24)
_OUTCOMES: dict[str, Outcome] = {
    "closed": "closed",
    "closed_unconfirmed": "unconfirmed",
    "withdrawn": "withdrawn",
    "merged": "merged",
    "duplicate": "merged",
}


@dataclass(frozen=True, slots=True)
class Month:
    """[`since`, `until`), by the office's calendar."""

    name: str
    since: datetime
    until: datetime


def month(name: str, zone: ZoneInfo) -> Month:
    """The month of a name such as 2026-11. Raises ValueError for another."""
    if not (found := re.fullmatch(r"(\d{4})-(\d{2})", name, re.ASCII)) or not 1 <= int(found[2]) <= 12:
        raise ValueError(f"'{name}' is no month: write it as 2026-11")
    year, number = int(found[1]), int(found[2])
    if not 1 < year < 9999:
        raise ValueError(f"'{name}' is no month of ours")
    since = datetime(year, number, 1, tzinfo=zone)
    return Month(name, since, datetime(year + number // 12, number % 12 + 1, 1, tzinfo=zone))


def before(this: Month, zone: ZoneInfo) -> Month:
    """The month before."""
    last = this.since.astimezone(zone) - timedelta(days=1)
    return month(f"{last:%Y-%m}", zone)


@dataclass(frozen=True, slots=True)
class Figure:
    """`then`: the month before. None: nothing to say it of."""

    name: Name
    now: Estimate | None
    then: Estimate | None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none, or no figure."""
        goal = GOALS[self.name]
        return None if goal is None or self.now is None else self.now.value >= goal


@dataclass(frozen=True, slots=True)
class Issue:
    """What many complaints were about: `topic` is nature:aspect. `score`: their customers' scores after the solution;
    `cases`: ids of the newest; `measures`: title and state of the improvements on it."""

    topic: str
    count: int
    then: int
    part: Estimate
    score: Estimate | None
    cases: Sequence[int]
    measures: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Report:
    """`flow` counts complaints by channel, nature and outcome: together `complaints`."""

    month: Month
    services: int
    ratings: int
    complaints: int
    figures: Sequence[Figure]
    issues: Sequence[Issue]
    flow: Sequence[tuple[str, str, Outcome, int]]


@dataclass(slots=True)
class _Counts:
    services: int = 0
    ratings: int = 0
    high: int = 0
    opened: int = 0
    prompt: int = 0
    due: int = 0  # for the first answer
    settled: Counter[Outcome] = field(default_factory=Counter)
    topics: Counter[str] = field(default_factory=Counter)
    flow: Counter[tuple[str, str, Outcome]] = field(default_factory=Counter)
    scores: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    newest: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    covered: coverage.Coverage = field(default_factory=coverage.Coverage)


def report(connection: Connection, this: Month, zone: ZoneInfo, now: datetime, volunteered: Sequence[str]) -> Report:
    """The report of a month as it stands `now`. `volunteered`: surveys that nobody is asked."""
    counted, then = (_counted(connection, each, now, volunteered) for each in (this, before(this, zone)))
    told = counted.topics.total()
    issues = [
        Issue(
            topic,
            count,
            then.topics[topic],
            share(count, told) or Estimate(0, 0),
            mean(counted.scores[topic]),
            counted.newest[topic][:NUMBERS],
            _measures(connection, topic),
        )
        for topic, count in sorted(counted.topics.items(), key=lambda each: (-each[1], each[0]))[:ISSUES]
    ]
    return Report(
        this,
        counted.services,
        counted.ratings,
        counted.opened,
        [Figure(name, _figure(name, counted), _figure(name, then)) for name in GOALS],
        issues,
        [(*line, count) for line, count in sorted(counted.flow.items(), key=lambda each: (-each[1], each[0]))],
    )


def _counted(connection: Connection, of: Month, now: datetime, volunteered: Sequence[str]) -> _Counts:
    found = _Counts()
    ended, received = episodes.c.ended_at, ratings.c.received_at
    found.services = _number(connection, select(func.count()).where(ended >= of.since, ended < of.until))
    within = (received >= of.since, received < of.until)
    found.ratings = _number(connection, select(func.count()).where(*within))
    found.high = _number(connection, select(func.count()).where(*within, ratings.c.score >= 90))
    found.covered = coverage.total(coverage.coverage(connection, of.since, of.until, volunteered).values())
    statement = (
        select(cases.c.id, conversations.c.channel, cases.c.nature, cases.c.topic, cases.c.state)
        .add_columns(cases.c.opened_at, cases.c.responded_at, cases.c.score)
        .join(conversations, conversations.c.id == cases.c.conversation_id)
        .where(cases.c.opened_at >= of.since, cases.c.opened_at < of.until)
        .order_by(cases.c.id.desc())
    )
    for row in connection.execute(statement):
        _count(found, row, now)
    return found


def _count(found: _Counts, row: Any, now: datetime) -> None:
    outcome = _OUTCOMES.get(row.state, "open")
    found.opened += 1
    found.settled[outcome] += 1
    found.flow[row.channel, next(iter(row.nature), "none"), outcome] += 1
    if outcome in ("merged", "withdrawn"):
        return
    if row.responded_at is not None or row.opened_at + _PROMPT <= now:
        found.due += 1
        found.prompt += row.responded_at is not None and row.responded_at <= row.opened_at + _PROMPT
    if row.topic:
        found.topics[row.topic] += 1
        found.newest[row.topic].append(row.id)
        if row.score is not None:
            found.scores[row.topic].append(row.score)


def _figure(name: Name, found: _Counts) -> Estimate | None:
    complaints = found.opened - found.settled["merged"]
    if name == "complaint_rate":
        if complaints > found.services > 0:  # not every complaint is of a service that was reported
            return Estimate(100 * complaints / found.services, found.services)
        return share(complaints, found.services) if found.services else None
    parts: dict[Name, tuple[int, int]] = {
        "scores_90": (found.high, found.ratings),
        "within_24h": (found.prompt, found.due),
        "closure": (found.settled["closed"], complaints - found.settled["withdrawn"]),
        "asked": (found.covered.asked, found.covered.occasions),
        "answered": (found.covered.answered, found.covered.asked),
    }
    return share(*parts[name])


def _measures(connection: Connection, topic: str) -> list[tuple[str, str]]:
    """What is done, or was done lately, about it: not what was dropped."""
    wanted = select(improvements.c.title, improvements.c.state).where(
        improvements.c.topic == topic, improvements.c.state != "dropped"
    )
    return [(title, state) for title, state in connection.execute(wanted.order_by(improvements.c.id.desc()).limit(3))]


def _number(connection: Connection, statement: Any) -> int:
    return int(connection.execute(statement).scalar_one())
