"""Leaves that move together say the same thing twice: one of the two can go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from bot.indicators.statistics import pearson

ALIKE = 0.8
"""|r| above which a pair is named."""
FEWEST = 10
"""Days that both have figures of, below which nothing is said."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two leaves, their correlation `r` by day, and on how many days it rests."""

    one: str
    other: str
    r: float
    n: int


def alike(days: Mapping[str, Mapping[date, float]]) -> list[Pair]:
    """The pairs with |r| > 0.8, the most alike first. `days` has each leaf's figure of each day that it has one."""
    return sorted(_pairs(days), key=lambda pair: -abs(pair.r))


def _pairs(days: Mapping[str, Mapping[date, float]]) -> Iterator[Pair]:
    for one, other in combinations(days, 2):
        both = sorted(days[one].keys() & days[other].keys())
        if len(both) < FEWEST:
            continue
        r = pearson([days[one][day] for day in both], [days[other][day] for day in both])
        if r is not None and abs(r) > ALIKE:
            yield Pair(one, other, r, len(both))
