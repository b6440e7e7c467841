"""Which action follows: Rasa's RulePolicy, without its learning.

A rule becomes a row of states, one before each of its actions. It applies where the conversation's last states agree
with all of them: each names the action before, and where the rule says so the intent, the form and slots. Of several
rules the most particular wins (Rasa: the longest key as JSON); among equals the one that stands first in the files,
where Rasa leaves it to chance.

A form has precedence: while it is active and has not rejected the message, it is what follows. Rules come in when it
rejected, and a rule that says nothing of the form hands back to it. A rule conditioned on the form that goes back to it
right after the message asks it to repeat its question; one that ends elsewhere leaves the form waiting.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.engine.domain import LISTEN, RESTART, Feature
from bot.engine.rules import Do, LoopIs, Rule, SlotIs

UNSET = "should_not_be_set"
_DEFAULTS = {"restart": RESTART}


@dataclass(frozen=True, slots=True)
class State:
    """Where a conversation stood before one of its actions. `previous` None: before its first. `features` are those of
    slots that are set."""

    previous: str | None
    intent: str | None
    loop: str | None
    features: Mapping[str, Feature] = field(default_factory=dict)

    def as_json(self) -> list[Any]:
        return [self.previous, self.intent, self.loop, {name: list(found) for name, found in self.features.items()}]

    @classmethod
    def from_json(cls, stored: Sequence[Any]) -> State:
        previous, intent, loop, features = stored
        return cls(previous, intent, loop, {name: tuple(found) for name, found in features.items()})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a rule asks of one state. None asks nothing; `loop` UNSET asks that no form be active, a slot's None that it
    be not set. `previous` None is a session's start."""

    previous: str | None
    intent: str | None = None
    loop: str | None = None
    slots: tuple[tuple[str, Feature | None], ...] = ()

    def agrees(self, state: State) -> bool:
        if self.previous is None or state.previous is None:
            return self.previous is None and state.previous is None
        if self.previous != state.previous or (self.intent is not None and self.intent != state.intent):
            return False
        if self.loop is not None and (state.loop is not None if self.loop == UNSET else state.loop != self.loop):
            return False
        return not self.slots or all(state.features.get(name) == feature for name, feature in self.slots)

    def as_rasa(self) -> dict[str, Any]:
        """As Rasa writes it into a rule's key."""
        found: dict[str, Any] = {}
        if self.intent is not None:
            found["user"] = {"intent": self.intent}
        if self.slots:
            found["slots"] = {name: UNSET if f is None else list(f) for name, f in self.slots}
        if self.previous is not None:
            found["prev_action"] = {"action_name": self.previous}
        if self.loop is not None:
            found["active_loop"] = {"name": self.loop}
        return found


@dataclass(frozen=True, slots=True)
class Key:
    """A rule up to one of its actions. `states` has the latest first."""

    states: tuple[Wanted, ...]
    action: str
    rule: Rule
    weight: int

    def agrees(self, states: Sequence[State]) -> bool:
        """`states` are the conversation's, oldest first, beginning at a message or a start."""
        if len(self.states) > len(states):
            return False
        return all(wanted.agrees(state) for wanted, state in zip(self.states, reversed(states), strict=False))


