"""The knowledge base as it is searched: in memory, rebuilt when an entry changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nlu.retrieval import Entry as Indexed
from nlu.retrieval import Hit, Retriever
from nlu.understanding import Language

CANDIDATES = 3
CERTAIN = 0.6
"""From this score on the first hit by its words alone is the answer; below it meanings are asked too."""


@dataclass(frozen=True, slots=True)
class Article:
    """One question with its answer, in one language; `key` is the same in every language."""

    key: str
    language: Language
    question: str
    answer: str
    phrasings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """`score` is 0 to 1; about .5 separates a right hit from a question that has no answer here."""

    key: str
    score: float
    question: str
    answer: str


class Index:
    """All articles. Searched in every language, answered in the customer's where the article has it."""

    def __init__(self, articles: Iterable[Article]) -> None:
        self._articles = {(article.key, article.language): article for article in articles}
        self._retriever = Retriever(
            [
                Indexed(f"{article.key} {article.language}", article.language, (article.question, *article.phrasings))
                for article in self._articles.values()
            ]
        )

    @property
    def entries(self) -> tuple[Indexed, ...]:
        """What a search by meaning needs to know."""
        return tuple(
            Indexed(article.key, article.language, (article.question, *article.phrasings))
            for article in self._articles.values()
        )

    def told(self, hits: Sequence[Hit], language: Language) -> list[Found]:
        """The articles that a search by meaning found."""
        found = []
        for hit in hits[:CANDIDATES]:
            article = self._articles.get((hit.key, language)) or self._articles.get((hit.key, _OTHER[language]))
            if article is not None:
                found.append(Found(hit.key, hit.score, article.question, article.answer))
        return found

    def search(self, text: str, language: Language) -> list[Found]:
        """The best candidates, best first, each key once."""
        found: dict[str, Found] = {}
        for hit in self._retriever.search(text, limit=2 * CANDIDATES):
            key, _, spoken = hit.key.rpartition(" ")
            article = self._articles.get((key, language)) or self._articles[key, "en" if spoken == "en" else "zh"]
            if key not in found:
                found[key] = Found(key, hit.score, article.question, article.answer)
        return list(found.values())[:CANDIDATES]


_OTHER: dict[Language, Language] = {"zh": "en", "en": "zh"}
