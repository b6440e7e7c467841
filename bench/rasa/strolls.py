"""Conversations at random, of taps alone: nothing is left to understanding, and forms are entered, left and re-entered
in ways that nobody writes a scenario for."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.rasa.journeys import Journey, Lived
from bot.actions.registry import executor
from bot.engine import Assistant, Engine, UserMessage
from bot.loop.remote.dialogue import words

START = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)
TURNS = 12
NATURES = (["product"], ["service", "price"], ["logistics"], ["suggestion"], ["praise"], ["complaint"], ["none"])
VALUES = {
    "order_number": "AB-20391",
    "phone": "13800138000",
    "email": "li@example.com",
    "case_number": "1007",
    "entry": "refund_time",
    "rating": "40",
    "name": "小明",
    "place": "建国路",
}
HIT = {"key": "refund_time", "score": 0.9, "question": "退款多久到账？", "answer": "3 个工作日内原路退回。"}
CASE = {"number": "1007", "state": "assigned", "title": "坏了", "urgency": "normal"}


async def strolled(assistant: Assistant, count: int, seed: int = 11) -> list[Journey]:
    """`count` conversations of TURNS turns; the same seed gives the same."""
    engine = Engine(assistant, executor())
    chance = random.Random(seed)
    return [await _stroll(assistant, engine, chance, f"stroll {number}") for number in range(1, count + 1)]


async def _stroll(assistant: Assistant, engine: Engine, chance: random.Random, name: str) -> Journey:
    turns: list[Lived] = []
    before: dict[str, Any] | None = None
    now = START
    language = chance.choice(("zh", "en"))
    for _ in range(TURNS):
        now += timedelta(minutes=chance.choice((1, 1, 1, 5, 60)))
        message = _message(assistant, chance, now, language, name)
        turn = await engine.turn(before, message)
        turns.append(Lived(before, message, turn))
        before = turn.tracker
    return Journey(name, tuple(turns))


def _message(assistant: Assistant, chance: random.Random, now: datetime, language: str, name: str) -> UserMessage:
    """A tap: its text is what Rasa hears, so that slots filled from text are the same on both sides."""
    intent = chance.choice([*sorted(assistant.domain.intents), *(("complain", "inform", "want_to_complain") * 3)])
    entities = [{"entity": each, "value": VALUES[each]} for each in sorted(VALUES) if chance.random() < 0.1]
    facts = {
        "language": language,
        "channel": "telegram",
        "now": now.isoformat(),
        "owner": "queue" if chance.random() < 0.1 else "bot",
        "company": chance.choice(("小店", "")),
        "understanding": {
            "nature": chance.choice(NATURES),
            "aspect": [],
            "urgency": chance.choice(("normal", "normal", "important", "urgent")),
            "sentiment": {"label": "negative", "score": chance.choice((-0.8, -0.4, 0.0))},
            "emotions": chance.choice(([], [], ["anger"])),
            "rating": chance.choice((None, 20.0, 90.0)),
        },
        "knowledge": chance.choice(([], [HIT], [{**HIT, "score": 0.5}])),
        "cases": chance.choice(([], [CASE])),
        "promises": dict.fromkeys(("urgent", "important", "normal"), "今天 18:00 前"),
        "office": {"open": chance.random() < 0.8, "opens_at": "明早 9:00"},
        "queue": {"position": 2},
        "contact": {"phone": None, "email": None, "high_value": False},
    }
    tap = UserMessage("", intent, 1.0, entities, {"earful": facts}, "telegram", f"chat:telegram:main:{name}")
    return UserMessage(words(tap), intent, 1.0, entities, tap.metadata, tap.channel, tap.sender_id)
