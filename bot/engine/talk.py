"""A conversation as the engine knows it: slots, the active form, and the states that rules look back at.

Rasa keeps every event and works the rest out; we keep what it would work out. A form that goes on happily leaves no
trace of the messages between its questions: rules see the conversation as it was when the form first ran (Rasa undoes
those turns in `applied_events`). `Loop.trail` is that memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.engine.domain import LISTEN, REQUESTED_SLOT, Domain
from bot.engine.policy import State

VERSION = 1
TEXT_LIMIT = 1000
"""Characters that a slot keeps of what a person wrote."""
VALUE_LIMIT = 4000
"""Characters of JSON that a slot's value may take."""


@dataclass(slots=True)
class Loop:
    """The active form. `rejected`: it did not take the last message. `detour`: something else was done since it ran.
    `trail` and `intent` are the states and the intent as of when it ran."""

    name: str
    rejected: bool = False
    interrupted: bool = False
    detour: bool = False
    trail: list[State] | None = None
    intent: str | None = None


@dataclass(slots=True)
class Talk:
    """One conversation during one turn."""

    domain: Domain
    slots: dict[str, Any]
    loop: Loop | None = None
    latest_action: str | None = None
    heard_at: datetime | None = None
    turn: int = 0
    previous: str | None = None
    intent: str | None = None
    trail: list[State] = field(default_factory=list)
    set_this_turn: list[tuple[str, Any]] = field(default_factory=list)

    # ---- in and out ----

    @classmethod
    def load(cls, domain: Domain, stored: Mapping[str, Any] | None) -> Talk:
        """A conversation from its JSON, or a new one. What the domain no longer knows is left out; JSON of another
        version begins anew."""
        talk = cls(domain, domain.initial_slots())
        if not stored or stored.get("version") != VERSION:
            return talk
        talk.slots |= {name: value for name, value in stored["slots"].items() if name in talk.slots}
        loop = stored["active_loop"]
        if loop is not None and loop["name"] in domain.forms:
            trail = loop["trail"]
            talk.loop = Loop(
                loop["name"],
                rejected=loop["rejected"],
                detour=loop["detour"],
                trail=None if trail is None else [State.from_json(each) for each in trail],
                intent=loop["intent"],
            )
            talk.slots[REQUESTED_SLOT] = stored["requested_slot"]
        talk.latest_action = stored["latest_action"]
        talk.heard_at = None if stored["heard_at"] is None else datetime.fromisoformat(stored["heard_at"])
        talk.turn = stored["turn"]
        return talk

    def dump(self) -> dict[str, Any]:
        """The conversation as JSON: slots that differ from how they begin, and no more than one turn of states."""
        loop, slots = self.loop, self.slots
        return {
            "version": VERSION,
            "slots": {
                name: slots[name]
                for name, initial in self.domain.initial.items()
                if slots[name] is not initial
                and (slots[name] != initial or type(slots[name]) is not type(initial))
                and name != REQUESTED_SLOT
            },
            "active_loop": None
            if loop is None
            else {
                "name": loop.name,
                "rejected": loop.rejected,
                "detour": loop.detour,
                "trail": None if loop.trail is None else [state.as_json() for state in loop.trail],
                "intent": loop.intent,
            },
            "requested_slot": self.slots[REQUESTED_SLOT] if loop else None,
            "latest_action": self.latest_action,
            "heard_at": None if self.heard_at is None else self.heard_at.isoformat(),
            "turn": self.turn,
        }

    def copy(self) -> Talk:
        """A conversation to try things on: its slots and form are its own."""
        loop = self.loop
        return Talk(
            self.domain,
            dict(self.slots),
            None
            if loop is None
            else Loop(loop.name, loop.rejected, loop.interrupted, loop.detour, loop.trail, loop.intent),
            self.latest_action,
            self.heard_at,
            self.turn,
            self.previous,
            self.intent,
            self.trail,
            list(self.set_this_turn),
        )

    # ---- a turn ----

    def hear(self, intent: str, now: datetime | None) -> None:
        """A message begins a turn, and a session if the last one is over."""
        if self.latest_action is None or self._expired(now):
            self._new_session()
            self.trail = [State(None, None, None)]
        else:
            self.trail = []
        self.turn = (self.turn + 1) % 1_000_000
        self.heard_at = now or self.heard_at
        self.previous = LISTEN
        self.intent = intent
        self.set_this_turn = []

    def _expired(self, now: datetime | None) -> bool:
        minutes = self.domain.session_minutes
        return bool(minutes and now and self.heard_at and now - self.heard_at > timedelta(minutes=minutes))

    def _new_session(self) -> None:
        kept = self.slots if self.domain.carry_over_slots else {}
        self.slots = self.domain.initial_slots() | kept | {REQUESTED_SLOT: None}
        self.loop = None

    def restart(self) -> None:
        self.slots = self.domain.initial_slots()
        self.loop = None
        self.latest_action = None

    @property
    def loop_name(self) -> str | None:
        return self.loop.name if self.loop else None

    def states(self, watched: frozenset[str]) -> list[State]:
        """What rules look at: the states so far, and now. `watched` are the slots that some rule names."""
        features = {
            name: feature
            for name in watched
            if (value := self.slots[name]) is not None
            and (feature := self.domain.slots[name].feature(value)) is not None
        }
        return [*self.trail, State(self.previous, self.intent, self.loop_name, features)]

    def acted(self, action: str, states: list[State]) -> None:
        """`action` ran, predicted from `states`. To be said before what it left behind is applied."""
        loop = self.loop
        if loop is not None and action == loop.name and loop.trail is not None and not loop.detour:
            self.trail, self.intent = list(loop.trail), loop.intent  # a happy form: its turns are as one
        else:
            self.trail = states
        self.previous = self.latest_action = action
        if loop is not None:
            loop.interrupted = False
            if action == loop.name:
                loop.rejected = loop.detour = False
                loop.trail, loop.intent = list(self.trail), self.intent
            else:
                loop.detour = loop.detour or self._first_after_message()

    def _first_after_message(self) -> bool:
        return bool(self.trail) and self.trail[-1].previous == LISTEN

    def reject(self) -> None:
        if self.loop is not None:
            self.loop.rejected = self.loop.detour = True

    def activate(self, loop: str | None) -> None:
        """`loop` becomes the active form; None: no form is active any more."""
        if loop is None:
            self.loop = None
            return
        before = self.loop
        self.loop = Loop(loop)
        if before is not None and before.name == loop:
            self.loop.trail, self.loop.intent, self.loop.detour = before.trail, before.intent, before.detour
        elif self.previous == loop:
            self.loop.trail, self.loop.intent = list(self.trail), self.intent

    def set(self, name: str, value: Any) -> None:
        slot = self.domain.slots.get(name)
        if slot is not None and slot.type == "list" and value and not isinstance(value, list):
            value = [value]
        self.slots[name] = value
        if slot is not None:
            self.set_this_turn.append((name, value))
