"""The journeys of tests/scenarios as the embedded engine lives them: every turn with what went in and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bot import app
from bot.engine import Engine, Turn, UserMessage
from bot.loop.local import LocalModel
from bot.loop.remote.understanding import NEARLY_SURE
from bot.settings import load
from bot.simulation.play import play
from bot.simulation.scenario import Scenario, read
from nlu.understanding import Intent, Language, Understanding

SCENARIOS = Path(__file__).parent.parent.parent / "tests" / "scenarios"
SPOKEN = frozenset({"say", "tap", "wait"})


@dataclass(frozen=True, slots=True)
class Lived:
    """One turn: the conversation before, the message, and what the embedded engine made of it."""

    before: dict[str, Any] | None
    message: UserMessage
    turn: Turn


@dataclass(frozen=True, slots=True)
class Journey:
    """The turns of one customer's conversation in a scenario."""

    name: str
    turns: tuple[Lived, ...]


def spoken(scenario: Scenario) -> bool:
    """Whether customers' messages are all there is to it."""
    return all(step.action in SPOKEN for step in scenario.steps)


async def lived(models: Path) -> list[Journey]:
    """Every conversation of every scenario that is made of messages alone. `models`: where trained ones are kept."""
    found: list[Journey] = []
    for path in sorted(SCENARIOS.glob("*.yml")):
        scenario = read(path)
        if spoken(scenario):
            found += await _journeys(path.stem, scenario, models)
    return found


async def _journeys(name: str, scenario: Scenario, models: Path) -> list[Journey]:
    told: dict[str, list[Lived]] = {}

    class Recording(Engine):
        async def turn(self, tracker: dict[str, Any] | None, message: UserMessage) -> Turn:
            turn = await super().turn(tracker, message)
            told.setdefault(message.sender_id, []).append(Lived(tracker, message, turn))
            return turn

    with patch.object(app, "Engine", Recording), patch.object(app, "LocalModel", Unsure):
        await play(scenario, load(environment={}, encoders=False), models)
    return [Journey(f"{name} ({lane.split(':')[-1]})", tuple(turns)) for lane, turns in told.items()]


class Unsure(LocalModel):
    """The local model, never as sure as a tap: what was taught word for word is told from a button by that."""

    async def parse_many(self, texts: Sequence[str], languages: Sequence[Language | None]) -> list[Understanding]:
        found = await super().parse_many(texts, languages)
        return [
            replace(each, intent=Intent(each.intent.name, min(each.intent.confidence, NEARLY_SURE))) for each in found
        ]
