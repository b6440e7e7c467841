"""Finds what each leaf rests on: its observations in a span of time, added up by day so that memory does not grow with
them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, select

from bot.indicators.statistics import Estimate, mean_of, share
from bot.indicators.tree import Indicator, Measured, Rated, Topic
from storage.tables import cases, ratings, surveys

AT_ONCE = 5_000
"""Rows that are held at a time."""


@dataclass(slots=True)
class Sum:
    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value
        self.squares += value * value


@dataclass(slots=True)
class Series:
    """A leaf's observations: all of them, and by the office's day. `shares`: each is 0 or 100."""

    shares: bool
    whole: Sum = field(default_factory=Sum)
    days: dict[date, Sum] = field(default_factory=dict)

    @property
    def estimate(self) -> Estimate | None:
        if self.shares:
            return share(round(self.whole.total / 100), self.whole.n)
        return mean_of(self.whole.n, self.whole.total, self.whole.squares)

    def by_day(self) -> Mapping[date, float]:
        return {day: each.total / each.n for day, each in self.days.items()}


def series(connection: Connection, leaf: Indicator, since: datetime, until: datetime, zone: ZoneInfo) -> Series:
    """What `leaf` rests on in [since, until)."""
    found = Series(shares=not (isinstance(leaf.source, Rated) and leaf.source.question is None))
    for at, value in _observations(connection, leaf, since, until):
        day = at.astimezone(zone).date()
        found.whole.add(value)
        found.days.setdefault(day, Sum()).add(value)
    return found


def _observations(
    connection: Connection, leaf: Indicator, since: datetime, until: datetime
) -> Iterator[tuple[datetime, float]]:
    match leaf.source:
        case Rated(survey, None, _):
            statement = _rated(survey, since, until, ratings.c.score)
            yield from ((at, score) for at, score in _rows(connection, statement))
        case Rated(survey, question, choice):
            for at, answers in _rows(connection, _rated(survey, since, until, ratings.c.answers)):
                yield at, 0.0 if _chose(answers or (), question, choice) else 100.0
        case Measured("response_efficiency"):
            # Only what is answered, or should have been by now: what is still in time says nothing yet.
            for at, by, answered in _rows(connection, _cases(since, until, cases.c.respond_by, cases.c.responded_at)):
                if answered is not None or by <= until:
                    yield at, 100.0 if answered is not None and answered <= by else 0.0
        case Measured("resolution_rate"):
            for at, resolved, state in _rows(connection, _cases(since, until, cases.c.resolved_at, cases.c.state)):
                if state != "withdrawn":
                    yield at, 100.0 if resolved is not None or state == "closed" else 0.0
        case Topic(nature):
            for at, natures in _rows(connection, _cases(since, until, cases.c.nature)):
                yield at, 0.0 if nature in (natures or ()) else 100.0


def _chose(answers: Any, question: str | None, choice: str | None) -> bool:
    return any(
        each.get("question") == question and (each.get("option") == choice or choice in (each.get("options") or ()))
        for each in answers
    )


def _rated(survey: str, since: datetime, until: datetime, column: Any) -> Select[Any]:
    return (
        select(ratings.c.received_at, column)
        .join(surveys, surveys.c.id == ratings.c.survey_id)
        .where(ratings.c.received_at >= since, ratings.c.received_at < until, surveys.c.definition == survey)
    )


def _cases(since: datetime, until: datetime, *columns: Any) -> Select[Any]:
    return select(cases.c.opened_at, *columns).where(cases.c.opened_at >= since, cases.c.opened_at < until)


def _rows(connection: Connection, statement: Select[Any]) -> Iterator[Any]:
    result = connection.execute(statement)
    while some := result.fetchmany(AT_ONCE):
        yield from some
