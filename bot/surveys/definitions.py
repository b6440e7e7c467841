"""What `surveys.yml` defines: scales, questions, and the conditions under which each is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, get_args

from bot.yamlfile import Words
from nlu.understanding import Language

Trigger = Literal["episode", "conversation_resolved", "case_resolved", "volunteered"]
Kind = Literal["csat5", "thumbs", "nps", "ces"]
TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)
# The values of each kind, in the order in which they are shown.
VALUES: Mapping[Kind, tuple[int, ...]] = {
    "csat5": (1, 2, 3, 4, 5),
    "thumbs": (1, 0),
    "nps": tuple(range(11)),
    "ces": (1, 2, 3, 4, 5, 6, 7),
}
RATING = "rating"  # the key of every survey's first question
LOW_BELOW = 60.0  # of 100: what counts as a low rating
HIGH_FROM = 80.0  # of 100: satisfied; a case closes from here


@dataclass(frozen=True, slots=True)
class Scale:
    """A way to rate. `labels` gives each value its button."""

    name: str
    kind: Kind
    labels: Mapping[int, Words]

    @property
    def values(self) -> tuple[int, ...]:
        return VALUES[self.kind]

    @property
    def maximum(self) -> int:
        return max(self.values)


def score(scale: Scale, value: int) -> float:
    """`value` as 0 to 100: 100 x value / maximum (R5.1). Raises ValueError if the scale has no such value."""
    if value not in scale.values:
        raise ValueError(f"the scale {scale.name} ({scale.kind}) has no value {value}")
    return 100.0 * value / scale.maximum


def nearest(scale: Scale, stated: float) -> int:
    """The value of the scale nearest to a score of 0 to 100; a tie goes down, so that none looks better than said."""
    return min(sorted(scale.values), key=lambda value: abs(score(scale, value) - stated))


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of a single-choice question."""

    key: str
    title: Words


@dataclass(frozen=True, slots=True)
class Condition:
    """When a question is asked: the score lies in [score_from, score_below), and of each question named in `chosen` one
    of the given options was chosen."""

    score_from: float | None = None
    score_below: float | None = None
    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def holds(self, score: float, chosen: Mapping[str, str | None]) -> bool:
        """`chosen`: the option taken of each answered question, None where the answer was free text."""
        if self.score_from is not None and score < self.score_from:
            return False
        if self.score_below is not None and score >= self.score_below:
            return False
        return all(chosen.get(question) in options for question, options in self.chosen.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question after the rating: choices, free text, or both."""

    key: str
    text: Words
    choices: tuple[Choice, ...] = ()
    free_text: bool = False
    when: Condition = field(default_factory=Condition)

    def choice(self, key: str) -> Choice | None:
        return next((choice for choice in self.choices if choice.key == key), None)


@dataclass(frozen=True, slots=True)
class Thanks:
    """What is said at the end, by the band of the score: low below 60, high from 80, middle between."""

    low: Words
    middle: Words
    high: Words

    def said(self, score: float, language: Language) -> str:
        words = self.low if score < LOW_BELOW else self.high if score >= HIGH_FROM else self.middle
        return words.said(language)


@dataclass(frozen=True, slots=True)
class Reminder:
    """The one reminder, `after` the survey was sent, if it is unanswered."""

    after: timedelta
    text: Words


@dataclass(frozen=True, slots=True)
class Phrases:
    """What the survey says of an answer. `recorded` and `changed` have {answer}; `unclear` asks back, once."""

    recorded: Words
    changed: Words
    expired: Words
    already_counted: Words
    superseded: Words
    not_asked: Words
    not_an_option: Words
    unclear: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One survey. `version` is a digest of what it asks: an open survey is finished on the version it began with.

    `touchpoints` empty: every touchpoint that no other definition names. `max_questions` counts the rating.
    `not_answers` are whole messages, normalised, that are never an answer ("thanks", "a person please").
    """

    key: str
    trigger: Trigger
    scale: Scale
    question: Words
    thanks: Thanks
    phrases: Phrases
    version: str
    touchpoints: tuple[str, ...] = ()
    ask: tuple[Question, ...] = ()
    expires: timedelta = timedelta(days=14)
    change_window: timedelta = timedelta(hours=24)
    delay: timedelta = timedelta(0)
    cooldown: timedelta = timedelta(0)
    reminder: Reminder | None = None
    max_questions: int = 3
    not_answers: frozenset[str] = frozenset()

    def find(self, key: str) -> Question | None:
        """The question of `ask` with this key."""
        return next((question for question in self.ask if question.key == key), None)

    def next_question(self, score: float, chosen: Mapping[str, str | None]) -> Question | None:
        """The question to put next after a rating of `score` and these answers; None: thank them.

        A condition looks back only, so the questions are walked through in order and it always ends.
        """
        answered = 1
        for question in self.ask:
            if question.when.holds(score, chosen):
                if question.key not in chosen:
                    return question if answered < self.max_questions else None
                answered += 1
        return None


@dataclass(frozen=True, slots=True)
class Surveys:
    """All of `surveys.yml`, by key."""

    definitions: Mapping[str, Definition]

    def get(self, key: str) -> Definition | None:
        return self.definitions.get(key)

    def for_trigger(self, trigger: Trigger, touchpoint: str | None = None) -> Definition | None:
        """The definition that names `touchpoint`, else the one of this trigger that names none."""
        fitting = [definition for definition in self.definitions.values() if definition.trigger == trigger]
        named = [
            definition for definition in fitting if touchpoint is not None and touchpoint in definition.touchpoints
        ]
        general = [definition for definition in fitting if not definition.touchpoints]
        return next(iter(named or general), None)
