"""Linear heads by ridge regression in closed form, with an honest answer for every training text.

Kernel ridge (Saunders et al. 1998): with K the cosine kernel of the texts, A = (K + D)^-1 Y and the weights are X^T A,
where D is diagonal, `stiffness` over the weight of each text. The answers for texts B of a model that was not shown
them are Y_B - (((K + D)^-1)_BB)^-1 A_B (Rasmussen and Williams 2006, 5.12): what honest calibration needs, nearly free.
Nothing is random, so the same examples give the same heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, TypeAlias

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
    kinds: Sequence[int] | None = None,
) -> Fit:
    """Heads for `targets` (texts by targets) over `texts` (vocabulary rows); `weight` says how much a text counts, and
    `apart` is for `parts`.

    `kinds` tells texts apart that share few terms (the languages). Then K is a block for each kind, of the terms that
    no other has, plus S S' of the shared ones, and by Woodbury's identity (K + D)^-1 = B^-1 - U (I + S'U)^-1 U' with
    U = B^-1 S: the same answer, for two equal kinds in a quarter of the time."""
    kind = np.zeros(len(texts), np.intp) if kinds is None else np.asarray(kinds, np.intp)
    ridge = np.full(len(texts), stiffness, np.float32) if weight is None else (stiffness / weight).astype(np.float32)
    flat = _flat(texts, idf)
    common, private = _parted(flat, kind, len(idf))
    blocks = []
    for each in np.unique(kind):
        here = np.flatnonzero(kind == each)
        inside = private & (kind[flat.text] == each)
        kernel = _gram(
            _Flat(np.searchsorted(here, flat.text[inside]), flat.term[inside], flat.value[inside]), len(here)
        )
        kernel[np.diag_indices_from(kernel)] += ridge[here]
        blocks.append((here, _inverse_root(kernel)))

    def solved(right: Floats) -> Floats:
        found = np.empty_like(right)
        for here, root in blocks:
            found[here] = root.T @ (root @ right[here])
        return found

    spread = solved(common)
    inner = np.linalg.inv(np.eye(common.shape[1]) + common.T.astype(np.float64) @ spread).astype(np.float32)
    dual = solved(targets) - spread @ (inner @ (spread.T @ targets))
    unseen = targets.copy()
    for part in parts(len(texts), apart):
        block = -(spread[part] @ inner @ spread[part].T)
        for here, root in blocks:
            at = np.flatnonzero(kind[part] == kind[here[0]])
            if len(at):
                of_kind = np.searchsorted(here, part[at])
                inside = root[of_kind[0] :, of_kind]  # above stand zeros
                block[at[:, None], at] += inside.T @ inside
        unseen[part] -= np.linalg.solve(block, dual[part])
    weights = np.zeros((len(idf) + 1, targets.shape[1]), np.float32)
    if len(flat.term):
        starts = np.flatnonzero(np.append(True, flat.term[1:] != flat.term[:-1]))
        weights[flat.term[starts]] = np.add.reduceat(flat.value[:, None] * dual[flat.text], starts)
    weights[-1] = BIAS * BIAS * dual.sum(axis=0)
    return Fit(weights, unseen.astype(np.float32))


class _Flat(NamedTuple):
    """All terms of all texts, term after term, and what each weighs in its text, whose length is 1."""

    text: Places
    term: Places
    value: Floats


def _flat(texts: Sequence[Sequence[int]], idf: Floats) -> _Flat:
    counts = np.array([len(text) for text in texts], np.intp)
    text = np.repeat(np.arange(len(texts)), counts)
    term = np.fromiter(chain.from_iterable(texts), np.intp, counts.sum())
    value = idf[term]
    lengths = np.sqrt(np.bincount(text, value * value, minlength=len(texts)))
    order = np.argsort(term, kind="stable")
    value = (value / np.maximum(lengths, 1e-6)[text]).astype(np.float32)
    return _Flat(text[order], term[order], value[order])


def _parted(flat: _Flat, kind: Places, size: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """A column for each term that texts of several kinds have, and for the constant; and which of the terms are of one
    kind alone."""
    of = kind[flat.text]
    least, most = np.full(size, len(kind)), np.full(size, -1)
    np.minimum.at(least, flat.term, of)
    np.maximum.at(most, flat.term, of)
    shared = np.flatnonzero(least < most)
    column = np.full(size, -1)
    column[shared] = np.arange(len(shared))
    at = column[flat.term]
    found = np.zeros((len(kind), len(shared) + 1), np.float32)
    found[:, -1] = BIAS
    found[flat.text[at >= 0], at[at >= 0]] = flat.value[at >= 0]
    return found, at < 0


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


def _gram(flat: _Flat, size: int) -> Floats:
    """Cosines of all pairs of texts. Terms of many texts go through one dense product, the others pair by pair."""
    starts = (
        np.flatnonzero(np.append(True, flat.term[1:] != flat.term[:-1])) if len(flat.term) else np.zeros(0, np.intp)
    )
    counts = np.diff(np.append(starts, len(flat.term)))
    common = np.repeat(counts > _COMMON, counts)
    dense = np.zeros((size, int((counts > _COMMON).sum())), np.float32)
    column = np.cumsum(counts > _COMMON) - 1
    dense[flat.text[common], np.repeat(column, counts)[common]] = flat.value[common]
    kernel = (dense @ dense.T).reshape(-1)
    for count in range(1, _COMMON + 1):  # all terms of so many texts at once
        at = starts[counts == count][:, None] + np.arange(count)
        for some in np.array_split(at, 1 + at.size * count // _PAIRS) if len(at) else ():
            text, value = flat.text[some], flat.value[some]
            pairs = (text[:, :, None] * size + text[:, None, :]).reshape(-1)
            np.add.at(kernel, pairs, (value[:, :, None] * value[:, None, :]).reshape(-1))
    return kernel.reshape(size, size)


_COMMON = 64
_PAIRS = 1_000_000
_SMALL = 256
