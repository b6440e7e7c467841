"""Linear heads over one vocabulary: what the terms of a text say of its intent, sentiment, natures and aspects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import cast

import numpy as np

from nlu.calibration import Calibration
from nlu.features import LENGTHS
from nlu.ridge import Floats
from nlu.understanding import Nature

POLARITIES = 3
"""The first columns: negative, neutral, positive. Then come the natures, the aspects, the intents and urgency."""


@dataclass(frozen=True)
class Heads:
    """`weights` has a row for each term of the vocabulary, times its idf, then a row of zeros, then the constants; a
    column for each score, then the square of the term's idf. The scores of natures and aspects are log odds, those of
    intents logits, and urgency is log odds but for what the rules say."""

    vocabulary: tuple[str, ...]
    weights: Floats
    natures: tuple[Nature, ...]
    aspects: tuple[tuple[str, str], ...]
    intents: tuple[str, ...]
    calibration: Calibration

    @cached_property
    def places(self) -> dict[str, int]:
        """Term → row."""
        return {term: row for row, term in enumerate(self.vocabulary)}

    @cached_property
    def _lengths(self) -> set[int | None]:
        return {self.places.get(term) for term in LENGTHS}

    @cached_property
    def columns(self) -> tuple[slice, slice, slice, slice, slice]:
        """Where the scores of polarities, natures, aspects, intents and urgency stand."""
        ends = [POLARITIES, len(self.natures), len(self.aspects), len(self.intents), 1]
        edges = [0, *np.cumsum(ends).tolist()]
        one, two, three, four, five = (slice(start, end) for start, end in pairwise(edges))
        return one, two, three, four, five

    def rows(self, terms: Sequence[str]) -> list[int]:
        """The rows of the terms that are in the vocabulary, each once, in no certain order; none where only the length
        of the text is known."""
        found = set(map(self.places.get, terms))
        found.discard(None)
        return [] if len(found) == 1 and found <= self._lengths else cast(list[int], list(found))

    def scores(self, texts: Sequence[list[int]]) -> list[list[float]]:
        """The scores of texts given as `rows`: for each text a number for each column."""
        zero = len(self.vocabulary)
        if len(texts) == 1:  # without what only many need: a third of the time
            of_one = np.add.reduce(self.weights.take(texts[0] or [zero], axis=0), axis=0)
            of_one /= max(float(of_one[-1]), 1e-6) ** 0.5
            of_one += self.weights[-1]
            return [of_one.tolist()]
        ends = np.cumsum([len(text) + 1 for text in texts])
        flat = np.fromiter(chain.from_iterable((*text, zero) for text in texts), np.intp, ends[-1])
        summed = np.add.reduceat(self.weights[flat], np.append(0, ends[:-1]), axis=0)
        summed /= np.sqrt(np.maximum(summed[:, -1:], 1e-6))
        summed += self.weights[-1]
        return cast(list[list[float]], summed.tolist())

    def decisive(self, terms: Sequence[str], polarity: int, most: int = 2) -> list[str]:
        """The telling terms that spoke most for `polarity` (0 negative, 2 positive) against its opposite."""
        return self._weightiest(terms, lambda at: self.weights[at, polarity] - self.weights[at, 2 - polarity], most)

    def alarming(self, terms: Sequence[str], most: int = 2) -> list[str]:
        """The terms that spoke most for urgency."""
        return self._weightiest(terms, lambda at: self.weights[at, self.columns[-1].start], most)

    def intending(self, terms: Sequence[str], intent: str, most: int = 2) -> list[str]:
        """The terms that spoke most for one of the intents against all of them together."""
        column = self.columns[3].start + self.intents.index(intent)
        return self._weightiest(terms, lambda at: self.weights[at, column] - self._of_intents[at], most)

    @cached_property
    def _of_intents(self) -> Floats:
        """What each term says of all intents together."""
        return np.asarray(self.weights[:, self.columns[3]].mean(axis=1), np.float32)

    @cached_property
    def _telling(self) -> dict[str, int]:
        """The rows of the terms from which a person would learn: no "the", no "的"."""
        return {
            term: row
            for term, row in self.places.items()
            if term.isalpha() and len(term) >= (4 if term.isascii() else 2)
        }

    def _weightiest(self, terms: Sequence[str], lean_of: Callable[[list[int]], Floats], most: int) -> list[str]:
        rows = {term: row for term in terms if (row := self._telling.get(term)) is not None}
        if not rows:
            return []
        found = zip(lean_of(list(rows.values())).tolist(), rows, strict=True)
        spoken = sorted((each for each in found if each[0] > 0), key=lambda each: -each[0])
        return [term for _, term in spoken[:most]]
