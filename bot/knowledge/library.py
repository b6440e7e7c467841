"""The knowledge base as every process has it in memory: the content files' entries with what staff changed of them.

Whoever searches it searches what is true now: it follows the versions in the database, so an edit at one desk answers
customers in every process, without a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from bot.knowledge.entries import Entry, articles
from bot.knowledge.index import CERTAIN, Article, Found, Index
from bot.knowledge.service import keep
from bot.knowledge.versions import VERSIONS, Version
from nlu.retrieval import Entry as Indexed
from nlu.retrieval import Hit
from nlu.understanding import Language
from storage.database import Database
from storage.versions import NONE


class Closer(Protocol):
    """A search by meaning, which takes its time."""

    def know(self, entries: Sequence[Indexed]) -> None:
        """These are searched from now on."""
        ...

    def found(self, text: str) -> Sequence[Hit] | None:
        """What it found in the time it had; None where it was not asked, or knows nothing."""
        ...


class Library:
    """`shipped` are the content files' entries; `index`, if it is built already, is of just these. Iterated over, its
    articles."""

    def __init__(self, shipped: Iterable[Entry], index: Index | None = None) -> None:
        self._shipped = {entry.key: entry for entry in shipped}
        self._entries: Mapping[str, Entry] = dict(self._shipped)
        self._versions: Mapping[str, Version] = {}
        self._articles = articles(self._entries.values())
        self._index = index or Index(self._articles)
        self._stamp = NONE
        self._following = asyncio.Lock()
        self._closer: Closer | None = None

    def ask(self, closer: Closer) -> None:
        """From now on a search by words that is not certain takes what `closer` found by meaning."""
        self._closer = closer
        closer.know(self._index.entries)

    def __iter__(self) -> Iterator[Article]:
        return iter(self._articles)

    @property
    def index(self) -> Index:
        """Of what customers are told now."""
        return self._index

    @property
    def entries(self) -> Mapping[str, Entry]:
        """What customers are told now, by key."""
        return MappingProxyType(dict(self._entries))

    @property
    def shipped(self) -> Mapping[str, Entry]:
        """What the content files have, by key."""
        return MappingProxyType(self._shipped)

    @property
    def changed(self) -> Mapping[str, Version]:
        """The last version of what staff changed, by key."""
        return MappingProxyType(dict(self._versions))

    def search(self, text: str, language: Language) -> list[Found]:
        """The best candidates, best first, each key once."""
        found = self._index.search(text, language)
        if self._closer is None or (found and found[0].score >= CERTAIN):
            return found
        hits = self._closer.found(text)
        return found if hits is None else self._index.told(hits, language)

    def certain(self, text: str, language: Language) -> bool:
        """Whether words alone find the answer."""
        found = self._index.search(text, language)
        return bool(found) and found[0].score >= CERTAIN

    def with_draft(self, draft: Entry) -> Index:
        """An index in which `draft` is an entry already: to see what it would change."""
        return Index(articles(({**self._entries, draft.key: draft}).values()))

    async def follow(self, database: Database) -> bool:
        """Take in what was changed since the last look; whether anything was. One small statement where nothing was."""
        async with self._following:
            seen, found = await VERSIONS.news(database, self._stamp)
            if seen == self._stamp:
                return False
            entries = dict(self._shipped)
            for version in found:
                if version.kind == "removed":
                    entries.pop(version.key, None)
                elif version.kind == "written" and version.content is not None:
                    entries[version.key] = version.content
            listed = articles(entries.values())
            # A thousand phrasings take a tenth of a second, in which conversations go on.
            index = await asyncio.to_thread(Index, listed)
            self._entries, self._articles, self._index = entries, listed, index
            self._versions, self._stamp = {version.key: version for version in found}, seen
            if self._closer is not None:
                self._closer.know(index.entries)
            return True

    async def open(self, database: Database, now: datetime) -> None:
        """At the start: what staff changed, and a row for each article in which its votes are counted."""
        await self.follow(database)
        await keep(database, self._articles, now)
