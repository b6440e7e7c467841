"""The form of an entry of the knowledge base: what its fields say, and what customers would see of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from multidict import MultiDictProxy

from bot.actions.facts import SURE
from bot.desk import previews
from bot.knowledge.entries import LANGUAGES, PHRASINGS_LIMIT, QUESTION_LIMIT, Entry, Said
from bot.knowledge.index import Found
from bot.service import Service
from nlu.understanding import Language
from storage.types import clean

Fields = Mapping[str, str]
"""`zh_question`, `zh_phrasings` (one a line), `zh_answer`, and the same in English."""

_PARTS = ("question", "phrasings", "answer")
_LONGEST = 20_000  # characters of a field: what the browser sends beyond is cut, and refused by the entry's own rules
_HAN = re.compile(r"[\u3400-\u9fff]")


def given(form: MultiDictProxy[Any]) -> Fields:
    """The fields as they were sent."""
    return {
        name: clean(str(form.get(name, ""))[:_LONGEST].replace("\r\n", "\n").strip())
        for name in (f"{language}_{part}" for language in LANGUAGES for part in _PARTS)
    }


def fields_of(entry: Entry) -> Fields:
    return {
        f"{language}_{part}": words
        for language, said in entry.languages.items()
        for part, words in (
            ("question", said.question),
            ("phrasings", "\n".join(said.phrasings)),
            ("answer", said.answer),
        )
    }


def entry_of(key: str, fields: Fields) -> Entry:
    """The entry that the fields are; a language in which nothing stands is left out."""
    found: dict[Language, Said] = {}
    for language in LANGUAGES:
        question, phrasings, answer = (fields.get(f"{language}_{part}", "").strip() for part in _PARTS)
        if question or phrasings or answer:
            lines = tuple(line.strip() for line in phrasings.split("\n") if line.strip())
            found[language] = Said(" ".join(question.split()), answer, lines)
    return Entry(key, found)


def begun(words: Sequence[str]) -> Fields:
    """A new entry's fields: of each language the first words are the question, the others ways to put it."""
    found: dict[str, str] = {}
    for language in LANGUAGES:
        spoken = [each for each in map(_line, words) if _language(each) == language]
        if spoken:
            found[f"{language}_question"] = spoken[0]
            found[f"{language}_phrasings"] = "\n".join(spoken[1:])
    return found


def joined(entry: Entry, words: Sequence[str]) -> Entry:
    """The entry with these words as further phrasings, in the language that they are in, or the one it has."""
    found = dict(entry.languages)
    for each in map(_line, words):
        language = _language(each)
        language = language if language in found else next(iter(found))
        said = found[language]
        if each and each not in (said.question, *said.phrasings) and len(said.phrasings) < PHRASINGS_LIMIT:
            found[language] = Said(said.question, said.answer, (*said.phrasings, each))
    return Entry(entry.key, found)


async def preview(service: Service, entry: Entry, shown_in: Language) -> dict[str, Any]:
    """`languages`: for each what a customer sees on each channel; `elsewhere`: words of the entry that would not find
    it, with the question that they find instead."""
    now, talking = service.clock.now(), service.policy.talking
    spoken: list[dict[str, Any]] = []
    for language, said in entry.languages.items():
        hit = Found(entry.key or "new", 1.0, said.question, said.answer)
        seen = []
        for channel, can in previews.channels().items():
            responses = await talking.shown(hit, language, channel, now)
            found = [
                bubble
                for response in responses
                for bubble in previews.bubbles(response.text, [each.title for each in response.buttons], can)
            ]
            seen.append(
                {"channel": channel, "bubbles": found, "set_up": any(channel == c for c, _ in service.adapters)}
            )
        spoken.append({"language": language, "question": said.question, "channels": seen})
    draft = Entry(entry.key or "new", entry.languages)
    index = service.library.with_draft(draft)
    elsewhere: list[dict[str, str]] = []
    for language, said in draft.languages.items():
        for words in (said.question, *said.phrasings):
            hits = index.search(words, language)
            if not hits or hits[0].key != draft.key or hits[0].score < SURE:
                other = hits[0].question if hits and hits[0].key != draft.key else ""
                elsewhere.append({"words": words, "other": other})
    return {"languages": spoken, "elsewhere": elsewhere}


def _line(words: str) -> str:
    return " ".join(clean(words).replace("[[", "").split())[:QUESTION_LIMIT]


def _language(words: str) -> Language:
    return "zh" if _HAN.search(words) else "en"
