"""Parts for tests of engines on other servers: the real content, a local model in fast, a server that is asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from bot import engine
from bot.actions.registry import executor
from bot.clock import ManualClock
from bot.engine import Assistant, Engine
from bot.loop.remote import Breaker, Server
from bot.settings import ASSISTANT
from channels.http import Http
from nlu.understanding import Entity, Intent, Language, Sentiment, Understanding

START = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)


@cache
def assistant() -> Assistant:
    return engine.load(ASSISTANT)


def embedded() -> Engine:
    return Engine(assistant(), executor())


class Locally:
    """A local model that says of every text what it was told to say."""

    def __init__(self, intent: str = "greet", confidence: float = 0.8, entities: Sequence[Entity] = ()) -> None:
        self.intent = Intent(intent, confidence)
        self.entities = tuple(entities)
        self.asked: list[str] = []

    async def parse_many(self, texts: Sequence[str], languages: Sequence[Language | None]) -> list[Understanding]:
        self.asked += texts
        return [
            Understanding(
                text=text,
                language="zh",
                intent=self.intent,
                sentiment=Sentiment("negative", -0.7),
                nature=("logistics",),
                urgency="important",
                rating=40.0,
                entities=self.entities,
                evidence=("没到",),
            )
            for text in texts
        ]


class Asked:
    """A server at `url` with its clock and what was counted."""

    def __init__(self, url: str, *, timeout: float = 5.0, at_once: int = 8, token: str = "") -> None:
        self.http = Http()
        self.clock = ManualClock(START)
        self.breaker = Breaker(self.clock)
        self.counts: dict[str, int] = {}
        query = {"token": token} if token else {}
        self.server = Server(self.http, "rasa", url, self.breaker, self.counts, timeout, query=query, at_once=at_once)

    def counted(self, outcome: str) -> int:
        return self.counts.get(f"remote_{outcome}.rasa", 0)
