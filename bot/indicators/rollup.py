"""Adds indicators up: a node is the weighted mean of its parts that have figures. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.indicators.statistics import Estimate
from bot.indicators.tree import Formula, Indicator


@dataclass(frozen=True, slots=True)
class Figure:
    """A node's figure. `weight`: its share of its parent in percent, of those that have figures; `missing`: leaves
    below it that have none."""

    indicator: Indicator
    parent: str | None
    level: int
    weight: float
    estimate: Estimate | None
    missing: tuple[str, ...] = ()


def roll_up(root: Indicator, found: Mapping[str, Estimate | None], phase: str | None) -> list[Figure]:
    """Every node, parents before their parts. `found` has each leaf's figure."""
    return list(_figures(root, found, phase, None, 1, 100.0))


def combine(parts: Mapping[str, tuple[float, Estimate]]) -> Estimate | None:
    """The weighted mean of figures that do not hang together, with the interval that follows from theirs: the squares
    of the halves add up, each by its weight. None of nothing; no interval where one of them has none."""
    whole = sum(weight for weight, _ in parts.values())
    if not whole:
        return None
    value = sum(weight / whole * each.value for weight, each in parts.values())
    n = sum(each.n for _, each in parts.values())
    below = above = 0.0
    for weight, each in parts.values():
        if each.low is None or each.high is None:
            return Estimate(value, n)
        below += (weight / whole * (each.value - each.low)) ** 2
        above += (weight / whole * (each.high - each.value)) ** 2
    return Estimate(value, n, max(0.0, value - math.sqrt(below)), min(100.0, value + math.sqrt(above)))


def worked_out(formula: Formula, found: Mapping[str, Estimate | None]) -> Estimate | None:
    """The formula's figure; None where a term has none, for without it the formula says something else."""
    terms = {key: (share, each) for key, share in formula.terms.items() if (each := found.get(key)) is not None}
    return combine(terms) if len(terms) == len(formula.terms) else None


def _figures(
    node: Indicator,
    found: Mapping[str, Estimate | None],
    phase: str | None,
    parent: str | None,
    level: int,
    weight: float,
) -> Iterator[Figure]:
    if node.source is not None:
        estimate = found.get(node.key)
        yield Figure(node, parent, level, weight, estimate, () if estimate else (node.key,))
        return
    below: dict[str, list[Figure]] = {}
    for part in node.parts:
        below[part.key] = list(_figures(part, found, phase, node.key, level + 1, 0.0))
    present = {
        part.key: (part.weight_in(phase), figure)
        for part in node.parts
        if (figure := below[part.key][0].estimate) is not None and part.weight_in(phase) > 0
    }
    whole = sum(share for share, _ in present.values())
    missing = tuple(key for part in node.parts for key in below[part.key][0].missing)
    yield Figure(node, parent, level, weight, combine(present), missing)
    for part in node.parts:
        share = 100 * present[part.key][0] / whole if part.key in present else 0.0
        first, *rest = below[part.key]
        yield Figure(first.indicator, first.parent, first.level, share, first.estimate, first.missing)
        yield from rest
