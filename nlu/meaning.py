"""Heads over an encoder's rows: what the meaning of a text says of its sentiment, natures, aspects and intent.

Kernel ridge over the rows' DEPTH principal axes, on landmarks (Nyström's method as subset of regressors; Rasmussen and
Williams 2006, 8.3.1): with K_m the kernel of texts and landmarks and K_mm the one among landmarks, the weights are
(K_m' D K_m + stiffness K_mm)^-1 K_m' D Y. Cost grows with the number of texts, not its cube. Everything is in closed
form, so the same examples give the same heads.

The kernel is a Gaussian, which learns what one sentence means, plus a linear one, which goes on where customers write
otherwise than the examples: held-out files, long texts and the other language are then answered best.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nlu.ridge import Floats, parts

DEPTH = 128
"""Principal axes that are kept: beyond them held-out answers no longer get better."""
LANDMARKS = 2000

Doubles: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Axes:
    """From rows to coordinates: (row - `middle`) @ `turn`, (width, DEPTH). Texts lie at a mean distance of 1 from 0."""

    middle: Floats
    turn: Floats

    def of(self, rows: Floats) -> Floats:
        """The coordinates of an encoder's rows."""
        return np.asarray((rows - self.middle) @ self.turn, np.float32)


@dataclass(frozen=True)
class Heads:
    """Three groups of heads over one encoder's rows, each with its own landmarks: `judging` (columns of polarities,
    natures and aspects), `asking` (columns of intents) and `alarming` (urgency); and the `line` from bad to good."""

    axes: Axes
    line: Line
    judging: Group
    asking: Group
    alarming: Group

    @property
    def width(self) -> int:
        """How long a row is."""
        return len(self.axes.middle)

    @property
    def columns(self) -> int:
        """How many scores there are."""
        return int(sum(each.weights.shape[1] for each in (self.judging, self.asking, self.alarming)))

    def scores(self, rows: Floats) -> Floats:
        """A row of scores for each row: the columns of `judging`, `asking` and `alarming`."""
        at = self.axes.of(rows)
        judged = self.line.joined(self.judging.scores(at), self.line.of(rows))
        return np.hstack([judged, self.asking.scores(at), self.alarming.scores(at)])


@dataclass(frozen=True)
class Line:
    """The one direction in which good lies from bad in all of what was taught: ridge regression so stiff that it knows
    little more than where the middles of both lie. What one sentence means it cannot learn; but customers elsewhere,
    who write otherwise than the examples, it tells apart better than the kernel does. `weights` has a number for each
    of a row, and the constant; judging sentences lie at a mean squared distance of 1 from 0."""

    weights: Floats

    def of(self, rows: Floats) -> Floats:
        """How far on the good side rows lie."""
        return np.asarray(rows @ self.weights[:-1] + self.weights[-1], np.float32)

    def joined(self, judged: Floats, good: Floats) -> Floats:
        """The scores of `judging` with what the line says of the polarities, the first three columns."""
        found = judged.copy()
        found[:, 0] -= _LINE_VOTE / 2 * good
        found[:, 2] += _LINE_VOTE / 2 * good
        return found


@dataclass(frozen=True)
class Group:
    """`marks` are coordinates, `weights` has a row for each of them and, last, the constants."""

    marks: Floats
    weights: Floats

    def scores(self, at: Floats) -> Floats:
        """Scores of coordinates."""
        return np.asarray(_kernel(at, self.marks) @ self.weights[:-1] + self.weights[-1], np.float32)

    def nearest(self, at: Floats) -> tuple[int, float]:
        """The landmark nearest to one row of coordinates, and how near, 0 to 1."""
        near = _near(at, self.marks)[0]
        place = int(near.argmax())
        return place, float(near[place])


def axes(rows: Floats) -> Axes:
    """The principal axes of `rows`, each number of a row taken at its own scale: some numbers of E5 are huge in all."""
    middle = rows.mean(axis=0, dtype=np.float64)
    scale = 1 / np.maximum(rows.std(axis=0, dtype=np.float64), 1e-6)
    even = (rows - middle) * scale
    _, turned = np.linalg.eigh(even.T @ even / len(even))
    turn = turned[:, ::-1][:, :DEPTH]
    # An axis may come out either way round: make the way a matter of the axis alone.
    turn = turn * np.where(turn[np.abs(turn).argmax(axis=0), np.arange(turn.shape[1])] < 0, -1.0, 1.0)
    at = even @ turn
    turn = scale[:, None] * turn / np.sqrt((at * at).sum(axis=1).mean())
    return Axes(middle.astype(np.float16).astype(np.float32), turn.astype(np.float16).astype(np.float32))


def landmarks(size: int) -> npt.NDArray[np.intp]:
    """The places of the texts that are landmarks: evenly over all, so from every file and intent."""
    count = min(size, LANDMARKS)
    return np.arange(count) * size // max(count, 1)


def fit(at: Floats, targets: Floats, weight: Floats | None, stiffness: float, apart: bool) -> tuple[Group, Floats]:
    """A group for `targets` over coordinates `at`, and the answer to each text by heads that were not shown its part
    (`ridge.parts`; `apart` is for it). `weight` says how much a text counts."""
    marks = _rounded(at[landmarks(len(at))], _FINEST["marks"])
    near = _kernel(at, marks).astype(np.float64)
    counts = np.ones(len(at)) if weight is None else weight.astype(np.float64)
    base = stiffness * (_kernel(marks, marks).astype(np.float64) + 1e-4 * np.eye(len(marks)))
    left, right = _sums(near, counts, targets)
    unseen = np.zeros_like(targets)
    for part in parts(len(at), apart):
        less, fewer = _sums(near[part], counts[part], targets[part])
        solved = _solve(base, left - less, right - fewer)
        unseen[part] = near[part] @ solved[:-1] + solved[-1]
    weights = _rounded(_solve(base, left, right).astype(np.float32), _FINEST["weights"])
    return Group(marks, weights), unseen


