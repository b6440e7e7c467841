"""Scales: how a customer rates, and what each value is worth of 100."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bot.yamlfile import Words

Kind = Literal["csat5", "thumbs", "nps", "ces", "own"]
# The values of each kind, in the order in which they are shown. An own scale has those that it labels.
VALUES: Mapping[Kind, tuple[int, ...]] = {
    "csat5": (1, 2, 3, 4, 5),
    "thumbs": (1, 0),
    "nps": tuple(range(11)),
    "ces": (1, 2, 3, 4, 5, 6, 7),
    "own": (),
}
LOW_BELOW = 60.0  # of 100: what counts as a low rating
HIGH_FROM = 80.0  # of 100: satisfied; a case closes from here


@dataclass(frozen=True, slots=True)
class Scale:
    """A way to rate. `labels` gives each value its button; `scores` is an own scale's mapping to 0 to 100."""

    name: str
    kind: Kind
    labels: Mapping[int, Words]
    scores: Mapping[int, float] = field(default_factory=dict)

    @property
    def values(self) -> tuple[int, ...]:
        return tuple(self.labels) if self.kind == "own" else VALUES[self.kind]

    @property
    def maximum(self) -> int:
        return max(self.values)

    @property
    def by_place(self) -> bool:
        """Whether a value is typed by its place in the list, having no number that people know."""
        return self.kind in ("thumbs", "own")


def score(scale: Scale, value: int) -> float:
    """`value` as 0 to 100: 100 x value / maximum (R5.1), or what an own scale states for it. Raises ValueError if the
    scale has no such value."""
    if value not in scale.values:
        raise ValueError(f"the scale {scale.name} ({scale.kind}) has no value {value}")
    return scale.scores[value] if scale.kind == "own" else 100.0 * value / scale.maximum


def nearest(scale: Scale, stated: float) -> int:
    """The value of the scale nearest to a score of 0 to 100; a tie goes down, so that none looks better than said."""
    worst_first = sorted(scale.values, key=lambda value: score(scale, value))
    return min(worst_first, key=lambda value: abs(score(scale, value) - stated))
