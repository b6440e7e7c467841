"""Understanding by a Rasa server: it names the intent and its entities, and the local model knows the rest."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bot.loop.remote.server import Failed, Server, each_within
from nlu.understanding import Entity, Intent, Language, Understanding

FALLBACK = "nlu_fallback"

NEARLY_SURE = 0.9999
"""The most that anything said in words is sure of; 1 is a tap's alone (see `RasaDialogue`)."""

PATIENCE = 2.0
"""A batch waits for this many time-outs of one call: others wait for it."""

MOST_ENTITIES = 50
VALUE_LIMIT = 200


class Local(Protocol):
    """The local model."""

    async def parse_many(self, texts: Sequence[str], languages: Sequence[Language | None]) -> list[Understanding]: ...


@dataclass(frozen=True, slots=True)
class RasaUnderstanding:
    """An `Understands`. Rasa's `POST /model/parse` gives intent and entities; language, sentiment, nature, urgency,
    rating and what rules find (order numbers, phones, addresses, amounts, dates) come from `local`, and so does
    everything where the server fails. `intents` and `entities` are the assistant's: others count as none."""

    server: Server
    local: Local
    intents: Collection[str]
    entities: Collection[str]

    async def parse_many(self, texts: Sequence[str], languages: Sequence[Language | None]) -> list[Understanding]:
        """As the local model; the server is asked about all texts that are not blank, a few at a time."""
        found = await self.local.parse_many(texts, languages)
        unsure = [replace(each, intent=_unsure(each.intent)) for each in found]
        return await each_within(
            PATIENCE * self.server.timeout, [self._one(understood) for understood in unsure], unsure
        )

    async def _one(self, local: Understanding) -> Understanding:
        if not local.text.strip():
            return local
        try:
            return await self.server.call(
                "POST", "/model/parse", {"text": defused(local.text)}, lambda answer: self._merged(local, answer)
            )
        except Failed:
            return local

    def _merged(self, local: Understanding, answer: Any) -> Understanding:
        intent = answer["intent"]
        name, confidence = intent["name"], float(intent["confidence"])
        if not (name is None or isinstance(name, str)) or not math.isfinite(confidence):
            raise ValueError("no intent")
        if name not in self.intents:
            name = FALLBACK
        found = [*local.entities, *self._others(local, answer["entities"])]
        return replace(
            local,
            intent=_unsure(Intent(name, min(1.0, max(0.0, confidence)))),
            entities=tuple(sorted(found, key=lambda entity: entity.start)),
        )

    def _others(self, local: Understanding, given: Any) -> list[Entity]:
        """What Rasa found where the local rules found nothing, or something else."""
        found: list[Entity] = []
        for each in given[:MOST_ENTITIES]:
            entity = _entity(each, len(local.text))
            if entity.entity not in self.entities:
                continue
            taken = (*local.entities, *found)
            if not any(other.entity == entity.entity and _overlap(other, entity) for other in taken):
                found.append(entity)
        return found


def defused(text: str) -> str:
    """`text` such that Rasa takes it for words: what begins with a slash is a command there, and people may not give
    any. The slash becomes a full-width one, so that every character stays where it is."""
    start = len(text) - len(text.lstrip())
    return f"{text[:start]}／{text[start + 1 :]}" if text[start : start + 1] == "/" else text


def _entity(given: Mapping[str, Any], length: int) -> Entity:
    start, end = given["start"], given["end"]
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= length):
        raise ValueError("an entity outside of the text")
    return Entity(str(given["entity"]), str(given["value"])[:VALUE_LIMIT], start, end)


def _overlap(one: Entity, other: Entity) -> bool:
    return one.start < other.end and other.start < one.end


def _unsure(intent: Intent) -> Intent:
    return intent if intent.confidence < NEARLY_SURE else Intent(intent.name, NEARLY_SURE)
