"""Means and shares with their 95 % intervals, and correlation. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""
SMALL = 30
"""Below this many a figure is marked: its interval says little."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, from `n` observations; the interval is None where n does not give one."""

    value: float
    n: int
    low: float | None = None
    high: float | None = None

    @property
    def small(self) -> bool:
        return self.n < SMALL


def share(part: int, whole: int) -> Estimate | None:
    """`part` of `whole` in percent, with Wilson's score interval (E. B. Wilson, 1927), which holds for few and for
    extreme shares as well; None of nothing. Raises ValueError for a part that is no part."""
    if not 0 <= part <= whole:
        raise ValueError(f"{part} is no part of {whole}")
    if whole == 0:
        return None
    p, z2 = part / whole, Z95 * Z95
    middle = (p + z2 / (2 * whole)) / (1 + z2 / whole)
    half = Z95 / (1 + z2 / whole) * math.sqrt(p * (1 - p) / whole + z2 / (4 * whole * whole))
    return Estimate(100 * p, whole, 100 * max(0.0, middle - half), 100 * min(1.0, middle + half))


def mean(values: Sequence[float]) -> Estimate | None:
    """The mean of scores of 0 to 100, with the normal interval by the sample's own deviation; None of nothing."""
    return mean_of(len(values), sum(values), sum(value * value for value in values))


def mean_of(n: int, total: float, squares: float) -> Estimate | None:
    """The same from how many there are, their sum, and the sum of their squares."""
    if n == 0:
        return None
    middle = total / n
    if n == 1:
        return Estimate(middle, 1)
    variance = max(0.0, (squares - n * middle * middle) / (n - 1))
    half = Z95 * math.sqrt(variance / n)
    return Estimate(middle, n, max(0.0, middle - half), min(100.0, middle + half))


def pearson(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Pearson's correlation of two series of the same length; None where one of them does not vary. Raises ValueError
    for series of different lengths."""
    if len(one) != len(other):
        raise ValueError(f"{len(one)} values cannot be paired with {len(other)}")
    if len(one) < 2:
        return None
    mean_one, mean_other = math.fsum(one) / len(one), math.fsum(other) / len(other)
    off_one, off_other = [each - mean_one for each in one], [each - mean_other for each in other]
    spreads = [math.sqrt(math.fsum(each * each for each in off)) for off in (off_one, off_other)]
    if min(spreads) < 1e-6:
        return None
    product = math.fsum(a * b for a, b in zip(off_one, off_other, strict=True))
    return max(-1.0, min(1.0, product / math.prod(spreads)))
