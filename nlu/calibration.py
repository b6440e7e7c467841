"""Scores to probabilities, by logistic regression on answers to texts that the heads were not shown (Platt 1999)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Calibration:
    """What makes chances of the sentiment's scores; the other scores bear it in their weights. `tone`: how steep the
    sentiment is; `neutral`: weights of the size of the lists' opinion, the size of the heads' opinion, the neutral
    score, and a constant, which make the log odds that nothing was judged."""

    tone: float
    neutral: tuple[float, ...]


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
