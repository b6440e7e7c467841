"""Where one survey stands, as it is kept between two answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from bot.surveys.definitions import RATING, Chosen, Situation
from bot.surveys.scales import LOW_BELOW
from nlu.understanding import Language


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to `question`: the key of an option (of the rating: its value in digits), or `options`, several at
    once, or free `text`.

    `stated` is the score of 0 to 100 that the customer put in words ("9 out of 10" is 90 on any scale); None for a tap.
    """

    question: str
    option: str | None = None
    text: str = ""
    stated: float | None = None
    options: tuple[str, ...] = ()

    @property
    def chosen(self) -> frozenset[str]:
        return frozenset(self.options if self.option is None else (self.option, *self.options))

    def as_json(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "option": self.option,
            "text": self.text,
            "stated": self.stated,
            "options": list(self.options),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Answer:
        return cls(**{**data, "options": tuple(data.get("options", ()))})


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where one survey stands; JSON-able. `question` is the key of the one that awaits its answer, None: no more.

    `value` and `score` are the rating, None until there is one; `rated_at` is its first time, from which the window for
    changes runs. `answers` are those to the questions that the present rating leads to. `segment` and `language` are
    the customer's when they were asked. `too_fast` counts answers that came faster than a person reads: they are no
    ratings.
    """

    definition: str
    version: str
    sent_at: datetime
    expires_at: datetime
    question: str | None = RATING
    value: int | None = None
    score: float | None = None
    rated_at: datetime | None = None
    answers: tuple[Answer, ...] = ()
    superseded_at: datetime | None = None
    reminded: bool = False
    asked_back: bool = False
    segment: str | None = None
    language: Language | None = None
    too_fast: int = 0

    @property
    def chosen(self) -> Chosen:
        return {given.question: given.chosen for given in self.answers}

    @property
    def whose(self) -> Situation:
        return Situation(self.segment, self.language)

    @property
    def low(self) -> bool:
        """Rated, and below 60 of 100."""
        return self.score is not None and self.score < LOW_BELOW

    def given(self, question: str) -> Answer | None:
        return next((known for known in self.answers if known.question == question), None)

    def as_json(self) -> dict[str, Any]:
        return {
            "definition": self.definition,
            "version": self.version,
            "sent_at": self.sent_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "question": self.question,
            "value": self.value,
            "score": self.score,
            "rated_at": None if self.rated_at is None else self.rated_at.isoformat(),
            "answers": [given.as_json() for given in self.answers],
            "superseded_at": None if self.superseded_at is None else self.superseded_at.isoformat(),
            "reminded": self.reminded,
            "asked_back": self.asked_back,
            "segment": self.segment,
            "language": self.language,
            "too_fast": self.too_fast,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> State:
        """Raises KeyError, TypeError or ValueError on what `as_json` did not write."""
        times = {
            name: None if data[name] is None else datetime.fromisoformat(data[name])
            for name in ("rated_at", "superseded_at")
        }
        return cls(
            definition=data["definition"],
            version=data["version"],
            sent_at=datetime.fromisoformat(data["sent_at"]),
            expires_at=datetime.fromisoformat(data["expires_at"]),
            question=data["question"],
            value=data["value"],
            score=data["score"],
            answers=tuple(Answer.from_json(given) for given in data["answers"]),
            reminded=data["reminded"],
            asked_back=data["asked_back"],
            segment=data.get("segment"),
            language=cast("Language | None", data.get("language")),
            too_fast=data.get("too_fast", 0),
            **times,
        )
