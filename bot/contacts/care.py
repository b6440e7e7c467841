"""How customers are cared for: `care.yml`. Who is valuable, who may be lost, whom to call, what to write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, get_args

from bot.surveys.definitions import QuietHours
from bot.yamlfile import Words

Segment = Literal["high_value", "medium", "potential"]
SEGMENTS: tuple[Segment, ...] = get_args(Segment)
Risk = Literal["low_ratings", "complaints", "silent"]
RISKS: tuple[Risk, ...] = get_args(Risk)
Occasion = Literal["agreed", "birthday", "service"]
"""When they agree to hear from us, on their birthday, after a service."""
OCCASIONS: tuple[Occasion, ...] = get_args(Occasion)


@dataclass(frozen=True, slots=True)
class Shares:
    """Percent of the customers whose revenue is known: the top `high_value`, then `medium`; all others: potential."""

    high_value: int = 20
    medium: int = 30


@dataclass(frozen=True, slots=True)
class Risks:
    """`low_below` of 0 to 100. At risk is who rated lower `in_a_row` times, complained `complaints` times `within` this
    time, or said nothing for `silent` after a low rating."""

    low_below: float = 65.0
    in_a_row: int = 3
    complaints: int = 2
    within: timedelta = timedelta(days=90)
    silent: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Calls:
    """`say` is what to call for, by its reason; without words nobody is called. High-value customers are called
    `every` so long, `per_day` at most. `tries` in vain end a call-back."""

    say: Mapping[str, Words] = field(default_factory=dict)
    every: timedelta = timedelta(days=90)
    per_day: int = 10
    tries: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CareMessage:
    """Sent `after` its occasion to customers of `segments`; of a service only for its touchpoints and products. None:
    all."""

    key: str
    occasion: Occasion
    text: Words
    segments: tuple[str, ...] = ()
    touchpoints: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """`cooldown` lies between two messages to a customer. `footer` ends each: how to hear no more."""

    calls: Calls = field(default_factory=Calls)
    footer: Words = field(default_factory=lambda: Words("", ""))
    shares: Shares = Shares()
    risks: Risks = Risks()
    cooldown: timedelta = timedelta(days=30)
    quiet: QuietHours | None = None
    messages: tuple[CareMessage, ...] = field(default=())

    def message(self, key: str) -> CareMessage | None:
        return next((each for each in self.messages if each.key == key), None)
