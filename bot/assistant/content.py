"""Reads what stands beside the Rasa project: the taxonomy of feedback, and the questions whose answers are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from bot.errors import ContentError, Problem
from bot.knowledge.entries import (
    ANSWER_LIMIT,
    FILLED_LATER,
    KEY,
    LANGUAGES,
    PHRASINGS_LIMIT,
    QUESTION_LIMIT,
    Entry,
    Said,
)
from bot.yamlfile import Item, Sheet, Words
from nlu.understanding import Language, Nature

# Understanding may find that a message is about nothing in particular; nobody files that.
NATURES: tuple[str, ...] = tuple(each for each in get_args(Nature) if each != "none")


@dataclass(frozen=True, slots=True)
class Aspect:
    key: str
    label: Words


@dataclass(frozen=True, slots=True)
class Branch:
    """A nature of feedback (R2.1) with what it may be about."""

    key: str
    label: Words
    aspects: tuple[Aspect, ...] = ()


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The tree that the operator edits, in the order of the file. Every nature has a branch."""

    branches: tuple[Branch, ...]

    def nature(self, key: str, language: Language) -> str:
        """The nature's label; the key itself where there is none."""
        return next((each.label.said(language) for each in self.branches if each.key == key), key)

    def aspect(self, key: str, language: Language) -> str:
        """The aspect's label; the key itself where there is none."""
        found = (aspect for each in self.branches for aspect in each.aspects)
        return next((each.label.said(language) for each in found if each.key == key), key)


def read_taxonomy(path: Path) -> Taxonomy:
    """The taxonomy in `path`. Raises ContentError with every problem."""
    sheet = Sheet(path)
    branches: list[Branch] = []
    aspects: set[str] = set()
    with sheet.part():
        for item in sheet.items(sheet.root, "the taxonomy"):
            with sheet.part():
                branches.append(_branch(sheet, item, {each.key for each in branches}, aspects))
    missing = [key for key in NATURES if key not in {each.key for each in branches}]
    if missing and not sheet.problems:
        sheet.refuse(sheet.root, f"the taxonomy lacks {', '.join(missing)}", "Add a branch for each: messages have it")
    sheet.check()
    return Taxonomy(tuple(branches))


def _branch(sheet: Sheet, item: Item, seen: set[str], aspects: set[str]) -> Branch:
    found = sheet.mapping(item, "a branch", needs=("key", "label"), may=("aspects",))
    key = sheet.choice(found["key"], "the key of a branch", NATURES)
    if key in seen:
        raise sheet.refuse(found["key"], f"the branch '{key}' stands here twice", "Keep one of the two")
    label = sheet.words(found["label"], f"the label of '{key}'", limit=60)
    made: list[Aspect] = []
    for each in sheet.items(found["aspects"], f"the aspects of '{key}'") if "aspects" in found else ():
        with sheet.part():
            parts = sheet.mapping(each, f"an aspect of '{key}'", needs=("key", "label"))
            name = _key(sheet, parts["key"], f"the key of an aspect of '{key}'")
            if name in aspects:
                raise sheet.refuse(parts["key"], f"the aspect '{name}' stands here twice", "Give each its own key")
            aspects.add(name)
            made.append(Aspect(name, sheet.words(parts["label"], f"the label of '{name}'", limit=60)))
    return Branch(key, label, tuple(made))


def read_knowledge(directory: Path) -> tuple[Entry, ...]:
    """All entries of `directory/*.yml`, each a list. Raises ContentError with the problems of all files."""
    problems: list[Problem] = []
    entries: dict[str, Entry] = {}
    for path in sorted(directory.glob("*.yml")):
        try:
            sheet = Sheet(path)
        except ContentError as error:
            problems += error.problems
            continue
        with sheet.part():
            for item in sheet.items(sheet.root, "the knowledge base"):
                with sheet.part():
                    entry = _entry(sheet, item, entries)
                    entries[entry.key] = entry
        problems += sorted(sheet.problems, key=lambda problem: problem.line)
    if problems:
        raise ContentError(problems)
    return tuple(entries.values())


def _entry(sheet: Sheet, item: Item, seen: Mapping[str, Entry]) -> Entry:
    found = sheet.mapping(item, "an entry", needs=("key",), may=LANGUAGES)
    key = _key(sheet, found["key"], "the key of an entry")
    if key in seen:
        raise sheet.refuse(found["key"], f"the entry '{key}' stands here twice", "Give each its own key")
    spoken = [language for language in LANGUAGES if language in found]
    if not spoken:
        raise sheet.refuse(item, f"the entry '{key}' has no words", "Write it under zh, under en, or under both")
    return Entry(key, {language: _said(sheet, found[language], f"'{key}', {language},") for language in spoken})


def _said(sheet: Sheet, item: Item, what: str) -> Said:
    found = sheet.mapping(item, what, needs=("question", "answer"), may=("phrasings",))
    question = _short(sheet, found["question"], f"the question of {what}", QUESTION_LIMIT)
    answer = _short(sheet, found["answer"], f"the answer of {what}", ANSWER_LIMIT)
    phrasings: list[str] = []
    if "phrasings" in found:
        listed = sheet.items(found["phrasings"], f"the phrasings of {what}")
        if len(listed) > PHRASINGS_LIMIT:
            raise sheet.refuse(
                found["phrasings"], f"{what} has {len(listed)} phrasings", f"Keep the best {PHRASINGS_LIMIT}"
            )
        phrasings = [_short(sheet, each, f"a phrasing of {what}", QUESTION_LIMIT) for each in listed]
    return Said(question, answer, tuple(phrasings))


def _key(sheet: Sheet, item: Item, what: str) -> str:
    key = sheet.text(item, what)
    if not KEY.fullmatch(key):
        raise sheet.refuse(item, f"{what} is '{key[:80]}'", "Write small letters, digits and _, at most 63")
    return key


def _short(sheet: Sheet, item: Item, what: str, limit: int) -> str:
    text = sheet.text(item, what)
    if len(text) > limit:
        raise sheet.refuse(item, f"{what} has {len(text)} characters", f"Keep it to {limit}")
    if FILLED_LATER in text:
        raise sheet.refuse(item, f"{what} holds [[, which stands for something filled in later", "Write it otherwise")
    return text
