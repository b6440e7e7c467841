"""Finding the knowledge entry that answers a question: by the terms, and the meanings of asking words, that the
question shares with an entry's phrasings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from operator import add

import numpy as np

from nlu import content
from nlu.calibration import Numbers, sigmoid
from nlu.lexicon import DIRECTORY, simplified
from nlu.normalise import HEAD, normalise, translation
from nlu.understanding import Language


@dataclass(frozen=True, slots=True)
class Entry:
    """A knowledge entry by its `key`; `phrasings` are ways to ask for it in `language`. Several entries may bear one
    key (the same answer in both languages)."""

    key: str
    language: Language
    phrasings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that may be meant, `score` 0 to 1: from about .5 on it is more likely right than not."""

    key: str
    score: float


class Retriever:
    """Searches `entries`; build a new one when they change (a thousand phrasings take about a tenth of a second).

    Terms are characters and pairs of characters for Chinese, words, pairs of words and pieces of words for English, and
    for both the groups of like meaning in lexicon/questions.yml, weighted by their inverse frequency among entries. An
    entry's rank is the cosine of its best phrasing plus half of the mean over its phrasings; the score is the chance
    that it is meant, by a logistic fit on held-out questions that the knowledge base can and cannot answer."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.keys = list(dict.fromkeys(entry.key for entry in entries))
        place = {key: number for number, key in enumerate(self.keys)}
        owners: list[int] = []
        texts: list[dict[str, float]] = []
        for entry in entries:
            for phrasing in entry.phrasings:
                owners.append(place[entry.key])
                texts.append(_terms(phrasing))
        having: dict[str, set[int]] = {}
        for owner, text in zip(owners, texts, strict=True):
            for term in text:
                having.setdefault(term, set()).add(owner)
        size = len(self.keys)
        self._idf = {term: float(np.log((1 + size) / (1 + len(found))) + 1) for term, found in having.items()}
        self._unknown = float(np.log(1 + size) + 1)
        self._owners = np.array(owners, np.intp)
        self._phrasings = np.maximum(np.bincount(self._owners, minlength=size), 1) if owners else np.ones(size)
        self._places = {term: row for row, term in enumerate(self._idf)}
        self._starts, self._texts, self._weights = _postings(texts, self._idf, self._places)

    def search(self, text: str, limit: int = 3) -> list[Hit]:
        """The entries likeliest meant by `text`, best first, at most `limit`; none where it shares nothing with any.
        Only the first HEAD characters count. Never raises."""
        found = self.ranked(text)
        if found is None:
            return []
        best, rank, known = found
        order = np.argsort(-rank, kind="stable")[: max(limit, 2)]
        scores = _chance(best[order], rank[order], known)
        return [Hit(self.keys[key], score) for key, score in zip(order[:limit], scores, strict=False) if best[key] > 0]

    def ranked(self, text: str) -> tuple[Numbers, Numbers, float] | None:
        """How near `text` is to the nearest phrasing of each entry of `keys`, the entries' ranks, and the share of the
        text whose terms any entry has; None where it shares nothing with any."""
        found = self.alike(text)
        if found is None:
            return None
        alike, known = found
        return (*pooled(alike, self._owners, self._phrasings), known)

    def alike(self, text: str) -> tuple[Numbers, float] | None:
        """The cosine of `text` with each phrasing, by those of its terms that any entry has, and the share of the text
        that these are; None where there are none."""
        terms = _terms(text)
        known = [term for term in terms if term in self._idf]
        if not known:
            return None
        weight = np.array([terms[term] * self._idf[term] for term in known])
        rows = np.array([self._places[term] for term in known], np.intp)
        counts = self._starts[rows + 1] - self._starts[rows]
        # The postings of all rows, one after the other: for each its row's start plus its place in that row.
        ends = np.cumsum(counts)
        at = np.arange(ends[-1]) + np.repeat(self._starts[rows] - (ends - counts), counts)
        alike = np.bincount(self._texts[at], self._weights[at] * np.repeat(weight, counts), minlength=len(self._owners))
        inside = float(weight @ weight)
        outside = sum([(weight * self._unknown) ** 2 for term, weight in terms.items() if term not in self._idf])
        return alike / np.sqrt(inside), float(inside / (inside + outside))

    def search_many(self, texts: Sequence[str], limit: int = 3) -> list[list[Hit]]:
        """As `search`, for many texts in order."""
        return [self.search(text, limit) for text in texts]


def pooled(alike: Numbers, owners: Numbers, phrasings: Numbers) -> tuple[Numbers, Numbers]:
    """For each entry its nearest phrasing, and its rank, by how near each phrasing is; `owners` are the entries of the
    phrasings, `phrasings` how many each has."""
    best = np.zeros(len(phrasings))
    np.maximum.at(best, owners, alike)
    return best, best + 0.5 * np.bincount(owners, alike, minlength=len(phrasings)) / phrasings


def _chance(best: Numbers, rank: Numbers, known: float) -> list[float]:
    """The chance that each of the ranked entries is meant; `known` is the share of the question whose terms any entry
    has. The one behind the first is as likely as its distance leaves it."""
    margin = rank - np.append(rank[1:2], np.full(len(rank) - 1, rank[0]))[: len(rank)]
    chances = sigmoid(_FIT[0] * best + _FIT[1] * margin + _FIT[2] * known + _FIT[3])
    return [float(chance) for chance in np.minimum.accumulate(chances)]


_FIT = (5.7, 1.3, 4.3, -4.2)


def _postings(
    texts: Sequence[dict[str, float]], idf: dict[str, float], places: dict[str, int]
) -> tuple[Numbers, Numbers, Numbers]:
    """The texts that have each term and what it weighs there (texts have length 1), term after term, with where each
    term's begin."""
    draft: list[list[tuple[int, float]]] = [[] for _ in places]
    for number, text in enumerate(texts):
        weights = {term: weight * idf[term] for term, weight in text.items()}
        length = sum(weight * weight for weight in weights.values()) ** 0.5
        for term, weight in weights.items():
            draft[places[term]].append((number, weight / length))
    starts = np.zeros(len(draft) + 1, np.intp)
    np.cumsum([len(found) for found in draft], out=starts[1:])
    flat = [pair for found in draft for pair in found]
    return starts, np.array([number for number, _ in flat], np.intp), np.array([weight for _, weight in flat])


