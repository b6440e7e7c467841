"""Scores to probabilities, by logistic regression on answers to texts that the heads were not shown (Platt 1999)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[Any]

TERMS_VOTE = 0.6
"""What the opinion of the terms' head weighs beside that of the word lists. It is set, not fitted, and the encoders'
weights are fitted where the lists speak: seeds teach what has no judging word, so half of them say nothing to the
lists, and by them alone the lists would count for less than they are worth among customers."""


@dataclass(frozen=True)
class Calibration:
    """What makes chances of the sentiment's scores; the other scores bear it in their weights. Sources are the terms,
    then the encoders that were asked. `tone`: what the opinion of the word lists weighs, and of each source;
    `neutral`: weights of the size of the lists' opinion, of the size of all sources' together, of each source's neutral
    score, and a constant. `cue`: what it weighs that the rules of nlu.urgency find the text urgent."""

    tone: tuple[float, ...]
    neutral: tuple[float, ...]
    cue: float

    def mood(self, leaning: float, opinions: Sequence[float], neutrals: Sequence[float]) -> tuple[float, float]:
        """The log odds that a judgement is a good one, and that there is no judgement. `leaning` is the lists' opinion;
        `opinions` and `neutrals` are the sources': positive minus negative score, and neutral score."""
        of_sources = 0.0
        for weight, opinion in zip(self.tone[1:], opinions, strict=True):
            of_sources += weight * opinion
        of_lists, of_size, *of_neutral, constant = self.neutral
        silence = abs(leaning) * of_lists + abs(of_sources) * of_size + constant
        for weight, neutral in zip(of_neutral, neutrals, strict=True):
            silence += weight * neutral
        return self.tone[0] * leaning + of_sources, silence


def mood(
    leaning: Numbers, opinions: Numbers, neutrals: Numbers, judged: Numbers, good: Numbers, cue: float
) -> Calibration:
    """The calibration with this `cue` under which what came to pass is likeliest, as far as TERMS_VOTE leaves it
    free. All others have a row for each text, `opinions` and `neutrals` a column for each source; `judged` and `good`
    say whether a text judges, and well."""
    views = np.column_stack([leaning + TERMS_VOTE * opinions[:, 0], opinions[:, 1:]])
    spoken = judged & (leaning != 0)
    # No constant: what the lists and heads are silent on must stay at 0. Mirrored seeds allow for it.
    mirrored = np.concatenate([views[spoken], -views[spoken]])
    of_lists, *of_encoders = _for(mirrored, np.concatenate([good[spoken], ~good[spoken]]))
    tone = [of_lists, TERMS_VOTE * of_lists, *of_encoders]
    sized = np.abs(opinions @ np.array(tone[1:]))
    neutral = logistic(np.column_stack([np.abs(leaning), sized, neutrals]), ~judged)
    return Calibration(tuple(tone), tuple(neutral), cue)


def alarm(unseen: Numbers, cued: Numbers, urgent: Numbers) -> tuple[list[float], float, float]:
    """What the score of each source (texts by sources) weighs in the log odds that a text is urgent, what it weighs
    that the rules say so, and a constant. Where nothing was taught the rules alone decide."""
    if not urgent.any():
        return [0.0] * unseen.shape[1], -2 * UNTAUGHT, UNTAUGHT
    *weights, cue, constant = logistic(np.column_stack([unseen, cued]), urgent)
    return weights, max(cue, CUE_VOTE), constant


CUE_VOTE = 2.0
"""What the rules' finding weighs at least. It is set, not fitted: what is taught as calm was chosen to mislead the
rules, and by that alone they would count for less than they are worth among customers."""
UNTAUGHT = -3.0


def logistic(given: Numbers, happened: Numbers, penalty: float = 1.0) -> list[float]:
    """The weights (one for each column of `given`, then the constant) whose sigmoid is the chance that it `happened`:
    Newton's method on the likelihood, with a small ridge `penalty` that keeps it finite where classes part cleanly."""
    columns = np.column_stack([given, np.ones(len(given))]).astype(np.float64)
    truth = happened.astype(np.float64)
    weights = np.zeros(columns.shape[1])
    ridge = np.full(columns.shape[1], penalty)
    ridge[-1] = 1e-3
    for _ in range(25):
        chance = sigmoid(columns @ weights)
        slope = columns.T @ (truth - chance) - ridge * weights
        curvature = (columns * (chance * (1 - chance))[:, None]).T @ columns + np.diag(ridge)
        step = np.linalg.solve(curvature, slope)
        weights += step
        if float(np.abs(step).max()) < 1e-6:
            break
    return [float(weight) for weight in weights]


def _for(given: Numbers, happened: Numbers) -> list[float]:
    """As `logistic` without its constant, and no source counts against what it says (Breiman 1996, stacking)."""
    used = list(range(given.shape[1]))
    weights = np.zeros(len(used))
    while used:
        found = np.array(logistic(given[:, used], happened)[:-1])
        if found.min() >= 0:
            weights[used] = found
            break
        del used[int(found.argmin())]
    return [float(weight) for weight in weights]


def temperature(scores: Numbers, truth: Numbers) -> float:
    """The factor under which softmax of `scores` gives the true classes the greatest likelihood (Guo et al. 2017)."""
    at = np.arange(len(truth))

    def loss(factor: float) -> float:
        return -float(np.log(softmax(scores * factor)[at, truth] + 1e-9).mean())

    return float(min(np.geomspace(1.0, 30.0, 60).tolist(), key=loss))


def sigmoid(values: Numbers) -> Numbers:
    """1 / (1 + e^-x)."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def softmax(scores: Numbers) -> Numbers:
    """Chances of each row's classes."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
