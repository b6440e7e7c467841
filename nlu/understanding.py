"""What was understood of one text: the value that the rest of Earful works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Language = Literal["zh", "en"]
Nature = Literal["product", "service", "price", "logistics", "suggestion", "praise", "complaint", "other", "none"]
Urgency = Literal["urgent", "important", "normal"]
View = Literal["basic", "functional", "emotional"]
Polarity = Literal["positive", "neutral", "negative"]


@dataclass(frozen=True, slots=True)
class Intent:
    """`name` is an intent of the assistant's domain, or `nlu_fallback`; `confidence` is 0 to 1."""

    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Sentiment:
    """`score` runs from -1 (negative) to 1 (positive)."""

    label: Polarity
    score: float


@dataclass(frozen=True, slots=True)
class Entity:
    """A span of the text, `start` to `end` in characters, and what it stands for."""

    entity: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Understanding:
    """Everything the cascade knows of `text`. `rating` is 0 to 100 (R5.1) where the words state one, else None;
    `nature` has the main one first; `evidence` is the words that decided. `clipped`:
    of a long text only both ends were read."""

    text: str
    language: Language
    intent: Intent
    sentiment: Sentiment
    emotions: tuple[str, ...] = ()
    nature: tuple[Nature, ...] = ("none",)
    aspect: tuple[str, ...] = ()
    view: View = "basic"
    urgency: Urgency = "normal"
    rating: float | None = None
    entities: tuple[Entity, ...] = ()
    evidence: tuple[str, ...] = ()
    clipped: bool = False

    def as_json(self) -> dict[str, Any]:
        """The object that `earful nlu parse --jsonl` writes; `clipped` stands in it where it is so."""
        found: dict[str, Any] = {
            "text": self.text,
            "language": self.language,
            "intent": {"name": self.intent.name, "confidence": round(self.intent.confidence, 4)},
            "sentiment": {"label": self.sentiment.label, "score": round(self.sentiment.score, 4)},
            "emotions": list(self.emotions),
            "nature": list(self.nature),
            "aspect": list(self.aspect),
            "view": self.view,
            "urgency": self.urgency,
            "rating": self.rating,
            "entities": [{"entity": e.entity, "value": e.value, "start": e.start, "end": e.end} for e in self.entities],
            "evidence": list(self.evidence),
        }
        return found | {"clipped": True} if self.clipped else found
