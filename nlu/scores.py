"""Figures from judged answers: accuracy, F1, calibration, abstention, and how sure each figure is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nlu.calibration import Numbers


class Answer(NamedTuple):
    """One judged answer. Any of `labels` is right, the first is the main one; `confidence` is the chance, 0 to 1, that
    the model gives its answer, None where it gives none; `abstained` means that it would rather not have answered."""

    labels: tuple[str, ...]
    given: str
    confidence: float | None = None
    abstained: bool = False

    @property
    def right(self) -> bool:
        """Whether the answer is one of the right ones."""
        return self.given in self.labels

    @property
    def truth(self) -> str:
        """The label that the answer counts for: the answered one of several right ones, else the main one."""
        return self.given if self.right else self.labels[0]


class Share(NamedTuple):
    """`right` of `n`."""

    right: int
    n: int

    @property
    def share(self) -> float:
        """`right` / `n`; 0 of none."""
        return self.right / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share lies with 95 % confidence (Wilson)."""
        return wilson(self.right, self.n)


class Bin(NamedTuple):
    """Answers of like confidence: how many, what they said of themselves on average, and how often they were right."""

    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Task:
    """One thing that was measured, by all answers that were judged (at least one). `outside`, where both kinds were
    asked, is how well confidence tells texts of the model's intents from others (see `auroc`), with its interval."""

    name: str
    answers: tuple[Answer, ...]
    outside: tuple[float, float, float] | None = None

    @property
    def n(self) -> int:
        """How many answers were judged."""
        return len(self.answers)

    @cached_property
    def right(self) -> int:
        """How many were right."""
        return sum(answer.right for answer in self.answers)

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Where the accuracy lies with 95 % confidence (Wilson)."""
        return wilson(self.right, self.n)

    @cached_property
    def confusion(self) -> dict[tuple[str, str], int]:
        """How often which answer was given for which label: (truth, answer) → count."""
        return dict(Counter((answer.truth, answer.given) for answer in self.answers))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The true labels, sorted."""
        return tuple(sorted({answer.truth for answer in self.answers}))

    def recall(self, label: str) -> Share:
        """Of the texts with this label, those that were given it."""
        of_label = [count for (truth, _), count in self.confusion.items() if truth == label]
        return Share(self.confusion.get((label, label), 0), sum(of_label))

    def precision(self, label: str) -> Share:
        """Of the texts that were given this label, those that have it."""
        given = [count for (_, answer), count in self.confusion.items() if answer == label]
        return Share(self.confusion.get((label, label), 0), sum(given))

    def answers_to(self, label: str) -> list[tuple[str, int]]:
        """What was answered to texts with this label, how often, the commonest first."""
        found = [(answer, count) for (truth, answer), count in self.confusion.items() if truth == label]
        return sorted(found, key=lambda each: (-each[1], each[0]))

    def commonest(self, most: int) -> list[tuple[str, Share]]:
        """At most so many true labels, those with most texts first, each with its recall."""
        found = [(label, self.recall(label)) for label in self.labels]
        return sorted(found, key=lambda each: (-each[1].n, each[0]))[:most]

    @cached_property
    def macro_f1(self) -> float:
        """Mean of F1 over the true labels."""
        return float(_macro_f1(_counts(self._codes, len(self._names)), self._known))

    @cached_property
    def macro_interval(self) -> tuple[float, float]:
        """Where the macro-F1 lies with 95 % confidence: percentiles of resampled answers (Efron 1979)."""
        draw = np.random.default_rng(0)
        found = []
        for _ in range(RESAMPLES):
            chosen = self._codes[draw.integers(0, self.n, self.n)]
            found.append(_macro_f1(_counts(chosen, len(self._names)), self._known))
        low, high = np.percentile(found, (2.5, 97.5))
        return float(low), float(high)

    @cached_property
    def bins(self) -> tuple[Bin, ...]:
        """The answers that state their confidence in ten bins of equal width, empty ones left out."""
        sure = [answer for answer in self.answers if answer.confidence is not None]
        places = [min(BINS - 1, int(BINS * (answer.confidence or 0.0))) for answer in sure]
        found = []
        for place in range(BINS):
            held = [answer for answer, at in zip(sure, places, strict=True) if at == place]
            if held:
                confidence = sum(answer.confidence or 0.0 for answer in held) / len(held)
                found.append(Bin(len(held), confidence, sum(answer.right for answer in held) / len(held)))
        return tuple(found)

    @property
    def ece(self) -> float | None:
        """Expected calibration error (Naeini et al. 2015): how far confidence is from accuracy, on average over the
        answers that state it. None where none does."""
        n = sum(each.n for each in self.bins)
        return sum(each.n * abs(each.confidence - each.accuracy) for each in self.bins) / n if n else None

    @property
    def coverage(self) -> Share:
        """How many texts the model did answer."""
        return Share(sum(not answer.abstained for answer in self.answers), self.n)

    @property
    def accuracy_where_sure(self) -> Share:
        """Right ones of the answers that the model did not abstain from."""
        answered = [answer for answer in self.answers if not answer.abstained]
        return Share(sum(answer.right for answer in answered), len(answered))

    def surest(self, part: float) -> Share:
        """Right ones of the surest `part`, 0 to 1, of the answers that state their confidence."""
        sure = sorted((answer for answer in self.answers if answer.confidence is not None), key=_confidence)
        kept = sure[len(sure) - round(part * len(sure)) :]
        return Share(sum(answer.right for answer in kept), len(kept))

    @cached_property
    def _names(self) -> list[str]:
        return sorted({name for pair in self.confusion for name in pair})

    @cached_property
    def _codes(self) -> Numbers:
        place = {name: number for number, name in enumerate(self._names)}
        pairs = [place[answer.truth] * len(place) + place[answer.given] for answer in self.answers]
        return np.array(pairs, np.intp)

    @cached_property
    def _known(self) -> Numbers:
        return np.isin(self._names, self.labels)


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval (1927) for `right` of `n`, by default at 95 %."""
    if n == 0:
        return 0.0, 1.0
    share, scale = right / n, 1 + z * z / n
    centre = share + z * z / (2 * n)
    width = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (centre - width) / scale), min(1.0, (centre + width) / scale)


def auroc(inside: ArrayLike, outside: ArrayLike) -> float:
    """The chance that a text from inside scores higher than one from outside, ties counting half: the area under the
    ROC curve (Hanley & McNeil 1982). Neither may be empty."""
    ours, others = np.asarray(inside, np.float64), np.sort(np.asarray(outside, np.float64))
    below = np.searchsorted(others, ours, "left")
    not_above = np.searchsorted(others, ours, "right")
    return float((below + not_above).sum() / (2 * len(ours) * len(others)))


def resampled(figure: Callable[[Numbers, Numbers], float], one: ArrayLike, other: ArrayLike) -> Interval:
    """`figure` of two samples with its 95 % interval, by drawing from both anew. Deterministic."""
    draw = np.random.default_rng(0)
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    found = [figure(draw.choice(first, len(first)), draw.choice(second, len(second))) for _ in range(RESAMPLES)]
    low, high = np.percentile(found, (2.5, 97.5))
    return figure(first, second), float(low), float(high)


Interval = tuple[float, float, float]
RESAMPLES = 1000
BINS = 10


def _confidence(answer: Answer) -> float:
    return answer.confidence or 0.0


def _counts(codes: Numbers, size: int) -> Numbers:
    return np.bincount(codes, minlength=size * size).reshape(size, size)


def _macro_f1(counts: Numbers, known: Numbers) -> float:
    """Of labels that a resample happens to miss nothing is asked."""
    truths, answers = counts.sum(axis=1), counts.sum(axis=0)
    asked = known & (truths > 0)
    return float((2 * counts.diagonal()[asked] / (truths + answers)[asked]).mean())
