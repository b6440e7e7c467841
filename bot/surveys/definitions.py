"""What `surveys.yml` defines: whom to ask, when, where and what, and when each question is put."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any, Literal, get_args

from bot.surveys.scales import HIGH_FROM, LOW_BELOW, Scale
from bot.yamlfile import Words
from nlu.understanding import Language

Trigger = Literal["episode", "conversation_resolved", "case_resolved", "schedule", "volunteered"]
Period = Literal["week", "month", "quarter", "year"]
TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)
PERIODS: tuple[Period, ...] = get_args(Period)
RATING = "rating"  # the key of every survey's first question
DONE = "*done"  # the option that ends a question of several choices; no choice can be named so
Chosen = Mapping[str, frozenset[str]]
"""The options taken of each answered question; none where the answer was free text."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to choose."""

    key: str
    title: Words


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a customer when they are asked: fixed then, so that the way through stays the same."""

    segment: str | None = None
    language: Language | None = None


NOBODY = Situation()


@dataclass(frozen=True, slots=True)
class Condition:
    """When a question is asked: the score lies in [score_from, score_below), of each question named in `chosen` one
    of the given options was chosen, and the customer is of one of `segments` and spoken to in one of `languages`
    (empty: any)."""

    score_from: float | None = None
    score_below: float | None = None
    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    segments: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()

    def holds(self, score: float, chosen: Chosen, whose: Situation = NOBODY) -> bool:
        if self.score_from is not None and score < self.score_from:
            return False
        if self.score_below is not None and score >= self.score_below:
            return False
        if self.segments and whose.segment not in self.segments:
            return False
        if self.languages and whose.language not in self.languages:
            return False
        return all(chosen.get(question, frozenset()) & options for question, options in self.chosen.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question after the rating: choices, free text, or both. `multiple`: as many choices as apply. `consent`: a yes
    allows us something, and is acted on."""

    key: str
    text: Words
    choices: tuple[Choice, ...] = ()
    multiple: bool = False
    free_text: bool = False
    consent: Literal["interview"] | None = None
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
    """What the survey says of an answer. `recorded` and `changed` have {answer}; `unclear` asks back, once; `done` is
    the button that ends a question of several choices, `several` says so, `none` stands for no choice."""

    recorded: Words
    changed: Words
    expired: Words
    already_counted: Words
    superseded: Words
    not_asked: Words
    not_an_option: Words
    unclear: Words
    several: Words
    done: Words
    none: Words


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Nothing is sent from `start` until `end`, by the office's clock; over midnight where the end comes first."""

    start: time
    end: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One survey. `version` is a digest of all of it: an open survey is finished on the version it began with.

    `touchpoints`, `segments` empty: those that no other definition of the same trigger names. `sample`: percent of
    the occasions that are asked about, 0: none. `channels`: asked there first, in this order. `every`: the period of a
    scheduled survey. `per_day`: sent at most. `min_messages`: a resolved conversation in which the customer wrote fewer
    is trivial. `anonymous`: nobody is shown who answered. `max_questions` counts the rating.
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
    segments: tuple[str, ...] = ()
    sample: int = 100
    channels: tuple[str, ...] = ()
    every: Period | None = None
    ask: tuple[Question, ...] = ()
    expires: timedelta = timedelta(days=14)
    change_window: timedelta = timedelta(hours=24)
    delay: timedelta = timedelta(0)
    cooldown: timedelta = timedelta(0)
    per_day: int | None = None
    quiet: QuietHours | None = None
    office_hours: bool = False
    reminder: Reminder | None = None
    anonymous: bool = False
    min_messages: int = 1
    max_questions: int = 3
    not_answers: frozenset[str] = frozenset()

    def find(self, key: str) -> Question | None:
        """The question of `ask` with this key."""
        return next((question for question in self.ask if question.key == key), None)

    def next_question(self, score: float, chosen: Chosen, whose: Situation = NOBODY) -> Question | None:
        """The question to put next after a rating of `score` and these answers; None: thank them.

        A condition looks back only, so the questions are walked through in order and it always ends.
        """
        answered = 1
        for question in self.ask:
            if question.when.holds(score, chosen, whose):
                if question.key not in chosen:
                    return question if answered < self.max_questions else None
                answered += 1
        return None


@dataclass(frozen=True, slots=True)
class Surveys:
    """All of `surveys.yml`, by key. `kept`: versions that surveys may have begun with, by key and version."""

    definitions: Mapping[str, Definition]
    kept: Mapping[tuple[str, str], Definition] = field(default_factory=dict)

    def get(self, key: str) -> Definition | None:
        return self.definitions.get(key)

    def begun(self, key: str, progress: Mapping[str, Any] | None) -> Definition | None:
        """The definition that a survey began with; today's where it has not begun, or that version is not known."""
        version = str(progress["version"]) if progress and "version" in progress else ""
        return self.kept.get((key, version)) or self.definitions.get(key)

    def fitting(self, trigger: Trigger, touchpoint: str | None = None) -> tuple[Definition, ...]:
        """The definitions of this trigger that name `touchpoint`, else those that name none."""
        all_of = [definition for definition in self.definitions.values() if definition.trigger == trigger]
        named = [definition for definition in all_of if touchpoint is not None and touchpoint in definition.touchpoints]
        return tuple(named or (definition for definition in all_of if not definition.touchpoints))

    def for_trigger(
        self, trigger: Trigger, touchpoint: str | None = None, segment: str | None = None
    ) -> Definition | None:
        """Of those that fit the one that names `segment`, else the one that names none."""
        return suited(self.fitting(trigger, touchpoint), segment)


def suited(fitting: tuple[Definition, ...], segment: str | None) -> Definition | None:
    """The definition that names `segment`, else the one that names none."""
    named = (each for each in fitting if segment is not None and segment in each.segments)
    return next(named, None) or next((each for each in fitting if not each.segments), None)
