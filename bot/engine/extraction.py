"""Fills slots from a message by their mappings: Rasa's `action_extract_slots`, which runs before anything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.engine.domain import REQUESTED_SLOT, Counting, Slot, SlotMapping
from bot.engine.message import UserMessage
from bot.engine.talk import TEXT_LIMIT, Talk

_ODD = {0: "\ufffd"} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


def extract(talk: Talk, message: UserMessage) -> Iterator[tuple[Slot, Any] | str]:
    """What the message gives: a slot and its value, or the name of a custom action to ask, each once. In the order of
    the domain."""
    asked: set[str] = set()
    for slot, mappings in _counting(talk, message.intent):
        for mapping in mappings:
            if mapping.kind == "custom":
                if mapping.action not in asked:
                    asked.add(str(mapping.action))
                    yield str(mapping.action)
                continue
            values = _values(talk, message, mapping)
            if not values:
                continue
            value = values if slot.type == "list" else values[-1]
            if slot.type == "text" and isinstance(value, bool | int | float):
                value = str(value)  # a button's payload may carry a number, where rules and actions expect words
            if value is not None or talk.slots[slot.name] is not None:
                yield slot, value
                break


def _counting(talk: Talk, intent: str) -> Counting:
    """The mappings that count here. They follow from few things, which come again and again."""
    loop = talk.loop
    at = (loop and loop.name, loop and loop.rejected, talk.slots[REQUESTED_SLOT], intent)
    known = talk.domain.counting.get(at)
    if known is None:
        found = (
            (slot, tuple(each for each in mappings if _counts(talk, intent, slot, each)))
            for slot, mappings in talk.domain.filled
        )
        known = talk.domain.counting[at] = tuple((slot, mappings) for slot, mappings in found if mappings)
    return known


def clean(text: str) -> str:
    """What a slot keeps of a person's words: short, and without what a store or another program would choke on."""
    return text[:TEXT_LIMIT].translate(_ODD)


def _counts(talk: Talk, intent: str, slot: Slot, mapping: SlotMapping) -> bool:
    return (
        (not mapping.conditions or mapping.kind == "from_trigger_intent" or _conditions_hold(talk, slot, mapping))
        and _intent_wanted(talk, intent, mapping)
        and not _meant_for_another(talk, slot, mapping)
    )


def _intent_wanted(talk: Talk, intent: str, mapping: SlotMapping) -> bool:
    if mapping.intents:
        return intent in mapping.intents
    if intent in mapping.not_intents:
        return False
    loop = talk.loop_name
    if loop is None:
        return True
    if mapping.conditions and all(each.active_loop != loop for each in mapping.conditions):
        return True
    return intent not in talk.domain.forms[loop].ignored


def _conditions_hold(talk: Talk, slot: Slot, mapping: SlotMapping) -> bool:
    requested = talk.slots[REQUESTED_SLOT]
    if talk.loop is not None and talk.loop.rejected and requested == slot.name:
        return False
    loop = talk.loop_name
    return any(
        each.active_loop == loop and (loop is None or each.requested_slot is None or each.requested_slot == requested)
        for each in mapping.conditions
    )


def _meant_for_another(talk: Talk, slot: Slot, mapping: SlotMapping) -> bool:
    """An entity that several slots of the active form take alike goes to the one that was asked for."""
    if mapping.kind != "from_entity" or talk.loop is None or talk.slots[REQUESTED_SLOT] == slot.name:
        return False
    form = talk.domain.forms[talk.loop.name]
    return slot.name in form.required and mapping in form.ambiguous


def _values(talk: Talk, message: UserMessage, mapping: SlotMapping) -> list[Any]:
    match mapping.kind:
        case "from_entity":
            return [
                _kept(each.get("value"))
                for each in message.entities
                if each.get("entity") == mapping.entity
                and each.get("role") == mapping.role
                and each.get("group") == mapping.group
            ]
        case "from_intent":
            return [mapping.value]
        case "from_trigger_intent":
            return [mapping.value] if _triggered(talk, mapping) else []
        case "from_text":
            return [clean(message.text)]
    return []


def _triggered(talk: Talk, mapping: SlotMapping) -> bool:
    """A form has just been activated (or is active), and the mapping is meant for it."""
    if talk.loop is None:
        return False
    return not mapping.conditions or any(each.active_loop == talk.loop.name for each in mapping.conditions)


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping | list):  # what a dictionary-minded extractor gives: kept as words
        return clean(str(value))
    return None
