"""What `indicators.yml` says: a tree of indicators with weights by business phase, and formulas over its leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, get_args

from bot.yamlfile import Words

Measure = Literal["response_efficiency", "resolution_rate"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
DEEPEST = 4  # levels


@dataclass(frozen=True, slots=True)
class Phase:
    """A time in which other weights hold: from `start` up to and including `end`, by the office's days."""

    key: str
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Rated:
    """A leaf that is the mean score of a survey; with `question` and `choice` the percentage of its ratings in which
    that choice was not made."""

    survey: str
    question: str | None = None
    choice: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A leaf that is a share of cases, in percent."""

    measure: Measure


@dataclass(frozen=True, slots=True)
class Topic:
    """A leaf that is the percentage of cases that are not about this nature."""

    nature: str


Source = Rated | Measured | Topic


@dataclass(frozen=True, slots=True)
class Indicator:
    """A node. `weight` among its siblings, `phases` where another holds. A leaf has a `source`, any other `parts`."""

    key: str
    label: Words
    weight: float
    phases: Mapping[str, float] = field(default_factory=dict)
    source: Source | None = None
    parts: tuple[Indicator, ...] = ()

    def weight_in(self, phase: str | None) -> float:
        return self.weight if phase is None else self.phases.get(phase, self.weight)

    def leaves(self) -> Iterator[Indicator]:
        """This one, if it is a leaf, or those below it."""
        if self.source is not None:
            yield self
        for part in self.parts:
            yield from part.leaves()


@dataclass(frozen=True, slots=True)
class Formula:
    """A figure made of leaves, each with its share in percent; they add up to 100."""

    key: str
    label: Words
    terms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Indicators:
    """All of `indicators.yml`."""

    root: Indicator | None = None
    phases: tuple[Phase, ...] = ()
    formulas: tuple[Formula, ...] = ()

    def phase(self, day: date) -> str | None:
        """The phase of a day; None for a usual one."""
        return next((each.key for each in self.phases if each.start <= day <= each.end), None)

    def leaves(self) -> tuple[Indicator, ...]:
        return tuple(self.root.leaves()) if self.root is not None else ()
