"""Responses: what the bot says, in variations by language, slot and channel, with `{slot}` filled in.

Selection is Rasa's: variations whose conditions hold and that are written for this channel; then unconditional ones
for this channel; then conditional ones for any channel; then the rest. Where Rasa draws lots among equals we go round
them by the turn, so that a turn stays a function of what goes in. An unset slot is filled in as nothing, where Rasa
writes "None".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from bot.engine.message import ButtonSpec
from bot.engine.message import Response as Said

_PARTS = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]")
_DOUBLE = re.compile(r"\[(?=\[)")
_FILLED_LATER = re.compile(r"\[\[(\w+)\]\]")
FILLED_LATER = ("case_number", "case_link")
"""What `[[...]]` in a text may name: known only once the case that the same turn opens is written."""
CHOICES_KEPT = 64
FILL_LIMIT = 2000
"""Characters of one filled-in value; the rest is cut."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{placeholders}`: literal parts at even places, names at odd ones. `{{` and `}}` stand for braces."""

    parts: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.parts[1::2]

    @property
    def filled_later(self) -> list[str]:
        return _FILLED_LATER.findall("".join(self.parts[::2]))

    def fill(self, value: Callable[[str], Any], *, in_json: bool = False) -> str:
        """`value` looks a placeholder up, raising LookupError where there is none. `in_json`: the values stand within
        JSON strings, and cannot break out of them."""
        if len(self.parts) == 1:
            return self.parts[0]
        done = self.parts[0]
        for place in range(1, len(self.parts), 2):
            words = _worded(value(self.parts[place]), in_json)
            if done.endswith("[") and words.startswith("["):
                done += " "
            done += words + self.parts[place + 1]
        return done


def template(text: str) -> Template:
    """Raises ValueError for a brace without its pair or a placeholder that is no name."""
    parts = [""]
    end = 0
    for found in _PARTS.finditer(text):
        parts[-1] += text[end : found.start()]
        end = found.end()
        if found[1]:
            parts += [found[1], ""]
        elif len(found[0]) == 2:
            parts[-1] += found[0][0]
        else:
            raise ValueError("a brace without its pair")
    parts[-1] += text[end:]
    return Template(tuple(parts))


@dataclass(frozen=True, slots=True)
class ButtonTemplate:
    title: Template
    payload: Template


@dataclass(frozen=True, slots=True)
class Variation:
    """One way to say it. `conditions` are slot values that must all hold; `channel` None is any."""

    text: Template
    buttons: tuple[ButtonTemplate, ...] = ()
    conditions: tuple[tuple[str, Any], ...] = ()
    channel: str | None = None

    def holds(self, slots: Mapping[str, Any]) -> bool:
        return all(_same(slots.get(name), value) for name, value in self.conditions)

    def templates(self) -> Iterable[Template]:
        yield self.text
        for button in self.buttons:
            yield button.title
            yield button.payload


@dataclass(frozen=True, slots=True)
class Response:
    """All variations of one `utter_...`. `file` and `line` are where it stands."""

    name: str
    variations: tuple[Variation, ...]
    file: str
    line: int
    looked_at: tuple[str, ...] = field(init=False, repr=False, compare=False)
    chosen: dict[tuple[Any, ...], list[Variation]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was found to be meant for a channel and the values of the slots looked at: the same few come again."""

    def __post_init__(self) -> None:
        """`looked_at`: the slots that conditions name."""
        names = {name for each in self.variations for name, _ in each.conditions}
        object.__setattr__(self, "looked_at", tuple(sorted(names)))

    @property
    def placeholders(self) -> set[str]:
        return {name for each in self.variations for made in each.templates() for name in made.names}

    def choose(self, slots: Mapping[str, Any], channel: str, turn: int) -> Variation | None:
        """None if no variation is meant for these slots and this channel."""
        best = self._meant(slots, channel)
        if len(best) < 2:
            return best[0] if best else None
        return best[(turn + crc32(self.name.encode())) % len(best)]

    def _meant(self, slots: Mapping[str, Any], channel: str) -> list[Variation]:
        seen = (channel, *[slots.get(name) for name in self.looked_at])
        try:
            known = self.chosen.get(seen)
        except TypeError:  # a slot that holds a list
            return self._best(slots, channel)
        if known is None:
            if len(self.chosen) >= CHOICES_KEPT:
                self.chosen.clear()
            known = self.chosen[seen] = self._best(slots, channel)
        return known

    def _best(self, slots: Mapping[str, Any], channel: str) -> list[Variation]:
        best: list[Variation] = []
        best_rank = 4
        for each in self.variations:
            if each.channel is not None and each.channel != channel:
                continue
            rank = (0 if each.conditions else 1) + (2 if each.channel is None else 0)
            if rank > best_rank or (each.conditions and not each.holds(slots)):
                continue
            if rank < best_rank:
                best, best_rank = [], rank
            best.append(each)
        return best

    def say(self, slots: Mapping[str, Any], channel: str, turn: int, extra: Mapping[str, Any]) -> Said | None:
        """The message, filled from `extra` and then `slots`. None if nothing fits; LookupError names a placeholder
        that neither has."""
        chosen = self.choose(slots, channel, turn)
        if chosen is None:
            return None

        def value(name: str) -> Any:
            return extra[name] if name in extra else slots[name]

        buttons = tuple(
            ButtonSpec(button.title.fill(value), button.payload.fill(value, in_json=True)) for button in chosen.buttons
        )
        return Said(chosen.text.fill(value), buttons, self.name)


def _same(have: Any, want: Any) -> bool:
    if isinstance(have, str) and isinstance(want, str):
        return have.casefold() == want.casefold()
    return bool(have == want)


def _worded(value: Any, in_json: bool) -> str:
    text = "" if value is None else str(value)[:FILL_LIMIT]
    if in_json:
        return json.dumps(text, ensure_ascii=False)[1:-1]
    # What a person wrote must not pass for a place that we fill later.
    return _DOUBLE.sub("[ ", text)
