"""Reads `domain.yml`: everything it declares, checked against itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from bot.engine.domain import (
    BUILT_IN,
    DEFAULT_INTENTS,
    LANGUAGE,
    LANGUAGES,
    REQUESTED_SLOT,
    UNSUPPORTED_ACTIONS,
    Domain,
    Form,
    MappingCondition,
    MappingKind,
    Slot,
    SlotMapping,
    SlotType,
    shared_mappings,
)
from bot.engine.response_reading import read_responses
from bot.engine.source import Node, Report, plain

VERSION = "3.1"
_KEYS = ("intents", "entities", "slots", "forms", "responses", "actions", "session_config", "config")
_UNSUPPORTED = {
    "e2e_actions": "Write responses and rules instead of end-to-end actions",
    "imports": "Put everything into domain.yml",
}
_SLOT_KEYS = ("initial_value", "influence_conversation", "values", "min_value", "max_value")
_MAPPING_KEYS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "from_entity": (("entity",), ("role", "group", "intent", "not_intent", "conditions")),
    "from_intent": (("value",), ("intent", "not_intent", "conditions")),
    "from_trigger_intent": (("value",), ("intent", "not_intent", "conditions")),
    "from_text": ((), ("intent", "not_intent", "conditions")),
    "custom": ((), ("action", "conditions")),
}


def check_version(report: Report, top: Mapping[str, Node]) -> None:
    """`version: "3.1"`, as a text: that of the format, which Rasa asks of every file."""
    node = top.get("version")
    if node is not None and node.value != VERSION:
        report.add(node, f"the format's version is {node.value!r}", f'Write `version: "{VERSION}"`, with the quotes')


def read_domain(report: Report, root: Node) -> Domain:
    """What stands in `root`. Whatever is wrong is in `report`, and left out here."""
    top = report.mapping(root, "the domain", needs=("version",), may=_KEYS, unsupported=_UNSUPPORTED)
    check_version(report, top)
    return _Reader(report, top).domain(root)


class _Reader:
    def __init__(self, report: Report, top: Mapping[str, Node]) -> None:
        self._report = report
        self._top = top
        self._intents: dict[str, Node] = {}
        self._entities: set[str] = set()
        self._actions: dict[str, tuple[str, int]] = {}
        self._slots: dict[str, Slot] = {}
        self._forms: dict[str, Form] = {}
        self._requested: list[tuple[str, Node]] = []  # named by conditions, checked once every slot is known

    def domain(self, root: Node) -> Domain:
        self._read_intents()
        self._read_entities()
        self._read_actions()
        form_nodes = self._section("forms")
        for name, node in self._section("slots").items():
            self._read_slot(name, node, form_nodes)
        for name, node in form_nodes.items():
            self._read_form(name, node)
        for slot, node in self._requested:
            if node.value not in self._slots:
                self._report.add(
                    node, f"a mapping of the slot `{slot}` names the unknown slot `{node.value}`", "Correct its name"
                )
        minutes, carry_over = self._session()
        responses = read_responses(
            self._report, self._section("responses"), {*self._intents, *DEFAULT_INTENTS}, self._entities, self._slots
        )
        if LANGUAGE not in self._slots:
            node = self._top.get("slots", root)
            self._report.add(node, f"there is no slot `{LANGUAGE}`", f"Add it, categorical, values {list(LANGUAGES)}")
        return Domain(
            intents=frozenset(self._intents) | frozenset(DEFAULT_INTENTS),
            entities=frozenset(self._entities),
            slots=self._slots,
            forms=self._forms,
            responses=responses,
            actions=self._actions,
            session_minutes=minutes,
            carry_over_slots=carry_over,
            as_rasa=_as_rasa(root),
        )

    def _section(self, key: str) -> Mapping[str, Node]:
        node = self._top.get(key)
        return {} if node is None else self._report.mapping(node, f"`{key}`")

    def _list(self, key: str) -> tuple[Node, ...]:
        node = self._top.get(key)
        return () if node is None else self._report.items(node, f"`{key}`")

    # ---- intents, entities, actions ----

    def _read_intents(self) -> None:
        for node in self._list("intents"):
            name_node = _single_key(node)
            name = self._report.name(name_node, "an intent")
            if name is None:
                continue
            if name in self._intents:
                self._report.add(node, f"the intent `{name}` is listed twice", "Keep one of the two")
            elif name in ("back", "restart", "session_start"):
                self._report.add(node, f"the intent `{name}` is Rasa's own", "Choose another name")
            else:
                self._intents[name] = node

    def _read_entities(self) -> None:
        for node in self._list("entities"):
            name = self._report.name(_single_key(node), "an entity")
            if name in self._entities:
                self._report.add(node, f"the entity `{name}` is listed twice", "Keep one of the two")
            elif name is not None:
                self._entities.add(name)

    def _read_actions(self) -> None:
        for node in self._list("actions"):
            name = self._report.name(node, "an action")
            if name is None:
                continue
            if name in self._actions:
                self._report.add(node, f"the action `{name}` is listed twice", "Keep one of the two")
            elif name.startswith("utter_"):
                self._report.add(node, f"the action `{name}` is a response", "List it under `responses` alone")
            elif name in BUILT_IN or name in UNSUPPORTED_ACTIONS:
                self._report.add(node, f"the action `{name}` is one of Rasa's own", "Give yours another name")
            else:
                self._actions[name] = (node.file, node.line)

    # ---- slots ----

    def _read_slot(self, name: str, node: Node, forms: Mapping[str, Node]) -> None:
        what = f"the slot `{name}`"
        if name == REQUESTED_SLOT:
            self._report.add(node, f"{what} is Rasa's own", "Leave it out: every form has it")
            return
        parts = self._report.mapping(node, what, needs=("type", "mappings"), may=_SLOT_KEYS)
        kind = parts["type"].value if "type" in parts else "any"
        if kind not in get_args(SlotType):
            self._report.add(
                parts["type"], f"{what} has the type `{kind}`", f"Choose of {', '.join(get_args(SlotType))}"
            )
            kind = "any"
        slot_type: SlotType = kind  # type: ignore[assignment] # it is one of them
        mappings = self._report.items(parts["mappings"], f"the mappings of {what}") if "mappings" in parts else ()
        influences = slot_type != "any"
        if "influence_conversation" in parts:
            influences = bool(self._report.truth(parts["influence_conversation"], "`influence_conversation`"))
            if influences and slot_type == "any":
                self._report.add(
                    parts["influence_conversation"], f"{what} is of type any and cannot influence", "Write `false`"
                )
        values = self._categories(what, slot_type, node, parts)
        minimum, maximum = self._range(what, slot_type, parts)
        initial = plain(parts["initial_value"]) if "initial_value" in parts else None
        slot = Slot(
            name=name,
            type=slot_type,
            mappings=tuple(made for each in mappings if (made := self._mapping(name, each, forms)) is not None),
            initial=initial,
            influences=influences,
            values=values,
            minimum=minimum,
            maximum=maximum,
        )
        if initial is not None and not fits(slot, initial):
            self._report.add(parts["initial_value"], f"{what} begins as {initial!r}", f"Write a value of {slot.type}")
        self._slots[name] = slot

    def _categories(self, what: str, kind: str, node: Node, parts: Mapping[str, Node]) -> tuple[str, ...]:
        if kind != "categorical":
            if "values" in parts:
                self._report.add(parts["values"], f"{what} has `values` but is not categorical", "Leave them out")
            return ()
        if "values" not in parts:
            self._report.add(node, f"{what} lacks `values`", "List the values that it may have")
            return ()
        found: list[str] = []
        for each in self._report.items(parts["values"], f"the values of {what}"):
            if each.value is None or isinstance(each.value, tuple | Mapping):
                self._report.add(
                    each, f"a value of {what} is empty or not a word", "Write a word, in quotes if need be"
                )
            else:
                found.append(str(each.value).lower())
        return tuple(found)

    def _range(self, what: str, kind: str, parts: Mapping[str, Node]) -> tuple[float, float]:
        bounds = {"min_value": 0.0, "max_value": 1.0}
        for key in bounds:
            if key in parts:
                if kind != "float":
                    self._report.add(parts[key], f"{what} has `{key}` but is not a float", "Leave it out")
                elif (number := self._report.number(parts[key], f"`{key}`")) is not None:
                    bounds[key] = number
        low, high = bounds["min_value"], bounds["max_value"]
        if low >= high:
            node = parts.get("min_value") or parts["max_value"]
            self._report.add(node, f"{what} has a range that ends before it begins", "Write min_value below max_value")
            return 0.0, 1.0
        return low, high

    def _mapping(self, slot: str, node: Node, forms: Mapping[str, Node]) -> SlotMapping | None:
        what = f"a mapping of the slot `{slot}`"
        parts = self._report.mapping(node, what, needs=("type",))
        kind = parts["type"].value if "type" in parts else None
        if kind not in _MAPPING_KEYS:
            if "type" in parts:
                self._report.add(
                    parts["type"], f"{what} has the type `{kind}`", f"Choose of {', '.join(get_args(MappingKind))}"
                )
            return None
        needs, may = _MAPPING_KEYS[str(kind)]
        self._report.mapping(node, what, needs=("type", *needs), may=may)
        entity = self._known(parts, "entity", self._entities, f"{what} takes the entity")
        action = self._known(parts, "action", self._actions, f"{what} asks the action")
        return SlotMapping(
            kind=kind,  # type: ignore[arg-type] # it is one of them
            entity=entity,
            role=self._optional(parts, "role"),
            group=self._optional(parts, "group"),
            intents=self._intents_of(parts, "intent", what),
            not_intents=self._intents_of(parts, "not_intent", what),
            value=plain(parts["value"]) if "value" in parts else None,
            conditions=tuple(self._conditions(parts, slot, forms)),
            action=action,
        )

    def _known(self, parts: Mapping[str, Node], key: str, known: Any, what: str) -> str | None:
        if key not in parts:
            return None
        found = self._report.text(parts[key], f"`{key}`")
        if found is not None and found not in known:
            listing = {"entity": "entities", "action": "actions"}[key]
            self._report.add(parts[key], f"{what} `{found}`, which is unknown", f"Add it to `{listing}`, or correct it")
        return found

    def _optional(self, parts: Mapping[str, Node], key: str) -> str | None:
        return self._report.text(parts[key], f"`{key}`") if key in parts else None

    def _intents_of(self, parts: Mapping[str, Node], key: str, what: str) -> frozenset[str]:
        if key not in parts:
            return frozenset()
        names = self._report.names(parts[key], f"`{key}` of {what}")
        for name in names:
            if name not in self._intents and name not in DEFAULT_INTENTS:
                self._report.add(
                    parts[key], f"{what} names the unknown intent `{name}`", "Add it to `intents`, or correct it"
                )
        return frozenset(names)

    def _conditions(self, parts: Mapping[str, Node], slot: str, forms: Mapping[str, Node]) -> list[MappingCondition]:
        what = f"a mapping of the slot `{slot}`"
        made: list[MappingCondition] = []
        if "conditions" not in parts:
            return made
        for node in self._report.items(parts["conditions"], f"the conditions of {what}"):
            entry = self._report.mapping(node, "a condition", needs=("active_loop",), may=("requested_slot",))
            if "active_loop" not in entry:
                continue
            loop = entry["active_loop"].value
            if loop is not None and loop not in forms:
                self._report.add(
                    entry["active_loop"], f"{what} names the unknown form `{loop}`", "Add it to `forms`, or correct it"
                )
            wanted = self._optional(entry, "requested_slot")
            if wanted is not None:
                self._requested.append((slot, entry["requested_slot"]))
            made.append(MappingCondition(None if loop is None else str(loop), wanted))
        return made

    # ---- forms, session ----

    def _read_form(self, name: str, node: Node) -> None:
        what = f"the form `{name}`"
        parts = self._report.mapping(node, what, needs=("required_slots",), may=("ignored_intents",))
        required: list[str] = []
        if "required_slots" in parts:
            for each in self._report.items(parts["required_slots"], f"the required slots of {what}"):
                slot = self._report.text(each, f"a required slot of {what}")
                if slot is not None and slot not in self._slots:
                    self._report.add(each, f"{what} requires the unknown slot `{slot}`", "Add it to `slots`")
                elif slot is not None:
                    required.append(slot)
        if name in self._actions or name in BUILT_IN or name.startswith("utter_"):
            self._report.add(node, f"{what} has the name of an action", "Give the form another name")
        self._forms[name] = Form(
            name,
            tuple(required),
            self._intents_of(parts, "ignored_intents", what),
            shared_mappings(self._slots, tuple(required)),
        )

    def _session(self) -> tuple[float, bool]:
        minutes, carry_over = 60.0, True
        keys = ("session_expiration_time", "carry_over_slots_to_new_session")
        if "session_config" in self._top:
            parts = self._report.mapping(self._top["session_config"], "`session_config`", may=keys)
            if keys[0] in parts:
                found = self._report.number(parts[keys[0]], f"`{keys[0]}`")
                minutes = minutes if found is None else max(0.0, found)
            if keys[1] in parts:
                carry_over = bool(self._report.truth(parts[keys[1]], f"`{keys[1]}`"))
        if "config" in self._top:
            parts = self._report.mapping(self._top["config"], "`config`", may=("store_entities_as_slots",))
            if "store_entities_as_slots" in parts and parts["store_entities_as_slots"].value is not True:
                self._report.add(parts["store_entities_as_slots"], "entities would not fill slots", "Leave this out")
        return minutes, carry_over


def fits(slot: Slot, value: Any) -> bool:
    """Whether `value` may stand in `slot`. None always may."""
    if value is None:
        return True
    match slot.type:
        case "text":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "list":
            return isinstance(value, list)
        case "categorical":
            return isinstance(value, str | int | float | bool) and str(value).lower() in slot.values
    return True


def _single_key(node: Node) -> Node:
    """`name`, or `name: {...}` whose settings matter to learned policies alone."""
    if isinstance(node.value, Mapping) and len(node.value) == 1:
        name, settings = next(iter(node.value.items()))
        return Node(node.file, settings.line, name)
    return node


def _as_rasa(root: Node) -> dict[str, Any]:
    found = plain(root) if isinstance(root.value, Mapping) else {}
    for key in ("intents", "entities", "actions"):
        found.setdefault(key, [])
    for key in ("slots", "responses", "forms"):
        found.setdefault(key, {})
    return dict(found)
