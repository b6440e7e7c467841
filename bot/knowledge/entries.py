"""Entries of the knowledge base: a question whose answer is known, in one language or both, and what makes one sound.

Pure. The shipped ones stand in the assistant's `knowledge/*.yml`; the house's own, and changes of the shipped ones, are
written at the desk and kept as versions (see `versions`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import yaml

from bot.knowledge.index import Article
from nlu.understanding import Language

KEY = re.compile(r"[a-z0-9][a-z0-9_]{0,62}")
QUESTION_LIMIT = 120
ANSWER_LIMIT = 1500
PHRASINGS_LIMIT = 50
LANGUAGES: tuple[Language, ...] = get_args(Language)
FILLED_LATER = "[["
"""Stands for something that is filled in when a message goes out: nobody's words may hold it."""


@dataclass(frozen=True, slots=True)
class Said:
    """An entry in one language: the question, other ways to put it, the answer."""

    question: str
    answer: str
    phrasings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A question whose answer is known. `key` is the same in every language; customers who speak a language that it
    does not have hear it in the other."""

    key: str
    languages: Mapping[Language, Said]

    @property
    def question(self) -> str:
        """The question, in Chinese if there is one."""
        return next(said.question for language in LANGUAGES if (said := self.languages.get(language)))


class BadEntry(ValueError):
    """The entry is not kept. `code` is stable: no_words, half, long_question, long_answer, long_phrasing,
    many_phrasings, brackets; `language` is where, None: everywhere."""

    def __init__(self, code: str, language: Language | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.language = language


def checked(entry: Entry) -> Entry:
    """The entry, its phrasings each once. Raises BadEntry for the first thing that is wrong with it."""
    if not entry.languages:
        raise BadEntry("no_words")
    found: dict[Language, Said] = {}
    for language, said in entry.languages.items():
        phrasings = tuple(dict.fromkeys(each for each in said.phrasings if each and each != said.question))
        for code, wrong in (
            ("half", not said.question or not said.answer),
            ("long_question", len(said.question) > QUESTION_LIMIT),
            ("long_answer", len(said.answer) > ANSWER_LIMIT),
            ("long_phrasing", any(len(each) > QUESTION_LIMIT for each in phrasings)),
            ("many_phrasings", len(phrasings) > PHRASINGS_LIMIT),
            ("brackets", any(FILLED_LATER in each for each in (said.question, said.answer, *phrasings))),
        ):
            if wrong:
                raise BadEntry(code, language)
        found[language] = Said(said.question, said.answer, phrasings)
    return Entry(entry.key, found)


def articles(entries: Iterable[Entry]) -> list[Article]:
    """The entries as they are searched."""
    return [
        Article(entry.key, language, said.question, said.answer, tuple(said.phrasings))
        for entry in entries
        for language, said in entry.languages.items()
    ]


def new_key(entry: Mapping[Language, Said], taken: Collection[str]) -> str:
    """A key for a new entry: the words of its English question where it has one, with a number where it is taken."""
    english = entry["en"].question if "en" in entry else ""
    base = "_".join(re.findall(r"[a-z0-9]+", english.lower()))[:50].strip("_") or "entry"
    return next(key for key in _counted(base) if key not in taken)


def _counted(base: str) -> Iterator[str]:
    yield base
    number = 2
    while True:
        yield f"{base}_{number}"
        number += 1


def as_json(entry: Entry) -> dict[str, Any]:
    return {
        language: {"question": said.question, "answer": said.answer, "phrasings": list(said.phrasings)}
        for language, said in entry.languages.items()
    }


def from_json(key: str, value: Mapping[str, Any]) -> Entry:
    """As `as_json` wrote it."""
    return Entry(
        key,
        {
            language: Said(found["question"], found["answer"], tuple(found["phrasings"]))
            for language in LANGUAGES
            if (found := value.get(language))
        },
    )


def as_yaml(entries: Iterable[Entry]) -> str:
    """The entries as a content file `knowledge/*.yml` has them."""
    listed = [{"key": entry.key, **as_json(entry)} for entry in entries]
    return yaml.safe_dump(listed, allow_unicode=True, sort_keys=False, width=120)