@dataclass(frozen=True, slots=True)
class Prediction:
    """`interrupted`: the form comes back after something else and shall not take the message for its answer."""

    action: str | None
    interrupted: bool = False
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A rule for one intent, laid out: the states before each of its actions, and the actions, the last a listen or,
    where the rule does not wait, None. `first` is the first of them that the rule itself decides."""

    rule: Rule
    states: tuple[Wanted, ...]
    actions: tuple[str | None, ...]
    first: int


class Policy:
    """Immutable after construction."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rows = tuple(row for rule in rules for row in rows_of(rule))
        self._keys: dict[tuple[str | None, str | None], list[Key]] = {}
        self._interrupting: list[Key] = []
        self._leaving: list[Key] = []
        seen: set[tuple[Wanted, ...]] = set()
        for row in self.rows:
            for place in range(len(row.actions)):
                self._learn(row, place, seen)
        for keys in self._keys.values():
            keys.sort(key=lambda key: -key.weight)  # stable: equals stay as they stand in the files
        self.slots = frozenset(name for row in self.rows for state in row.states for name, _ in state.slots)

    def _learn(self, row: Row, place: int, seen: set[tuple[Wanted, ...]]) -> None:
        action = row.actions[place]
        now = row.states[place]
        if place < row.first:
            return
        states = tuple(reversed(row.states[: place + 1]))
        if action is not None and states not in seen:
            seen.add(states)
            key = Key(states, action, row.rule, _weight(states))
            self._keys.setdefault((now.previous, now.intent), []).append(key)
        if now.loop is None or now.loop == UNSET:
            return
        nearest = (now, Wanted(states[1].previous)) if len(states) > 1 and states[1].previous else (now,)
        if now.previous == LISTEN and action == now.loop:
            self._interrupting.append(Key(nearest, now.loop, row.rule, 0))
        elif now.previous != LISTEN and action != now.loop:
            self._leaving.append(Key(nearest, action or LISTEN, row.rule, 0))

    def predict(self, states: Sequence[State], *, rejected: bool) -> Prediction:
        """The action that follows `states` (oldest first, the last is now). `rejected`: the active form did not take
        the message. A prediction without an action is Rasa's core fallback."""
        now = states[-1]
        if now.previous == LISTEN and now.intent in _DEFAULTS:
            return Prediction(_DEFAULTS[now.intent])
        if now.loop is not None and not rejected:
            return Prediction(LISTEN if now.previous == now.loop else now.loop)
        key = self._best(states)
        if now.loop is None:
            return Prediction(None if key is None else key.action, key=key)
        action = None if key is None else key.action
        if key is not None and action == LISTEN and key.states[0].loop in (None, UNSET):
            if not any(each.agrees(states) for each in self._leaving):
                return Prediction(now.loop, key=key)
            action = None
        return Prediction(action, any(each.agrees(states) for each in self._interrupting), key)

    def _best(self, states: Sequence[State]) -> Key | None:
        now = states[-1]
        best: Key | None = None
        for intent in (now.intent, None) if now.intent is not None else (None,):
            for key in self._keys.get((now.previous, intent), ()):
                if best is not None and key.weight <= best.weight:
                    break
                if key.agrees(states):
                    best = key
                    break
        return best


def rows_of(rule: Rule) -> list[Row]:
    """One row for each intent of the rule; one for a rule that begins with an action."""
    return [_row(rule, intent) for intent in rule.intents or (None,)]


def _row(rule: Rule, intent: str | None) -> Row:
    loop: str | None = None
    slots: dict[str, Feature | None] = {}

    def state(previous: str | None, heard: str | None) -> Wanted:
        return Wanted(previous, heard, loop, tuple(sorted(slots.items())))

    def become(event: SlotIs | LoopIs) -> None:
        nonlocal loop
        if isinstance(event, SlotIs):
            slots[event.slot] = event.feature
        else:
            loop = UNSET if event.loop is None else event.loop

    for condition in rule.before:
        become(condition)
    states: list[Wanted] = []
    actions: list[str | None] = []
    first = 0
    if intent is not None:
        if rule.at_start:
            states.append(state(None, None))
            actions.append(LISTEN)
            first = 1
        states.append(state(LISTEN, intent))
    previous: str | None = None
    for event in rule.events:
        if not isinstance(event, Do):
            become(event)
            continue
        if previous is not None:
            states.append(state(previous, intent))
        if previous is not None or intent is not None:
            actions.append(event.action)
        previous = event.action
    if previous is not None:
        states.append(state(previous, intent))
        actions.append(LISTEN if rule.waits else None)
    return Row(rule, tuple(states), tuple(actions), first)


def _weight(states: Sequence[Wanted]) -> int:
    return len(json.dumps([each.as_rasa() for each in reversed(states)], sort_keys=True))
