"""The comparison of `make rasa-check` finds what differs, and only that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_rasa import FakeRasa
from remote_parts import Asked, assistant, embedded
from test_scenarios import SCENARIOS

from bench.rasa.comparing import ENTITIES, OTHERWISE, SAME, UNDERSTOOD, VARIED, Comparison
from bench.rasa.installation import CONSTRAINTS, VERSIONS
from bench.rasa.journeys import Journey, Lived, spoken
from bot.engine import UserMessage
from bot.simulation.scenario import read

TEXTS = {"谢谢": "thank", "订单 20260301123 坏了": "complain", "再见": "goodbye"}
ORDER = {"entity": "order_number", "value": "20260301123", "start": 3, "end": 14}


@pytest.fixture
async def rasa() -> AsyncIterator[FakeRasa]:
    async with FakeRasa(embedded(), assistant().domain) as fake:
        for text, intent in TEXTS.items():
            fake.understood[text] = {"intent": intent, "confidence": 0.9}
        fake.understood["订单 20260301123 坏了"]["entities"] = [ORDER]
        yield fake


async def journey() -> Journey:
    """Three turns as the embedded engine lives them, on a channel that no response is written for."""
    facts = {"language": "zh", "now": "2026-03-05T02:00:00+00:00", "owner": "bot", "company": "小店"}
    understanding = {"nature": ["product"], "urgency": "important", "sentiment": {"score": -0.4}}
    told = {"earful": {**facts, "understanding": understanding, "promises": {"important": "今天 18:00 前"}}}
    turns: list[Lived] = []
    before: dict[str, Any] | None = None
    for text, intent in TEXTS.items():
        entities = [{"entity": "order_number", "value": "20260301123"}] if "订单" in text else []
        message = UserMessage(text, intent, 0.8, entities, told, "telegram", "chat:telegram:main:1")
        turn = await embedded().turn(before, message)
        turns.append(Lived(before, message, turn))
        before = turn.tracker
    return Journey("three turns", tuple(turns))


async def compared(rasa: FakeRasa) -> Comparison:
    comparison = Comparison(assistant(), Asked(rasa.url).server)
    await comparison.play(await journey())
    return comparison


async def test_the_same_words_are_the_same(rasa: FakeRasa) -> None:
    """Through the REST channel and through the adapter."""
    comparison = await compared(rasa)
    assert {each.kind for each in comparison.rest} <= {SAME, VARIED}  # variations are drawn by lot at Rasa's
    assert [each.kind for each in comparison.adapter] == [SAME] * 3


async def test_another_intent_is_a_reason_and_not_a_difference_of_engines(rasa: FakeRasa) -> None:
    """And the turns after it are compared from our state again."""
    rasa.understood["谢谢"]["intent"] = "goodbye"
    comparison = await compared(rasa)
    assert comparison.rest[0].kind == UNDERSTOOD
    assert {each.kind for each in comparison.rest[1:]} <= {SAME, VARIED}
    assert "thank here, goodbye (0.90) there" in comparison.rest[0].reason


async def test_entities_that_were_not_found_are_named(rasa: FakeRasa) -> None:
    """The intent is the same, what follows is not."""
    rasa.understood["订单 20260301123 坏了"]["entities"] = [{**ORDER, "value": "20260301"}]
    rasa.understood["再见"]["entities"] = [{"entity": "place", "value": "再", "start": 0, "end": 1}]
    comparison = await compared(rasa)
    assert comparison.rest[1].kind == ENTITIES
    assert "20260301123" in comparison.rest[1].reason
    assert comparison.rest[2].kind in (SAME, VARIED)  # what makes no difference is none


async def test_other_words_are_a_difference(rasa: FakeRasa) -> None:
    """However small."""
    usual = rasa.converse

    async def converse(body: dict[str, Any]) -> list[dict[str, Any]]:
        found = await usual(body)
        for each in found:
            if "再见" in each.get("text", ""):
                each["text"] += "！！"
        for event in rasa.trackers[body["sender"]]:
            if event["event"] == "bot" and "再见" in (event["text"] or ""):
                event["text"] += "！！"
                event["metadata"] = {}
        return found

    rasa.converse = converse  # type: ignore[method-assign]
    comparison = await compared(rasa)
    assert comparison.rest[2].kind == OTHERWISE
    assert comparison.adapter[2].kind == OTHERWISE
    assert {each.kind for each in comparison.rest[:2]} <= {SAME, VARIED}


async def test_a_turn_that_the_adapter_could_not_take_is_told(rasa: FakeRasa) -> None:
    """A fall to the embedded engine would hide the difference."""
    rasa.acts = False
    assert {each.kind for each in (await compared(rasa)).adapter} == {OTHERWISE}


def test_there_are_journeys_to_play() -> None:
    """A dozen or more scenarios are customers' messages alone."""
    assert sum(spoken(read(path)) for path in SCENARIOS) >= 12


def test_every_version_is_pinned_and_nothing_else_stands_there() -> None:
    """Names and versions, no address of any index."""
    lines = CONSTRAINTS.read_text().splitlines()
    assert all(line.count("==") == 1 and "/" not in line and " " not in line for line in lines)
    assert set(VERSIONS) <= set(lines)
