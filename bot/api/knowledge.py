"""The knowledge base: what there are answers to, read and written by programs as by people at the desk."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from bot.api.operation import Call, Nothing, Operations
from bot.api.problems import CONFLICT, NOT_FOUND, Problem, at
from bot.api.values import Given
from bot.knowledge import service
from bot.knowledge.entries import (
    ANSWER_LIMIT,
    KEY,
    LANGUAGES,
    PHRASINGS_LIMIT,
    QUESTION_LIMIT,
    BadEntry,
    Entry,
    Said,
    checked,
)
from bot.knowledge.versions import Overtaken
from nlu.understanding import Language

operations = Operations("knowledge")

_KEY = r"{key:[a-z0-9][a-z0-9_]{0,62}}"
_REMEDIES = {
    "no_words": "Give the entry in at least one language.",
    "half": "Give both a question and an answer.",
    "long_question": f"A question has at most {QUESTION_LIMIT} characters.",
    "long_answer": f"An answer has at most {ANSWER_LIMIT} characters.",
    "long_phrasing": f"A phrasing has at most {QUESTION_LIMIT} characters.",
    "many_phrasings": f"Give at most {PHRASINGS_LIMIT} phrasings.",
    "brackets": "Leave out [[: it stands for something filled in later.",
}

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=QUESTION_LIMIT)]


class SaidView(Given):
    """An entry in one language."""

    question: Line
    answer: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=ANSWER_LIMIT)]
    phrasings: list[Line] = Field(
        default_factory=list, max_length=PHRASINGS_LIMIT, description="Other ways in which customers put the question."
    )


class EntryView(BaseModel):
    """A question whose answer is known."""

    key: str
    version: int = Field(description="How many times it was changed here; 0: as the content files have it.")
    source: Literal["shipped", "written", "removed"] = Field(description="removed: nobody is told it any more.")
    zh: SaidView | None
    en: SaidView | None


class EntryList(BaseModel):
    """All entries; removed ones too."""

    items: list[EntryView]


class EntryWrite(Given):
    """An entry as it should be, in one language or both."""

    version: int = Field(ge=0, le=10**9, description="The last version that you saw; 0 for a new entry.")
    zh: SaidView | None = None
    en: SaidView | None = None


class EntryRemove(Given):
    version: int = Field(ge=0, le=10**9, description="The last version that you saw.")


@operations.get("/knowledge", scope="knowledge:read", answer=EntryList)
async def list_entries(call: Call[Nothing, Nothing]) -> EntryList:
    """List the entries of the knowledge base."""
    library = call.service.library
    gone = [key for key, each in library.changed.items() if each.kind == "removed"]
    return EntryList(items=[_view(call, key) for key in (*library.entries, *gone)])


@operations.get(f"/knowledge/{_KEY}", scope="knowledge:read", answer=EntryView, problems=(404,))
async def read_entry(call: Call[Nothing, Nothing]) -> EntryView:
    """Read an entry."""
    return _view(call, call.path["key"])


@operations.post(f"/knowledge/{_KEY}", scope="knowledge:write", body=EntryWrite, answer=EntryView, problems=(409, 422))
async def write_entry(call: Call[EntryWrite, Nothing]) -> EntryView:
    """Write an entry.

    A new one, or a new version of one. It answers customers from now on. 409 if it was changed since `version`."""
    given, key = call.body, call.path["key"]
    languages: dict[Language, Said] = {
        language: Said(said.question, said.answer, tuple(said.phrasings))
        for language in LANGUAGES
        if (said := getattr(given, language)) is not None
    }
    try:
        entry = checked(Entry(key, languages))
    except BadEntry as bad:
        raise at(f"/{bad.language or ''}", _REMEDIES[bad.code]) from None
    return await _change(call, key, given.version, entry)


@operations.post(
    f"/knowledge/{_KEY}/remove", scope="knowledge:write", body=EntryRemove, answer=EntryView, problems=(404, 409)
)
async def remove_entry(call: Call[EntryRemove, Nothing]) -> EntryView:
    """Remove an entry: nobody is told it any more. It can be written again."""
    key = call.path["key"]
    if key not in call.service.library.entries:
        raise Problem(NOT_FOUND, "There is no entry of this key.")
    return await _change(call, key, call.body.version, None)


async def _change(
    call: Call[EntryWrite, Nothing] | Call[EntryRemove, Nothing], key: str, seen: int, entry: Entry | None
) -> EntryView:
    here = call.service
    try:
        await service.change(
            here.database, here.clock, key, seen, "written" if entry else "removed", entry, actor=call.caller.actor
        )
    except Overtaken:
        raise Problem(CONFLICT, "The entry was changed since this version. Read it again.", code="overtaken") from None
    await here.library.follow(here.database)
    return _view(call, key)


def _view(call: Call[Nothing, Nothing] | Call[EntryWrite, Nothing] | Call[EntryRemove, Nothing], key: str) -> EntryView:
    library = call.service.library
    entry, version = library.entries.get(key), library.changed.get(key)
    if (entry is None and version is None) or not KEY.fullmatch(key):
        raise Problem(NOT_FOUND, "There is no entry of this key.")
    said = {
        language: SaidView(question=each.question, answer=each.answer, phrasings=list(each.phrasings))
        for language, each in (entry.languages if entry else {}).items()
    }
    return EntryView(
        key=key,
        version=version.number if version else 0,
        source=version.kind if version else "shipped",
        zh=said.get("zh"),
        en=said.get("en"),
    )
