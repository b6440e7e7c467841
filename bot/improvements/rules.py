"""An improvement: how urgent it is, which way it goes, and what the figures before and after it show. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from bot.indicators.statistics import SMALL, Z95, Estimate, mean_of
from bot.yamlfile import Words
from nlu.understanding import Language

State = Literal["open", "in_progress", "done", "verified", "dropped"]
Quadrant = Literal["quick_win", "major_project", "fill_in", "reconsider"]
Verdict = Literal["better", "worse", "unclear", "too_early"]
Code = Literal["no_improvement", "no_such_move", "not_done", "moved_on", "no_case", "needs_reason", "over"]
STATES: tuple[State, ...] = get_args(State)
QUADRANTS: tuple[Quadrant, ...] = get_args(Quadrant)
"""In the order in which they are worth doing."""
WINDOW = timedelta(days=30)
"""Before it was begun, and after it was done: so long its topic is looked at."""
HIGH = 4
"""Of 1 to 5: from here on impact, or difficulty, is high."""
SURE = 0.05
"""Below this probability a difference is not taken for chance."""
_MOVES: Mapping[State, frozenset[State]] = {
    "open": frozenset({"in_progress", "done", "dropped"}),
    "in_progress": frozenset({"open", "done", "dropped"}),
    "done": frozenset({"in_progress", "dropped"}),  # verified: only by its figures
    "verified": frozenset({"in_progress"}),
    "dropped": frozenset({"open"}),
}
_REFUSALS: Mapping[Code, Words] = {
    "no_improvement": Words("没有这项改进", "There is no such improvement"),
    "no_such_move": Words("这项改进现在不能变成这个状态", "This improvement cannot go there from where it is"),
    "not_done": Words("改进完成之后才能验证", "An improvement is verified after it is done"),
    "moved_on": Words(
        "这项改进刚被别人改过，请看过再改", "Somebody has changed this improvement. Look at it again first"
    ),
    "no_case": Words("没有这些工单：{numbers}", "There are no such cases: {numbers}"),
    "needs_reason": Words("放弃要写明原因", "Say why it is dropped"),
    "over": Words("这项改进已经结束，先重新打开", "This improvement is over: open it again first"),
}


class ImprovementRefused(Exception):
    """Nothing was changed. `said` gives the reason; `code` is stable."""

    def __init__(self, code: Code, **values: object) -> None:
        super().__init__(code)
        self.code: Code = code
        self.values = values

    def said(self, language: Language) -> str:
        return _REFUSALS[self.code].said(language, **self.values)


@dataclass(frozen=True, slots=True)
class Period:
    """What was heard of a topic in so many days: how often it was told, and the ratings of its cases with their sum
    and the sum of their squares."""

    days: float
    volume: int
    rated: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def score(self) -> Estimate | None:
        return mean_of(self.rated, self.total, self.squares)

    @property
    def small(self) -> bool:
        return self.volume < SMALL or self.rated < SMALL


def quadrant(impact: int, difficulty: int) -> Quadrant:
    """Where it stands in the matrix of impact and difficulty, each of 1 to 5. Raises ValueError."""
    if not (1 <= impact <= 5 and 1 <= difficulty <= 5):
        raise ValueError("impact and difficulty are 1 to 5")
    if impact >= HIGH:
        return "major_project" if difficulty >= HIGH else "quick_win"
    return "reconsider" if difficulty >= HIGH else "fill_in"


def place(impact: int, difficulty: int) -> tuple[int, int, int]:
    """For sorting: what is worth doing first comes first."""
    return QUADRANTS.index(quadrant(impact, difficulty)), -impact, difficulty


def moves(old: State) -> list[State]:
    """Where it may go from there."""
    return [each for each in STATES if each in _MOVES[old]]


def move(old: State, new: State, reason: str) -> None:
    """Raises ImprovementRefused."""
    if new not in _MOVES[old]:
        raise ImprovementRefused("no_such_move")
    if new == "dropped" and not reason.strip():
        raise ImprovementRefused("needs_reason")


def verdict(before: Period, after: Period) -> Verdict:
    """What the figures show: `better` where it is told less often, or rated better, than chance explains, and nothing
    is worse. `too_early` until as long a time lies behind it as before it."""
    if after.days < before.days:
        return "too_early"
    signs = (-rate_change(before, after), score_change(before, after))
    if any(sign < 0 for sign in signs):
        return "worse"
    return "better" if any(sign > 0 for sign in signs) else "unclear"


def rate_change(before: Period, after: Period) -> int:
    """1: told more often a day, -1: less often, 0: chance explains it. The exact conditional test of two Poisson rates
    (J. Przyborowski and H. Wilenski, 1940), two-sided."""
    many = before.volume + after.volume
    if many == 0 or before.days <= 0 or after.days <= 0:
        return 0
    share = after.days / (before.days + after.days)
    low = _binomial(after.volume, many, share)
    high = 1.0 - _binomial(after.volume - 1, many, share)
    if 2 * min(low, high) >= SURE:
        return 0
    return -1 if low < high else 1


def score_change(before: Period, after: Period) -> int:
    """1: rated better, -1: worse, 0: chance explains it. Welch's test with the normal distribution, which wants some
    ratings on either side."""
    if min(before.rated, after.rated) < 5:
        return 0
    error = math.sqrt(_variance(before) / before.rated + _variance(after) / after.rated)
    difference = after.total / after.rated - before.total / before.rated
    if abs(difference) <= Z95 * error or difference == 0:
        return 0
    return 1 if difference > 0 else -1


def _variance(period: Period) -> float:
    middle = period.total / period.rated
    return max(0.0, (period.squares - period.rated * middle * middle) / (period.rated - 1))


def _binomial(upto: int, n: int, p: float) -> float:
    """The probability of at most `upto` of `n`."""
    logs = (
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p) + (n - k) * math.log1p(-p)
        for k in range(upto + 1)
    )
    return min(1.0, math.fsum(math.exp(each) for each in logs))
