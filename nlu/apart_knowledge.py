"""The knowledge base in the process of the encoders: read a little at a time, whenever nobody asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlu.embeddings import embedded
from nlu.encoders import Encoder
from nlu.hybrid import Hybrid
from nlu.retrieval import Entry, Hit

AT_A_TIME = 8
"""Phrasings: whoever asks meanwhile waits for no more than these, about a fifth of a second."""


class Knowledge:
    """Entries searched by `encoders`. What was read once is kept in `directory`: a start reads only what is new."""

    def __init__(self, encoders: Sequence[Encoder], directory: Path) -> None:
        self._encoders = encoders
        self._directory = directory
        self._entries: Sequence[Entry] = ()
        self._unread: list[str] = []
        self._search: Hybrid | None = None

    def know(self, entries: Sequence[Entry]) -> None:
        """These, once they are read; until then those of before."""
        self._entries = entries
        self._unread = list(dict.fromkeys(phrasing for entry in entries for phrasing in entry.phrasings))

    def read_on(self) -> bool:
        """Read a few phrasings more; False where there is nothing to read."""
        if not self._unread:
            return False
        some, self._unread = self._unread[:AT_A_TIME], self._unread[AT_A_TIME:]
        for encoder in self._encoders:
            embedded(encoder, some, self._directory)
        if not self._unread:
            self._search = Hybrid(self._entries, self._encoders, self._directory)
        return True

    def search_many(self, texts: Sequence[str]) -> list[list[Hit] | None]:
        """As `Hybrid.search_many`; None for each text before anything was read."""
        search = self._search
        return [None if search is None else search.search(text) for text in texts]
