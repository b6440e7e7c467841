"""The domain: what the bot can hear (intents, entities), remember (slots), ask for (forms), do and say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.engine.responses import Response

SlotType = Literal["text", "bool", "categorical", "float", "list", "any"]
MappingKind = Literal["from_entity", "from_intent", "from_trigger_intent", "from_text", "custom"]
Feature = tuple[float, ...]
"""What of a slot's value rules may look at: Rasa's featurization."""

LISTEN = "action_listen"
RESTART = "action_restart"
DEACTIVATE = "action_deactivate_loop"
FALLBACK = "action_default_fallback"
BUILT_IN = (LISTEN, RESTART, DEACTIVATE, FALLBACK)
"""Rasa's own actions that we have."""
UNSUPPORTED_ACTIONS = (
    "action_session_start",
    "action_back",
    "action_revert_fallback_events",
    "action_default_ask_affirmation",
    "action_default_ask_rephrase",
    "action_two_stage_fallback",
    "action_unlikely_intent",
    "action_validate_slot_mappings",
    "action_extract_slots",
)
NLU_FALLBACK = "nlu_fallback"
DEFAULT_INTENTS = ("restart", "out_of_scope", NLU_FALLBACK)
"""Known without being declared, as in Rasa."""
REQUESTED_SLOT = "requested_slot"
LANGUAGE = "language"
"""The slot that every response is conditional on."""
LANGUAGES = ("zh", "en")
OTHER_VALUE = "__other__"


@dataclass(frozen=True, slots=True)
class MappingCondition:
    """The mapping counts while `active_loop` is active (None: while none is) and, if named, asks for that slot."""

    active_loop: str | None
    requested_slot: str | None = None


@dataclass(frozen=True, slots=True)
class SlotMapping:
    """How a slot is filled from a message."""

    kind: MappingKind
    entity: str | None = None
    role: str | None = None
    group: str | None = None
    intents: frozenset[str] = frozenset()
    not_intents: frozenset[str] = frozenset()
    value: Any = None
    conditions: tuple[MappingCondition, ...] = ()
    action: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """`influences`: rules may look at it. `values` are those of a categorical one, in lower case."""

    name: str
    type: SlotType
    mappings: tuple[SlotMapping, ...] = ()
    initial: Any = None
    influences: bool = True
    values: tuple[str, ...] = ()
    minimum: float = 0.0
    maximum: float = 1.0
    features: Mapping[str, Feature] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """`features`: what rules see of each value of a categorical slot."""
        known = (*self.values, OTHER_VALUE)
        object.__setattr__(self, "features", {each: tuple(float(each == other) for other in known) for each in known})

    def feature(self, value: Any) -> Feature | None:
        """What rules see of `value`; None if they see nothing (unset, or the slot does not influence)."""
        if value is None or not self.influences:
            return None
        match self.type:
            case "text":
                return (1.0,)
            case "bool":
                truth = _truth(value)
                return None if truth is None else (1.0, float(truth))
            case "list":
                return (1.0,) if value else None
            case "float":
                return self._scaled(value)
            case "categorical":
                return self.features.get(str(value).lower(), self.features[OTHER_VALUE])
        return None

    def _scaled(self, value: Any) -> Feature | None:
        try:
            capped = max(self.minimum, min(self.maximum, float(value)))
        except (TypeError, ValueError):
            return None
        return (1.0, (capped - self.minimum) / (self.maximum - self.minimum))


def _truth(value: Any) -> bool | None:
    """As Rasa reads a truth value; None where it cannot."""
    if isinstance(value, bool | int | float):
        return bool(value == 1)
    if not isinstance(value, str):
        return None
    word = value.strip().lower()
    if word.isdecimal():
        return float(word) == 1.0
    return {"true": True, "false": False}.get(word)


Counting = tuple[tuple[Slot, tuple[SlotMapping, ...]], ...]
"""Slots with the mappings that may fill them."""


@dataclass(frozen=True, slots=True)
class Form:
    """`required` are asked for in order. `ambiguous` are the from_entity mappings that several of them share: such an
    entity fills only the slot that was asked for."""

    name: str
    required: tuple[str, ...]
    ignored: frozenset[str] = frozenset()
    ambiguous: frozenset[SlotMapping] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """`actions` are custom ones, each with the (file, line) that declares it. `session_minutes` 0: sessions never end.

    `as_rasa` is what custom actions receive as their `domain`.
    """

    intents: frozenset[str]
    entities: frozenset[str]
    slots: Mapping[str, Slot]
    forms: Mapping[str, Form]
    responses: Mapping[str, Response]
    actions: Mapping[str, tuple[str, int]]
    session_minutes: float = 60.0
    carry_over_slots: bool = True
    as_rasa: dict[str, Any] = field(default_factory=dict, compare=False)
    filled: Counting = field(init=False, compare=False)
    initial: Mapping[str, Any] = field(init=False, compare=False)
    counting: dict[tuple[Any, ...], Counting] = field(default_factory=dict, init=False, compare=False)
    """What extraction has worked out of `filled`: there are no more than forms, their slots and intents together."""

    def __post_init__(self) -> None:
        """`filled`: the slots that a message may fill, with the mappings that may do it. `initial`: how slots begin."""
        found = (
            (slot, tuple(each for each in slot.mappings if each.kind != "custom" or each.action is not None))
            for slot in self.slots.values()
        )
        object.__setattr__(self, "filled", tuple((slot, mappings) for slot, mappings in found if mappings))
        initial = {name: slot.initial for name, slot in self.slots.items()} | {REQUESTED_SLOT: None}
        object.__setattr__(self, "initial", initial)

    def initial_slots(self) -> dict[str, Any]:
        return dict(self.initial)

    def knows_action(self, name: str) -> bool:
        return name in self.actions or name in self.responses or name in self.forms or name in BUILT_IN


def shared_mappings(slots: Mapping[str, Slot], required: tuple[str, ...]) -> frozenset[SlotMapping]:
    """The from_entity mappings that stand alike under more than one of `required`."""
    seen: set[SlotMapping] = set()
    shared: set[SlotMapping] = set()
    for name in required:
        for mapping in slots[name].mappings if name in slots else ():
            if mapping.kind == "from_entity":
                (shared if mapping in seen else seen).add(mapping)
    return frozenset(shared)
