"""Search by terms and by meaning together: a question finds its entry also where they share no word, or no language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nlu.calibration import Numbers, sigmoid
from nlu.embeddings import embedded
from nlu.encoders import Encoder
from nlu.retrieval import Entry, Hit, Retriever, pooled
from nlu.ridge import Floats

SAY = 2.0
"""What each encoder's likeness counts beside that of the terms."""

STIFFNESS = 2.0
"""The stiffer, the more all phrasings of an entry count alike, and the nearest one no more than the others."""

MOST = 2500
"""Phrasings that are weighed against each other; of more than that each counts alike (a matrix of 50 MB, a second)."""


class Found(NamedTuple):
    """How each entry of `Hybrid.keys` stands to a question: its `rank`, and how `near` its phrasings are."""

    rank: Numbers
    near: Numbers


class Hybrid:
    """Searches `entries` as `Retriever` does, and by `encoders` (none: by terms alone). Building encodes what is not in
    `cache_dir` yet, about 20 ms a phrasing; searching takes 5 to 60 ms: both belong in a worker thread.

    Likenesses are fused by their weighted sum into one kernel, and an entry's rank is kernel ridge regression on "this
    phrasing is the entry's" (Saunders et al. 1998): what phrasings of all entries share then speaks for none of them,
    and an entry with many phrasings has no more say than one with few. An encoder's rows are compared by cosine after
    their mean is taken off: all rows of E5 are alike."""

    def __init__(
        self, entries: Sequence[Entry], encoders: Sequence[Encoder] = (), cache_dir: Path | None = None
    ) -> None:
        self._terms = Retriever(entries)
        self.keys = self._terms.keys
        keys = {key: place for place, key in enumerate(self.keys)}
        owned = [(keys[entry.key], phrasing) for entry in entries for phrasing in entry.phrasings]
        self._owners = np.array([owner for owner, _ in owned], np.intp)
        self._phrasings = np.maximum(np.bincount(self._owners, minlength=len(keys)), 1)
        texts = [phrasing for _, phrasing in owned]
        self._parts = [_Part(encoder, embedded(encoder, texts, cache_dir)) for encoder in encoders] if owned else []
        self._shares = self._solved(texts) if self._parts else np.zeros((len(owned), len(keys)))

    def search(self, text: str, limit: int = 3) -> list[Hit]:
        """The entries likeliest meant by `text`, best first, at most `limit`. Never raises."""
        found = self.found(text)
        if found is None:
            return self._terms.search(text, limit)
        order = np.argsort(-found.rank, kind="stable")[: max(limit, 2)]
        chances = sigmoid(evidence(found, order) @ np.array(FIT[:-1]) + FIT[-1])
        likely = np.minimum.accumulate(chances).tolist()
        return [Hit(self.keys[key], float(chance)) for key, chance in zip(order[:limit], likely, strict=False)]

    def found(self, text: str) -> Found | None:
        """How the entries of `keys` stand to `text`; None where no encoder can read anything of it."""
        told = self._alike(text) if self._parts else None
        if told is None:
            return None
        return Found(told @ self._shares, pooled(told, self._owners, self._phrasings)[1])

    def search_many(self, texts: Sequence[str], limit: int = 3) -> list[list[Hit]]:
        """As `search`, for many texts in order."""
        return [self.search(text, limit) for text in texts]

    def _alike(self, text: str) -> Numbers | None:
        """How like `text` is to each phrasing, by all that can be said of it."""
        whole = self._by_terms(text)
        told = 1.0
        for part in self._parts:
            alike = part.alike(text)
            if alike is not None:
                whole = whole + SAY * alike
                told += SAY
        return None if told == 1.0 else whole / told

    def _by_terms(self, text: str) -> Numbers:
        found = self._terms.alike(text)
        return np.zeros(len(self._owners)) if found is None else found[0] * found[1] ** 0.5

    def _solved(self, texts: Sequence[str]) -> Numbers:
        """What each phrasing says for each entry."""
        wanted = np.eye(len(self.keys))[self._owners]
        counts = self._phrasings[self._owners].astype(np.float64)
        if len(texts) > MOST:
            return np.asarray(wanted / counts[:, None] / STIFFNESS)
        kernel = np.stack([self._by_terms(text) for text in texts])
        for part in self._parts:
            kernel += SAY * part.among()
        kernel /= 1 + SAY * len(self._parts)
        kernel[np.diag_indices_from(kernel)] += STIFFNESS * counts / counts.mean()
        return np.asarray(np.linalg.solve(kernel, wanted))


class _Part:
    def __init__(self, encoder: Encoder, rows: Floats) -> None:
        about = rows[:, encoder.about]
        self._encoder = encoder
        self._middle = about.mean(axis=0) if len(about) > 1 else np.zeros(about.shape[1], np.float32)
        self._rows = _unit(about - self._middle)

    def alike(self, text: str) -> Numbers | None:
        """The cosine of `text` with each phrasing; None where the encoder can read nothing of it."""
        row = self._encoder.encode([text])[0]
        if not row.any():
            return None
        return np.asarray(self._rows @ _unit(row[None, self._encoder.about] - self._middle)[0])

    def among(self) -> Numbers:
        """The cosines of the phrasings with each other."""
        return np.asarray(self._rows @ self._rows.T, np.float64)


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)


def evidence(found: Found, order: Numbers) -> Numbers:
    """What tells how likely each of the entries in `order` is meant: how near its phrasings are, its rank, and how far
    it is before the next (or behind the first). `order` is by rank, best first."""
    rank = found.rank[order]
    margin = rank - np.append(rank[1:2], np.full(len(rank) - 1, rank[0]))[: len(rank)]
    return np.column_stack([found.near[order], rank, margin])


FIT = (3.53, 6.75, 2.64, -3.53)
"""What each column of `evidence` weighs in the log odds that the entry is meant, and a constant: `python -m
bench.nlu.calibrate`, on questions that were written for it and stand in no test set."""
