"""SentencePiece's unigram segmentation (Kudo 2018): the likeliest split of a text into pieces of a vocabulary."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

SPACE = "▁"
"""What stands for a blank before a piece."""


class Pieces:
    """A vocabulary: piece → place, with the log chance of each place. `unknown` is the place of what has no piece;
    `table` maps characters before the text is split. Threads may share it."""

    def __init__(
        self, places: Mapping[str, int], chances: Sequence[float], unknown: int, table: Mapping[int, str]
    ) -> None:
        self._places = places
        self._chances = array("f", chances)
        self._unknown = unknown
        self._table = table
        self._longest = max(map(len, places), default=1)
        self._worst = min(chances, default=0.0) - 10.0  # as in SentencePiece: kUnkPenalty

    def split(self, text: str) -> list[int]:
        """The places of the likeliest pieces of `text`, in order; a character that no piece has is `unknown`. Takes
        time in proportion to the length: cap it before."""
        words = text.translate(self._table).split(" ")
        spelled = "".join([SPACE + word for word in words if word])
        size = len(spelled)
        best = [-1e30] * (size + 1)
        best[0] = 0.0
        came: list[tuple[int, int]] = [(0, 0)] * (size + 1)
        place_of, chances = self._places.get, self._chances
        for start in range(size):
            here = best[start]
            for end in range(start + 1, min(start + self._longest, size) + 1):
                place = place_of(spelled[start:end])
                if place is not None and (chance := here + chances[place]) > best[end]:
                    best[end], came[end] = chance, (start, place)
            if (chance := here + self._worst) > best[start + 1]:
                best[start + 1], came[start + 1] = chance, (start, self._unknown)
        found: list[int] = []
        at = size
        while at:
            at, place = came[at]
            found.append(place)
        return found[::-1]
