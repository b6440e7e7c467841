"""The word lists of nlu/lexicon, and where their words stand in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from nlu import content
from nlu.normalise import normalise, translation

DIRECTORY = Path(__file__).parent

# What a word does to those around it; a word may do several of these.
NEGATES, STRENGTHENS, WEAKENS, CONTRASTS, CONCEDES, WISHES, BREAKS, SUPPOSES, THREATENS = (1 << bit for bit in range(9))

# Why a word is urgent; below zero: only with something else that says so. An IDIOM hides such a word.
SAFETY, LOSS, GROUP, EXPOSURE = 1, 2, 3, 4
IDIOM = 9


class Word(NamedTuple):
    """What the lists say of a word: `weight` -3 to 3 is its judgement; `role` and `urgency` are made of the constants
    above; `aspects` and `emotions` are places in `Lexicon.aspects` and `Lexicon.emotions`."""

    weight: float = 0.0
    role: int = 0
    urgency: int = 0
    aspects: tuple[int, ...] = ()
    emotions: tuple[int, ...] = ()


class Hit(NamedTuple):
    """A word of the lists in a normalised text, from character `start` to `end`."""

    start: int
    end: int
    word: Word


@dataclass(frozen=True)
class Lexicon:
    """All word lists. `aspects` are (nature, aspect) pairs and `emotions` are names, each in the files' order;
    `words` are keyed by their normalised spelling, tokens of Latin words parted by one space."""

    words: dict[str, Word]
    aspects: tuple[tuple[str, str], ...]
    emotions: tuple[str, ...]
    simplified: dict[str, str]

    @cached_property
    def table(self) -> dict[int, int]:
        """The translation for `normalise`."""
        return translation(self.simplified)

    @cached_property
    def _starts(self) -> dict[str, tuple[int, ...]]:
        """Character → how long the words are that begin with it, longest first; none for a Latin letter or a digit."""
        lengths: dict[str, set[int]] = {character: {1} for character in _BREAKS}
        for word in self.words:
            lengths.setdefault(word[0], set()).add(len(word))
        starts = {first: tuple(sorted(found, reverse=True)) for first, found in lengths.items()}
        return starts | dict.fromkeys(_ALPHABET, ())

    @cached_property
    def _tokens(self) -> dict[str, tuple[int, ...]]:
        """First token → how many tokens the words have that begin with it, most first."""
        lengths: dict[str, set[int]] = {token: {1} for token in _BREAKS}
        for word in self.words:
            if _LATIN.match(word):
                tokens = word.split(" ")
                lengths.setdefault(tokens[0], set()).add(len(tokens))
        return {first: tuple(sorted(found, reverse=True)) for first, found in lengths.items()}

    def find(self, text: str) -> list[Hit]:
        """The words of the lists in a normalised text and its clause breaks, in order; of words that overlap the
        longest from the left."""
        if text.isascii():
            return self._latin(text, 0, len(text))
        hits: list[Hit] = []
        word_of, starts = self.words.get, self._starts.get
        skip = 0
        for at, character in enumerate(text):
            if at < skip:
                continue
            lengths = starts(character)
            if lengths is None:
                continue
            if not lengths:
                run = _LATIN_RUN.match(text, at)
                skip = run.end() if run else at + 1
                hits += self._latin(text, at, skip)
                continue
            for length in lengths:
                skip = at + length
                if word := word_of(text[at:skip]):
                    hits.append(Hit(at, skip, word))
                    break
            else:
                skip = at + 1
                if character in _BREAKS:
                    hits.append(Hit(at, skip, _BREAK))
        return hits

    def _latin(self, text: str, start: int, end: int) -> list[Hit]:
        hits: list[Hit] = []
        word_of, lengths_of = self.words.get, self._tokens.get
        found = list(_TOKEN.finditer(text, start, end))
        names = [token[0] for token in found]
        skip = 0
        for at, name in enumerate(names):
            if at < skip:
                continue
            lengths = lengths_of(name)
            if lengths is None:
                continue
            for length in lengths:
                key = name if length == 1 else " ".join(names[at : at + length])
                if word := word_of(key):
                    skip = min(at + length, len(names))
                    hits.append(Hit(found[at].start(), found[skip - 1].end(), word))
                    break
            else:
                if name in _BREAKS:
                    hits.append(Hit(found[at].start(), found[at].end(), _BREAK))
        return hits

    def as_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return {
            "words": {name: list(word) for name, word in self.words.items()},
            "aspects": self.aspects,
            "emotions": self.emotions,
            "simplified": self.simplified,
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Lexicon:
        """The lexicon that `as_json` described."""
        return cls(
            words={
                name: Word(weight, role, urgency, tuple(aspects), tuple(emotions))
                for name, (weight, role, urgency, aspects, emotions) in given["words"].items()
            },
            aspects=tuple((nature, aspect) for nature, aspect in given["aspects"]),
            emotions=tuple(given["emotions"]),
            simplified=dict(given["simplified"]),
        )


def load(directory: Path = DIRECTORY) -> Lexicon:
    """Read the lists. Raises content.DataError, naming file, line and remedy."""
    table = translation(characters := simplified(directory))
    drafts: dict[str, dict[str, Any]] = {}

    def draft(word: str) -> dict[str, Any]:
        spelled = normalise(word, table)
        if _LATIN.match(spelled):
            spelled = " ".join(_TOKEN.findall(spelled))
        return drafts.setdefault(spelled, {"weight": 0.0, "role": 0, "urgency": 0, "aspects": [], "emotions": []})

    for path in sorted(directory.glob("sentiment_*.yml")):
        _judgements(path, draft)
    aspects = _aspects(directory / "topics.yml", draft)
    emotions = _emotions(directory / "emotions.yml", draft)
    _urgent(directory / "urgency.yml", draft)
    words = {
        word: Word(found["weight"], found["role"], found["urgency"], tuple(found["aspects"]), tuple(found["emotions"]))
        for word, found in drafts.items()
        if word
    }
    return Lexicon(_inherit(words), aspects, emotions, characters)


def simplified(directory: Path = DIRECTORY) -> dict[str, str]:
    """Traditional characters → simplified ones. Raises content.DataError."""
    fields = content.read(directory / "traditional.yml").fields()
    mapping: dict[str, str] = {}
    for line, pairs in fields["pairs"].lines() if "pairs" in fields else ():
        for pair in pairs.split():
            if len(pair) != 2:
                raise fields["pairs"].error(f"'{pair}' is no pair.", "Write the two characters together.", line)
            if pair[0] != pair[1]:
                mapping[pair[0]] = pair[1]
    return mapping


def _judgements(path: Path, draft: Any) -> None:
    judged: dict[str, float] = {}
    for name, node in content.read(path).fields().items():
        if name in _POLARITIES:
            for degree, members in node.fields().items():
                if degree not in _WEIGHTS:
                    raise members.error(f"'{degree}' is no degree.", f"Use one of {', '.join(_WEIGHTS)}.")
                weight = _POLARITIES[name] * _WEIGHTS[degree]
                for line, word in _words(members):
                    if judged.setdefault(word, weight) * weight < 0:
                        raise node.error(
                            f"'{word}' is in a positive and in a negative list.", "Take it out of one of them.", line
                        )
                    entry = draft(word)
                    entry["weight"] = entry["weight"] or weight
        elif name in _ROLES:
            for _, word in _words(node):
                draft(word)["role"] |= _ROLES[name]
        elif name == "plain":
            for _, word in _words(node):
                draft(word)
        elif name != "language":
            allowed = ", ".join([*_POLARITIES, *_ROLES, "plain", "language"])
            raise node.error(f"'{name}' is not known here.", f"Use one of {allowed}.")


def _aspects(path: Path, draft: Any) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for nature, members in content.read(path).fields().items():
        for aspect, languages in members.fields().items():
            for node in languages.fields().values():
                for _, word in _words(node):
                    entry = draft(word)
                    if len(found) not in entry["aspects"]:
                        entry["aspects"].append(len(found))
            found.append((nature, aspect))
    return tuple(found)


def _emotions(path: Path, draft: Any) -> tuple[str, ...]:
    names: list[str] = []
    for emotion, languages in content.read(path).fields().items():
        for node in languages.fields().values():
            for _, word in _words(node):
                entry = draft(word)
                if len(names) not in entry["emotions"]:
                    entry["emotions"].append(len(names))
        names.append(emotion)
    return tuple(names)


def _urgent(path: Path, draft: Any) -> None:
    for name, node in content.read(path).fields().items():
        if name not in _REASONS and name not in _MOODS:
            raise node.error(f"'{name}' is not known here.", f"Use one of {', '.join([*_REASONS, *_MOODS])}.")
        for degree, members in node.fields().items() if name in _REASONS else (("", node),):
            for listed in members.fields().values():
                for _, word in _words(listed):
                    entry = draft(word)
                    if name in _MOODS:
                        entry["urgency"] = _MOODS[name][0] or entry["urgency"]
                        entry["role"] |= _MOODS[name][1]
                    elif not entry["urgency"]:
                        reason, weight = _REASONS[name]
                        entry["urgency"] = reason if degree == "sure" else -reason
                        entry["weight"] = entry["weight"] or (weight if degree == "sure" else 0.0)


def _words(node: content.Node) -> Iterator[tuple[int, str]]:
    for line, listed in node.lines():
        for word in _COMMA.split(listed):
            if word := word.strip():
                yield line, word


def _inherit(words: dict[str, Word]) -> dict[str, Word]:
    """A longer word hides the shorter ones inside it, so it takes over the aspects they name; an idiom also the
    judgement of those that are not the alarming word."""
    merged = dict(words)
    for name, word in words.items():
        pieces = name.split(" ") if _LATIN.match(name) else list(name)
        if len(pieces) < 2 or (word.aspects and word.urgency != IDIOM):
            continue
        glue = " " if _LATIN.match(name) else ""
        shortest = 1 if glue or word.urgency == IDIOM else 2
        aspects = list(word.aspects)
        weight = word.weight
        for start in range(len(pieces)):
            for end in range(start + shortest, len(pieces) + 1):
                part = words.get(glue.join(pieces[start:end])) if end - start < len(pieces) else None
                if part is None:
                    continue
                if not glue and end - start > 1:
                    aspects += [aspect for aspect in part.aspects if aspect not in aspects]
                if word.urgency == IDIOM and not part.urgency and abs(part.weight) > abs(weight):
                    weight = part.weight
        merged[name] = word._replace(aspects=tuple(aspects), weight=weight)
    return merged


_POLARITIES = {"positive": 1.0, "negative": -1.0}
_WEIGHTS = {"strong": 3.0, "clear": 2.0, "mild": 1.0}
_ROLES: dict[str, int] = {
    "negators": NEGATES,
    "more": STRENGTHENS,
    "less": WEAKENS,
    "contrast": CONTRASTS,
    "concession": CONCEDES,
    "wish": WISHES,
}
_REASONS = {"safety": (SAFETY, -2.0), "loss": (LOSS, -2.0), "group": (GROUP, -1.0), "exposure": (EXPOSURE, -1.0)}
_MOODS = {"idioms": (IDIOM, 0), "denials": (IDIOM, 0), "suppositions": (0, SUPPOSES), "threats": (0, THREATENS)}
_BREAKS = frozenset(",.;!?\n。、；…~～")
_BREAK = Word(role=BREAKS)
_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyz0123456789'")
_LATIN = re.compile(r"[a-z0-9':;=<^]")
_LATIN_RUN = re.compile(r"[\x00-\x7f]+")
_TOKEN = re.compile(r"[a-z0-9]+(?:['&+/][a-z0-9]+)*\+?|[:;=][-']?[()d/]|<3|\^_\^|-_-|t_t|[,.;!?\n]")
_COMMA = re.compile(r"[,，]")
