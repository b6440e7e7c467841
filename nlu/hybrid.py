"""Search by terms and by meaning together: a question finds its entry also where they share no word, or no language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nlu.calibration import Numbers, sigmoid
from nlu.embeddings import embedded
from nlu.encoders import Encoder
from nlu.retrieval import Entry, Hit, Retriever, pooled
from nlu.ridge import Floats

SAY = 2.0
"""What each encoder's rank counts beside that of the terms."""


class Hybrid:
    """Searches `entries` as `Retriever` does, and by `encoders` (none: by terms alone). Building encodes what is not in
    `cache_dir` yet, about 20 ms a phrasing; searching takes 5 to 60 ms: both belong in a worker thread.

    Ranks are fused by their weighted sum. An encoder's rows are compared by cosine after their mean is taken off: all
    rows of E5 are alike, and what a pool of questions has in common tells none of them apart."""

    def __init__(
        self, entries: Sequence[Entry], encoders: Sequence[Encoder] = (), cache_dir: Path | None = None
    ) -> None:
        self._terms = Retriever(entries)
        self.keys = self._terms.keys
        keys = {key: place for place, key in enumerate(self.keys)}
        owned = [(keys[entry.key], phrasing) for entry in entries for phrasing in entry.phrasings]
        self._owners = np.array([owner for owner, _ in owned], np.intp)
        self._phrasings = np.maximum(np.bincount(self._owners, minlength=len(keys)), 1)
        self._parts = (
            [_Part(encoder, embedded(encoder, [phrasing for _, phrasing in owned], cache_dir)) for encoder in encoders]
            if owned
            else []
        )

    def search(self, text: str, limit: int = 3) -> list[Hit]:
        """The entries likeliest meant by `text`, best first, at most `limit`. Never raises."""
        rank = self.ranked(text)
        if rank is None:
            return self._terms.search(text, limit)
        order = np.argsort(-rank, kind="stable")[: max(limit, 2)]
        chances = sigmoid(evidence(rank[order]) @ np.array(FIT[:-1]) + FIT[-1])
        likely = np.minimum.accumulate(chances).tolist()
        return [Hit(self.keys[key], float(chance)) for key, chance in zip(order[:limit], likely, strict=False)]

    def ranked(self, text: str) -> Numbers | None:
        """The ranks of the entries of `keys`; None where no encoder can read anything of `text`."""
        if not self._parts:
            return None
        found = self._terms.ranked(text)
        rank = found[1] if found else np.zeros(len(self.keys))
        told = 1.0
        for part in self._parts:
            alike = part.alike(text)
            if alike is not None:
                rank = rank + SAY * pooled(alike, self._owners, self._phrasings)[1]
                told += SAY
        return None if told == 1.0 else rank / told

    def search_many(self, texts: Sequence[str], limit: int = 3) -> list[list[Hit]]:
        """As `search`, for many texts in order."""
        return [self.search(text, limit) for text in texts]


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


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)


def evidence(rank: Numbers) -> Numbers:
    """What tells how likely each of the ranked entries is meant: its rank, and how far it is before the next (or behind
    the first). `rank` is in order, best first."""
    margin = rank - np.append(rank[1:2], np.full(len(rank) - 1, rank[0]))[: len(rank)]
    return np.column_stack([rank, margin])


FIT = (9.2, 5.7, -5.9)
"""What each column of `evidence` weighs in the log odds that the entry is meant, and a constant: `python -m
bench.nlu.calibrate`, on questions that were written for it and stand in no test set."""