def _terms(text: str) -> dict[str, float]:
    """The terms of a text as typed, with what each counts."""
    words = _words()
    found: dict[str, float] = {}
    latin: list[str] = []
    for run in _RUN.findall(normalise(text[:HEAD], words.table)):
        if run[0] in _LATIN:
            latin.append(run)
            if run in words.frames:
                found.setdefault(run, FRAME)
                continue
            found[run] = 1.0
            edged = f"_{run}_"
            for size in (3, 4):
                for start in range(len(edged) - size + 1):
                    found[edged[start : start + size]] = 1.0
            continue
        for character in run:
            found.setdefault(character, FRAME if character in words.frames else 1.0)
        for pair in map(add, run, run[1:]):
            framed = pair in words.frames or (pair[0] in words.frames and pair[1] in words.frames)
            found[pair] = PAIR * (FRAME if framed else 1.0)
        for start, character in enumerate(run):
            if character in words.firsts:
                for size in range(1, LONGEST + 1):
                    _mean(run[start : start + size], words, found)
    for one, other in pairwise(latin):
        found[f"{one} {other}"] = FRAME if one in words.frames and other in words.frames else 1.0
    for start, word in enumerate(latin):
        if word in words.firsts:
            for size in range(1, LONGEST):
                _mean(" ".join(latin[start : start + size]), words, found)
    return found


def _mean(word: str, words: _Words, found: dict[str, float]) -> None:
    for group in words.groups.get(word, ()):
        found[group] = max(found.get(group, 0.0), FRAME if word in words.frames else 1.0)


@dataclass(frozen=True)
class _Words:
    groups: dict[str, tuple[str, ...]]
    frames: frozenset[str]
    firsts: frozenset[str]
    table: dict[int, int]


@cache
def _words() -> _Words:
    """lexicon/questions.yml. Raises content.DataError."""
    table = translation(simplified())
    fields = content.read(DIRECTORY / "questions.yml").fields()
    groups: dict[str, list[str]] = {}
    for number, words in enumerate(_lists(fields["synonyms"])):
        for word in words:
            groups.setdefault(normalise(word, table), []).append(f"≈{number}")
    frames = frozenset(normalise(word, table) for words in _lists(fields["frames"]) for word in words)
    firsts = frozenset(word.split(" ")[0] if word[0] in _LATIN else word[0] for word in groups)
    return _Words({word: tuple(found) for word, found in groups.items()}, frames, firsts, table)


def _lists(node: content.Node) -> Iterator[list[str]]:
    for language in node.fields().values():
        for _, line in language.lines():
            yield [word.strip() for word in line.split(",") if word.strip()]


FRAME = 0.7
"""What a word of asking counts beside a word of what is asked."""
PAIR = 0.7
"""What a pair of Chinese characters counts beside a character."""
LONGEST = 6

_RUN = re.compile(r"[a-z0-9']+|[^\s\Wa-z0-9']+")
_LATIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789'")
