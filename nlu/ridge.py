"""Linear heads by ridge regression in closed form, with an honest answer for every training text.

Kernel ridge (Saunders et al. 1998): with K the cosine kernel of the texts, A = (K + D)^-1 Y and the weights are X^T A,
where D is diagonal, `stiffness` over the weight of each text. The answers for texts B of a model that was not shown
them are Y_B - (((K + D)^-1)_BB)^-1 A_B (Rasmussen and Williams 2006, 5.12): what honest calibration needs, nearly free.
Nothing is random, so the same examples give the same heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Places: TypeAlias = npt.NDArray[np.intp]

BIAS = 0.3  # what the constant term weighs beside a text's terms, whose vector has length 1

PARTS = 10


@dataclass(frozen=True)
class Fit:
    """`weights` for each term of the vocabulary and, in the last row, the constant; a column for each target.
    `unseen` is each training text's answer by a model that was not shown its part of the texts."""

    weights: Floats
    unseen: Floats


def vocabulary(texts: Sequence[Sequence[str]], own: int) -> tuple[list[str], Floats]:
    """The terms that one of the first `own` texts or two of all have, sorted, and their weights (smoothed inverse
    document frequency)."""
    count: dict[str, int] = {}
    for text in texts:
        for term in set(text):
            count[term] = count.get(term, 0) + 1
    taught = {term for text in texts[:own] for term in text}
    kept = sorted(term for term, times in count.items() if times > 1 or term in taught)
    frequencies = np.array([count[term] for term in kept], dtype=np.float32)
    return kept, (np.log((1 + len(texts)) / (1 + frequencies)) + 1).astype(np.float32)


def rows(text: Sequence[str], places: Mapping[str, int]) -> list[int]:
    """The vocabulary's rows that a text has, each once."""
    return list({place for term in text if (place := places.get(term)) is not None})


def parts(size: int, apart: bool) -> list[Places]:
    """PARTS parts of so many texts, each left out once: neighbours together, so that what was written in one go (both
    twins of a pair, a file's turn of phrase) is unseen as a whole; or `apart`, where neighbours are of one class."""
    order = np.arange(size)
    part = order % PARTS if apart else order * PARTS // max(size, 1)
    return [found for number in range(PARTS) if len(found := np.flatnonzero(part == number))]


def fit(
    texts: Sequence[Sequence[int]],
    idf: Floats,
    targets: Floats,
    weight: Floats | None = None,
    stiffness: float = 1.0,
    apart: bool = False,
) -> Fit:
    """Heads for `targets` (texts by targets) over `texts` (vocabulary rows); `weight` says how much a text counts, and
    `apart` is for `parts`."""
    unit = [_unit(text, idf) for text in texts]
    kernel = _gram(texts, unit, len(idf))
    kernel += np.float32(BIAS * BIAS)
    ridge = np.full(len(texts), stiffness, np.float32) if weight is None else (stiffness / weight).astype(np.float32)
    kernel[np.diag_indices_from(kernel)] += ridge
    root = _inverse_root(kernel)
    dual = root.T @ (root @ targets)
    unseen = targets.copy()
    for part in parts(len(texts), apart):
        inside = root[part[0] :, part]  # above stand zeros
        unseen[part] -= np.linalg.solve(inside.T @ inside, dual[part])
    weights = np.zeros((len(idf) + 1, targets.shape[1]), np.float32)
    for place, text in enumerate(texts):
        if text:
            weights[text] += unit[place][:, None] * dual[place]
    weights[-1] = BIAS * BIAS * dual.sum(axis=0)
    return Fit(weights, unseen.astype(np.float32))


def _inverse_root(matrix: Floats) -> Floats:
    """The lower triangular R with R.T @ R the inverse of a positive definite matrix (its Cholesky factor's inverse), by
    halves: nearly all of it is matrix products, which takes a fifth of the time of numpy's general inverse."""
    whole = np.zeros_like(matrix)
    _invert(matrix, whole)
    return whole


def _invert(matrix: Floats, whole: Floats) -> None:
    size = len(matrix)
    if size <= 64:
        whole[:] = np.linalg.inv(np.linalg.cholesky(matrix))
        return
    half = size // 2
    first, last = whole[:half, :half], whole[half:, half:]
    _invert(matrix[:half, :half], first)
    below = _by_lower(first, matrix[half:, :half].T).T
    _invert(matrix[half:, half:] - below @ below.T, last)
    np.negative(_by_lower(last, _lower_after(below, first)), out=whole[half:, :half])


def _by_lower(lower: Floats, right: Floats) -> Floats:
    """lower @ right, without the zeros above the diagonal."""
    half = len(lower) // 2
    if half < _SMALL:
        return np.asarray(lower @ right, np.float32)
    below = lower[half:, :half] @ right[:half]
    return np.vstack(
        [_by_lower(lower[:half, :half], right[:half]), below + _by_lower(lower[half:, half:], right[half:])]
    )


def _lower_after(left: Floats, lower: Floats) -> Floats:
    """left @ lower, without the zeros above the diagonal."""
    half = len(lower) // 2
    if half < _SMALL:
        return np.asarray(left @ lower, np.float32)
    below = left[:, half:] @ lower[half:, :half]
    first = _lower_after(left[:, :half], lower[:half, :half])
    return np.hstack([first + below, _lower_after(left[:, half:], lower[half:, half:])])


def _unit(text: Sequence[int], idf: Floats) -> Floats:
    values = idf[np.asarray(text, dtype=np.intp)]
    return (values / max(float(np.sqrt(values @ values)), 1e-6)).astype(np.float32)


def _gram(texts: Sequence[Sequence[int]], unit: Sequence[Floats], size: int) -> Floats:
    """Cosines of all pairs. Terms of many texts go through one dense product, the others pair by pair."""
    having: list[list[int]] = [[] for _ in range(size)]
    values: list[list[float]] = [[] for _ in range(size)]
    for place, (text, weights) in enumerate(zip(texts, unit, strict=True)):
        for term, value in zip(text, weights.tolist(), strict=True):
            having[term].append(place)
            values[term].append(value)
    common = [term for term in range(size) if len(having[term]) > _COMMON]
    dense = np.zeros((len(texts), len(common)), np.float32)
    for column, term in enumerate(common):
        dense[having[term], column] = values[term]
    kernel = dense @ dense.T
    for term in range(size):
        if 0 < len(having[term]) <= _COMMON:
            at = np.array(having[term])
            value = np.array(values[term], np.float32)
            kernel[at[:, None], at] += value[:, None] * value
    return kernel


_COMMON = 160
_SMALL = 256
