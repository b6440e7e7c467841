"""A question whose words find no certain answer is looked for by meaning, while its lane waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from test_loop_closer_look import Slow
from understanding_stages import Letters
from web_parts import Plain, house

from bot.knowledge.index import Article, Found, Index
from bot.knowledge.library import Library
from bot.loop.closer_look import CloserLook
from bot.loop.turn import Later
from channels.base import Text
from nlu.apart_knowledge import AT_A_TIME, Knowledge
from nlu.retrieval import Entry, Hit
from nlu.understanding import Intent, Language, Understanding
from storage.database import Database

HOURS = Article("hours", "en", "When are you open?", "From nine to five.", ("opening hours",))
STUNDEN = Article("hours", "zh", "几点开门？", "九点到五点。", ("营业时间",))
REFUND = Article("refund", "en", "How long does a refund take?", "Three days.", ("when do I get my money back",))


@dataclass
class Knowing(Slow):
    """Finds the same entries for every question."""

    hits: list[Hit] | None = field(default_factory=lambda: [Hit("hours", 0.9), Hit("gone", 0.5), Hit("refund", 0.4)])
    known: list[Sequence[Entry]] = field(default_factory=list)

    def search_many(self, texts: Sequence[str]) -> list[list[Hit] | None]:
        self.asked += texts
        self.go.wait(20)
        if self.broken:
            raise RuntimeError("weights are gone")
        return [self.hits for _ in texts]

    def know(self, entries: Sequence[Entry]) -> None:
        self.known.append(entries)


def library() -> Library:
    return Library([], Index([HOURS, STUNDEN, REFUND]))


async def asked(look: CloserLook, text: str) -> None:
    later = look.answers(text)
    assert isinstance(later, Later)
    async with asyncio.timeout(20):
        await later.wait()


async def test_what_meaning_finds_is_the_answer_where_words_are_not_certain() -> None:
    """In the customer's language where there is one; what is no longer there is left out. Words that are certain are
    not asked about."""
    closer, books = Knowing(), library()
    closer.go.set()
    look = CloserLook(closer, patience=None)
    books.ask(look)
    assert [entry.key for entry in closer.known[0]] == ["hours", "hours", "refund"]
    assert books.certain("When are you open?", "en")
    text = "may I drop in on Sunday evening"
    assert not books.certain(text, "en")
    await asked(look, text)
    assert books.search(text, "zh")[0] == Found("hours", 0.9, "几点开门？", "九点到五点。")
    assert [hit.key for hit in books.search(text, "en")] == ["hours", "refund"]
    assert look.answers(text) is None, "asked once"
    assert closer.asked == [text]


@pytest.mark.parametrize("trouble", ["slow", "broken", "unread", "not ready"])
async def test_without_an_answer_in_time_words_alone_decide(trouble: str) -> None:
    """Slow, broken, or with entries that nobody has read yet: the customer is answered as before."""
    closer, books = Knowing(broken=trouble == "broken", ready=trouble != "not ready"), library()
    closer.hits = None if trouble == "unread" else closer.hits
    look = CloserLook(closer, patience=0.01 if trouble == "slow" else None)
    books.ask(look)
    text = "is my money on its way back"
    if trouble != "slow":
        closer.go.set()
    if trouble == "not ready":
        assert look.answers(text) is None
    else:
        await asked(look, text)
    closer.go.set()
    assert books.search(text, "en") == books.index.search(text, "en")


async def test_another_knowledge_base_forgets_what_was_found() -> None:
    """An edit at the desk counts for the next question."""
    closer = Knowing()
    closer.go.set()
    look = CloserLook(closer, patience=None)
    await asked(look, "Sunday?")
    assert look.found("Sunday?")
    look.know([])
    assert look.found("Sunday?") is None


async def test_a_lane_with_a_hard_question_waits_and_is_answered(database: Database) -> None:
    """What is no question is not looked for."""
    closer = Knowing()
    service = house(database, closer=closer)
    plain = Plain()

    async def asking(texts: Sequence[str], languages: Sequence[Language | None]) -> list[Understanding]:
        found = await plain.parse_many(texts, languages)
        return [replace(each, intent=Intent("ask_question", 0.9)) if "?" in each.text else each for each in found]

    service.policy.understands.parse_many = asking  # type: ignore[method-assign]
    for thread, text in (("a", "odd?"), ("b", "hello")):
        await service.intake.accept("web", "default", [Text(dedupe_key=text, thread=thread, text=text)])
    closer.go.set()
    await service.turns.settle()
    assert closer.asked == ["odd?"]
    assert service.policy.closer_look is not None
    assert service.policy.closer_look.found("odd?") == closer.hits


def test_entries_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    """Nobody who asks meanwhile waits for long; until all are read those of before are searched. What was read once is
    not read again."""
    letters = Letters()
    books = Knowledge([letters], tmp_path)
    assert not books.read_on()
    assert books.search_many(["opening"]) == [None]
    first = [Entry(str(number), "en", (f"question number {number} of many",)) for number in range(AT_A_TIME + 1)]
    books.know(first)
    assert books.read_on()
    assert len(letters.asked) == AT_A_TIME
    assert books.search_many(["opening"]) == [None]
    assert books.read_on()
    assert not books.read_on()
    (hits,) = books.search_many(["number 3 of many"])
    assert hits
    assert hits[0].key == "3"
    books.know([*first, Entry("hours", "en", ("opening hours",))])
    (hits,) = books.search_many(["number 3 of many"])
    assert hits, "those of before, meanwhile"
    while books.read_on():
        pass
    (hits,) = books.search_many(["what opening hours"])
    assert hits
    assert hits[0].key == "hours"
    assert sum(text == "question number 0 of many" for text in letters.asked) == 1