def line(rows: Floats, about: slice, good: Floats, weight: Floats) -> tuple[Line, Floats]:
    """The line over the part `about` of `rows`, and where each lies by a line that was not shown its part
    (`ridge.parts`). `good` is 1, -1, or 0 for what judges nothing, which teaches nothing here."""
    part = rows[:, about].astype(np.float64)
    middle, scale = part.mean(axis=0), 1 / np.maximum(part.std(axis=0), 1e-6)
    at = np.hstack([(part - middle) * (scale / part.shape[1] ** 0.5), np.ones((len(rows), 1))])
    counts = (weight * (good != 0)).astype(np.float64)
    stiff = np.diag(np.append(np.full(part.shape[1], _STIFF), _LOOSE))
    left, right = at.T @ (at * counts[:, None]) + stiff, at.T @ (counts * good)
    unseen = np.zeros(len(rows))
    for left_out in parts(len(rows), False):
        some, few = at[left_out], counts[left_out]
        unseen[left_out] = some @ np.linalg.solve(
            left - some.T @ (some * few[:, None]), right - some.T @ (few * good[left_out])
        )
    judging = unseen[good != 0]
    size = max(float(np.sqrt((judging * judging).mean())) if len(judging) else 0.0, 1e-6)
    solved = np.linalg.solve(left, right) / size
    weights = np.zeros(rows.shape[1] + 1)
    weights[:-1][about] = solved[:-1] * scale / part.shape[1] ** 0.5
    weights[-1] = solved[-1] - weights[:-1][about] @ middle
    return Line(weights.astype(np.float16).astype(np.float32)), (unseen / size).astype(np.float32)


def silent(depth: int) -> Group:
    """A group of one column that says nothing of any text."""
    return Group(np.zeros((1, depth), np.float32), np.zeros((2, 1), np.float32))


def frozen(heads: Heads, name: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays that `thawed` takes, small: their names begin with `name`."""
    found: dict[str, npt.NDArray[Any]] = {f"{name}.middle": heads.axes.middle.astype(np.float16)}
    found[f"{name}.turn"] = heads.axes.turn.astype(np.float16)
    found[f"{name}.line"] = heads.line.weights.astype(np.float16)
    for part, group in (("judging", heads.judging), ("asking", heads.asking), ("alarming", heads.alarming)):
        for which, values in (("marks", group.marks), ("weights", group.weights)):
            steps = _steps(values, _FINEST[which])
            found[f"{name}.{part}.{which}"] = np.rint(values / steps).astype(np.int16)
            found[f"{name}.{part}.{which}.steps"] = steps
    return found


def thawed(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> Heads:
    """What `frozen` made. Raises KeyError or ValueError for what it did not."""

    def group(part: str) -> Group:
        marks, weights = (
            (arrays[f"{name}.{part}.{which}"] * arrays[f"{name}.{part}.{which}.steps"]).astype(np.float32)
            for which in ("marks", "weights")
        )
        if len(marks) + 1 != len(weights):
            raise ValueError("the weights do not fit the landmarks")
        return Group(marks, weights)

    found = Axes(*(arrays[f"{name}.{which}"].astype(np.float32) for which in ("middle", "turn")))
    towards = Line(arrays[f"{name}.line"].astype(np.float32))
    if len(towards.weights) != len(found.middle) + 1:
        raise ValueError("the line does not fit the axes")
    return Heads(found, towards, group("judging"), group("asking"), group("alarming"))


def _kernel(at: Floats, marks: Floats) -> Floats:
    return np.asarray(_near(at, marks) + _LINE * (at @ marks.T), np.float32)


def _near(at: Floats, marks: Floats) -> Floats:
    """The Gaussian kernel: 1 for the same place, towards 0 with the squared distance."""
    apart = (at * at).sum(axis=1)[:, None] + (marks * marks).sum(axis=1) - 2 * (at @ marks.T)
    return np.asarray(np.exp(-_NARROW * np.maximum(apart, 0)), np.float32)


def _sums(near: Doubles, counts: Doubles, targets: Floats) -> tuple[Doubles, Doubles]:
    columns = np.hstack([near, np.ones((len(near), 1))])
    weighed = columns * counts[:, None]
    return weighed.T @ columns, weighed.T @ targets


def _solve(base: Doubles, left: Doubles, right: Doubles) -> Doubles:
    whole = left.copy()
    whole[:-1, :-1] += base
    whole[-1, -1] += _LOOSE
    return np.asarray(np.linalg.solve(whole, right), np.float64)


def _rounded(values: Floats, finest: int) -> Floats:
    """As `frozen` keeps them: what is trained is then what is loaded, to the last bit."""
    steps = _steps(values, finest)
    return np.asarray(np.rint(values / steps).astype(np.int16) * steps, np.float32)


def _steps(values: Floats, finest: int) -> Floats:
    return np.asarray(np.maximum(np.abs(values).max(axis=0), 1e-6) / finest, np.float32)


_NARROW = 0.8
_LINE = 0.5
_LOOSE = 1.0
_STIFF = 300.0
_LINE_VOTE = 0.2  # set, not fitted: on our own sentences, all of one hand, it is worth nothing and costs nothing
_FINEST = {"marks": 100, "weights": 500}
"""Steps between 0 and a column's largest number: fine enough to change no answer, coarse enough to pack well."""
