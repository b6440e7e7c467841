"""Words that nobody understood are looked at closer while their lane waits, and nobody else does."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from loop_parts import START
from web_parts import Plain, house

from bot import app
from bot.clock import ManualClock
from bot.loop.closer_look import REMEMBERED, WAITING, CloserLook
from bot.loop.turn import Later
from bot.settings import ASSISTANT, load
from bot.simulation.channels import all_channels
from channels.base import Text
from nlu import model, stages
from nlu.apart import Apart
from nlu.model import FALLBACK
from nlu.rasa_data import read
from nlu.retrieval import Entry, Hit
from nlu.understanding import Intent, Language, Sentiment, Understanding
from storage import tables
from storage.database import Database

CHAT = Path(__file__).parent / "understanding" / "chat_en.jsonl"


def understood(text: str, intent: str = FALLBACK) -> Understanding:
    return Understanding(text=text, language="en", intent=Intent(intent, 0.9), sentiment=Sentiment("neutral", 0.0))


@dataclass
class Slow:
    """Takes everything for a question for a person, once it may go on."""

    go: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    broken: bool = False
    ready: bool = True

    def parse_many(
        self,
        texts: Sequence[str],
        *,
        languages: Sequence[Language | None] | None = None,
        needs: Collection[str] = (),
    ) -> list[Understanding]:
        assert tuple(needs) == ("intent",)
        self.asked += texts
        self.go.wait(20)
        if self.broken:
            raise RuntimeError("weights are gone")
        return [understood(text, "person") for text in texts]

    def search_many(self, texts: Sequence[str]) -> list[list[Hit] | None]:
        return [None for _ in texts]

    def know(self, entries: Sequence[Entry]) -> None:
        """It knows no answers."""

    def close(self) -> None:
        self.go.set()


async def seen(look: CloserLook, *texts: str) -> list[str]:
    """The intents that each text is answered by, after waiting for those that are looked at."""
    names = []
    for text in texts:
        found = look.at(understood(text), None)
        if isinstance(found, Later):
            async with asyncio.timeout(20):
                await found.wait()
            found = look.at(understood(text), None)
        assert isinstance(found, Understanding)
        names.append(found.intent.name)
    return names


def ready() -> Slow:
    slow = Slow()
    slow.go.set()
    return slow


# ---- the look ----


async def test_what_was_seen_is_known_from_then_on() -> None:
    """Whoever writes the same words later waits for nothing, and the encoders are not asked again."""
    slow = ready()
    look = CloserLook(slow)
    assert await seen(look, "odd", "odder") == ["person", "person"]
    assert isinstance(look.at(understood("odd"), None), Understanding)
    assert slow.asked == ["odd", "odder"]


async def test_two_who_say_the_same_wait_for_one_look() -> None:
    """And each language that a platform claims is a look of its own."""
    slow = Slow()
    look = CloserLook(slow, None)
    both = [look.at(understood("odd"), None), look.at(understood("odd"), None), look.at(understood("odd"), "zh")]
    assert all(isinstance(each, Later) for each in both)
    slow.go.set()
    for each in both:
        assert isinstance(each, Later)
        await each.wait()
    assert slow.asked == ["odd", "odd"]


async def test_a_slow_look_is_not_waited_for_but_not_wasted() -> None:
    """The fast answer stands; when the look ends at last, the next one who says so is understood."""
    slow = Slow()
    look = CloserLook(slow, 0.0)
    assert await seen(look, "odd") == [FALLBACK]
    slow.go.set()
    assert look._work is not None
    await look._work
    assert await seen(look, "odd") == ["person"]
    assert slow.asked == ["odd"]


async def test_a_look_that_fails_changes_nothing() -> None:
    """Not understood stays not understood, and other words are tried."""
    slow = ready()
    slow.broken = True
    look = CloserLook(slow)
    assert await seen(look, "odd") == [FALLBACK]
    slow.broken = False
    assert await seen(look, "odder") == ["person"]


async def test_a_flood_of_nonsense_is_answered_as_it_stands() -> None:
    """Only so many wait at once; what is remembered has an end too."""
    slow = Slow()
    look = CloserLook(slow, None)
    found = [look.at(understood(f"odd {number}"), None) for number in range(WAITING + 5)]
    assert [isinstance(each, Later) for each in found] == [True] * WAITING + [False] * 5
    slow.go.set()
    assert look._work is not None
    await look._work
    for number in range(REMEMBERED):
        await seen(look, f"other {number}")
    assert len(look._seen) == REMEMBERED


# ---- in the loop ----


async def test_only_the_lane_that_was_not_understood_waits(database: Database) -> None:
    """Others of its batch are answered; when the look is there the lane is decided, once, in its order."""
    slow = Slow()
    service = house(database, closer=slow)
    for thread, text in (("a", "odd"), ("b", "hello"), ("a", "and then")):
        event = Text(dedupe_key=f"{thread}{text}", thread=thread, text=text)
        await service.intake.accept("web", "default", [event])
    plain = Plain()

    async def unsure(texts: Sequence[str], languages: Sequence[Language | None]) -> list[Understanding]:
        found = await plain.parse_many(texts, languages)
        return [replace(each, intent=Intent(FALLBACK, 0.2)) if each.text == "odd" else each for each in found]

    service.policy.understands.parse_many = unsure  # type: ignore[method-assign]
    work = asyncio.create_task(service.turns.run())
    try:
        async with asyncio.timeout(20):
            while service.turns.turns < 1 or not slow.asked:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
            assert await said(service.database) == ["hello", "You said: hello"]
            slow.go.set()
            while service.turns.turns < 2:  # noqa: ASYNC110
                await asyncio.sleep(0)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert await said(service.database) == [
        "hello",
        "You said: hello",
        "odd",
        "You said: odd",
        "and then",
        "You said: and then",
    ]


async def said(database: Database) -> list[str]:
    statement = tables.messages.select().order_by(tables.messages.c.id)
    return await database.read(lambda connection: [row.text for row in connection.execute(statement)])


# ---- the wiring ----


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the fast heads do not know, and encoders do."""
    data = read(ASSISTANT / "data" / "nlu")
    fast = model.load_or_train(data, tmp_path_factory.mktemp("models"))
    cascade = stages.load(fast, data)
    assert cascade is not None
    texts = [json.loads(line)["text"] for line in CHAT.read_text("utf-8").splitlines()]
    unknown = (each for each in fast.parse_many(texts) if each.intent.name == FALLBACK)
    return next(each.text for each in unknown if cascade.parse(each.text, needs=["intent"]).intent.name != FALLBACK)


@pytest.mark.parametrize("on", [True, False])
async def test_the_setting_decides_whether_anything_looks_closer(
    on: bool, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it words that only encoders understand are answered as understood, and their process ends with the service;
    without it no process is started."""
    monkeypatch.setenv("EARFUL_ENCODERS", str(on))
    settings = load(data_dir=tmp_path)
    clock = ManualClock(START)
    async with app.opened(settings, clock=clock, adapters=lambda _: all_channels(), patience=None) as service:
        event = Text(dedupe_key="k", thread="t", text=words)
        await service.intake.accept("web", "default", [event])
        await service.settle()
        statement = tables.messages.select().order_by(tables.messages.c.id)
        rows = await service.database.read(lambda connection: list(connection.execute(statement)))
        intent = rows[0].data["understood"]["intent"]["name"]
        closer = service.second_look.closer
    assert (closer is not None) is on
    assert (intent != FALLBACK) is on, (words, rows[0])
    if isinstance(closer, Apart):
        assert closer._process is None
