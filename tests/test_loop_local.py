"""Which texts the slow cascade is asked about while a reply waits, and that it never holds one up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from bot.loop.local import CLOSER_AT_ONCE, LocalModel
from nlu.model import FALLBACK, Model
from nlu.understanding import Intent, Language, Sentiment, Understanding


def understood(text: str, intent: str) -> Understanding:
    return Understanding(text=text, language="en", intent=Intent(intent, 0.9), sentiment=Sentiment("neutral", 0.0))


class Fast:
    """Knows greetings only."""

    def parse_many(self, texts: Sequence[str], *, languages: Any = None) -> list[Understanding]:
        return [understood(text, "greet" if text == "hi" else FALLBACK) for text in texts]


@dataclass
class Slow:
    """Calls everything a complaint, once it may go on."""

    go: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    broken: bool = False

    def parse_many(
        self,
        texts: Sequence[str],
        *,
        languages: Sequence[Language | None] | None = None,
        needs: Collection[str] = (),
    ) -> list[Understanding]:
        assert tuple(needs) == ("intent",)
        self.asked += texts
        self.go.wait()
        if self.broken:
            raise RuntimeError("weights are gone")
        return [understood(text, "complain") for text in texts]


def model(slow: Slow | None) -> LocalModel:
    return LocalModel(cast(Model, Fast()), slow)


async def names(model: LocalModel, *texts: str) -> list[str]:
    return [each.intent.name for each in await model.parse_many(texts, [None] * len(texts))]


async def test_only_what_nobody_understood_is_looked_at_closer() -> None:
    """A greeting is answered by the fast heads; the rest has a second chance, in its place."""
    slow = Slow()
    slow.go.set()
    assert await names(model(slow), "odd", "hi", "odder") == ["complain", "greet", "complain"]
    assert slow.asked == ["odd", "odder"]


async def test_a_flood_of_nonsense_is_not_all_looked_at() -> None:
    """The first few are; the others are answered as they stand."""
    slow = Slow()
    slow.go.set()
    found = await names(model(slow), *(f"odd {number}" for number in range(CLOSER_AT_ONCE + 3)))
    assert found == ["complain"] * CLOSER_AT_ONCE + [FALLBACK] * 3


async def test_a_slow_look_is_not_waited_for_and_not_asked_again_meanwhile() -> None:
    """The fast answer stands, at once while the look is still busy; afterwards it is asked again."""
    slow = Slow()
    tried = model(slow)
    tried.patience = 0.0
    assert await names(tried, "odd") == [FALLBACK]
    assert await names(tried, "other") == [FALLBACK]
    assert slow.asked == ["odd"]
    slow.go.set()
    tried.patience = None
    async with asyncio.timeout(60):
        while await names(tried, "third") != ["complain"]:
            pass  # it gives way by itself


async def test_a_look_that_fails_changes_nothing() -> None:
    """Not understood stays not understood, and the next one is tried."""
    slow = Slow(broken=True)
    slow.go.set()
    tried = model(slow)
    assert await names(tried, "odd") == [FALLBACK]
    slow.broken = False
    assert await names(tried, "odd") == ["complain"]


async def test_without_encoders_the_fast_heads_are_all_there_is() -> None:
    """Not understood is said at once."""
    assert await names(model(None), "odd", "hi") == [FALLBACK, "greet"]
