"""Rules: what follows what. Reads the `rules` of `data/**/*.yml`.

A rule may hold conditions (`slot_was_set`, `active_loop`), one user message (`intent`, or an `or` of intents) as its
first step, then actions with what they leave behind. `conversation_start` ties it to a session's first message;
`wait_for_user_input: false` lets another rule go on where it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.engine.domain import LISTEN, REQUESTED_SLOT, UNSUPPORTED_ACTIONS, Domain, Feature
from bot.engine.domain_reading import fits
from bot.engine.source import Node, Report


@dataclass(frozen=True, slots=True)
class SlotIs:
    """The slot shows rules this feature; None: it is not set."""

    slot: str
    feature: Feature | None


@dataclass(frozen=True, slots=True)
class LoopIs:
    """This form is active; None: none is."""

    loop: str | None


@dataclass(frozen=True, slots=True)
class Do:
    action: str
    line: int


RuleEvent = SlotIs | LoopIs | Do


@dataclass(frozen=True, slots=True)
class Rule:
    """`intents` is empty where the rule begins with an action. `before` holds what must be so when it begins, `events`
    its actions and what they leave behind."""

    name: str
    file: str
    line: int
    intents: tuple[str, ...]
    before: tuple[SlotIs | LoopIs, ...]
    events: tuple[RuleEvent, ...]
    at_start: bool = False
    waits: bool = True


_KEYS = ("condition", "conversation_start", "wait_for_user_input")
_NO_STORIES = "Write it as rules, which say the same whatever was said before"
_STEP_UNSUPPORTED = {
    "checkpoint": _NO_STORIES,
    "user": "Name the intent instead of an example (`- intent: ...`)",
    "bot": "Name a response instead of its words (`- action: utter_...`)",
    "entities": "Map the entity to a slot and use `slot_was_set`",
    "story": _NO_STORIES,
}


def read_rules(report: Report, root: Node, domain: Domain) -> list[Rule]:
    """The rules in `root`, a list. Whatever is wrong is in `report`, and left out here."""
    reader = _Reader(report, domain)
    return [made for node in report.items(root, "`rules`") if (made := reader.rule(node)) is not None]


class _Reader:
    def __init__(self, report: Report, domain: Domain) -> None:
        self._report = report
        self._domain = domain

    def rule(self, node: Node) -> Rule | None:
        parts = self._report.mapping(
            node, "a rule", needs=("rule", "steps"), may=_KEYS, unsupported={"story": _NO_STORIES}
        )
        name = self._report.text(parts["rule"], "the name of a rule") if "rule" in parts else None
        if name is None or "steps" not in parts:
            return None
        what = f"the rule `{name}`"
        before = self._conditions(parts, what)
        steps = self._report.items(parts["steps"], f"the steps of {what}")
        if isinstance(parts["steps"].value, tuple) and not steps:
            self._report.add(parts["steps"], f"{what} has no steps", "Give it at least one action")
        intents, more, events = self._steps(steps, what)
        if steps and not any(isinstance(step.value, Mapping) and "action" in step.value for step in steps):
            self._report.add(node, f"{what} does nothing", "Add a step `- action: ...`")
        at_start = self._flag(parts, "conversation_start", default=False)
        if at_start and not intents:
            self._report.add(node, f"{what} is for a start but hears nothing", "Begin its steps with an `intent`")
        return Rule(
            name=name,
            file=node.file,
            line=node.line,
            intents=intents,
            before=(*before, *more),
            events=events,
            at_start=at_start,
            waits=self._flag(parts, "wait_for_user_input", default=True),
        )

    def _flag(self, parts: Mapping[str, Node], key: str, *, default: bool) -> bool:
        if key not in parts:
            return default
        found = self._report.truth(parts[key], f"`{key}`")
        return default if found is None else found

    def _conditions(self, parts: Mapping[str, Node], what: str) -> list[SlotIs | LoopIs]:
        made: list[SlotIs | LoopIs] = []
        if "condition" in parts:
            for node in self._report.items(parts["condition"], f"the condition of {what}"):
                entry = self._report.mapping(
                    node, f"a condition of {what}", may=("slot_was_set", "active_loop"), unsupported=_STEP_UNSUPPORTED
                )
                made += self._state(entry, what)
        return made

    def _steps(
        self, steps: tuple[Node, ...], what: str
    ) -> tuple[tuple[str, ...], list[SlotIs | LoopIs], tuple[RuleEvent, ...]]:
        intents: tuple[str, ...] = ()
        before: list[SlotIs | LoopIs] = []
        events: list[RuleEvent] = []
        for node in steps:
            entry = self._report.mapping(
                node,
                f"a step of {what}",
                may=("intent", "or", "action", "slot_was_set", "active_loop"),
                unsupported=_STEP_UNSUPPORTED,
            )
            if "intent" in entry or "or" in entry:
                if intents or events:
                    self._report.add(
                        node, f"{what} has a user message after its first step", "Split it: one rule for each message"
                    )
                    continue
                intents = self._heard(entry, what)
            elif "action" in entry:
                action = self._action(entry["action"], what)
                if action is not None:
                    events.append(Do(action, entry["action"].line))
            else:
                (events if events else before).extend(self._state(entry, what))
        return intents, before, tuple(events)

    def _heard(self, entry: Mapping[str, Node], what: str) -> tuple[str, ...]:
        if "intent" in entry:
            found = self._intent(entry["intent"], what)
            return () if found is None else (found,)
        heard: list[str] = []
        for node in self._report.items(entry["or"], f"an `or` of {what}"):
            each = self._report.mapping(node, f"an `or` of {what}", needs=("intent",), may=())
            if "intent" in each and (found := self._intent(each["intent"], what)) is not None:
                heard.append(found)
        return tuple(dict.fromkeys(heard))

    def _intent(self, node: Node, what: str) -> str | None:
        name = self._report.text(node, f"an intent of {what}")
        if name is not None and name not in self._domain.intents:
            self._report.add(
                node, f"{what} names the unknown intent `{name}`", "Add it to `intents` of domain.yml, or correct it"
            )
        return name

    def _action(self, node: Node, what: str) -> str | None:
        name = self._report.text(node, f"an action of {what}")
        if name is None:
            return None
        if name == LISTEN:
            self._report.add(node, f"{what} names `{LISTEN}`", "Leave it out: a rule ends by listening")
            return None
        if name in UNSUPPORTED_ACTIONS:
            self._report.add(node, f"{what} uses `{name}`, which is not supported", "Write an action of your own")
            return None
        if not self._domain.knows_action(name):
            section = "responses" if name.startswith("utter_") else "actions"
            self._report.add(
                node, f"{what} names the unknown action `{name}`", f"Add it to `{section}` of domain.yml, or correct it"
            )
            return None
        response = self._domain.responses.get(name)
        if response is not None:
            for missing in sorted(response.placeholders - set(self._domain.slots)):
                self._report.add(
                    node,
                    f"{what} says `{name}`, whose {{{missing}}} is no slot",
                    "Say it from an action that fills it in, or add the slot",
                )
        return name

    def _state(self, entry: Mapping[str, Node], what: str) -> list[SlotIs | LoopIs]:
        made: list[SlotIs | LoopIs] = []
        if "active_loop" in entry:
            node = entry["active_loop"]
            if node.value is None:
                made.append(LoopIs(None))
            elif node.value in self._domain.forms:
                made.append(LoopIs(str(node.value)))
            else:
                self._report.add(
                    node, f"{what} names the unknown form `{node.value}`", "Add it to `forms` of domain.yml"
                )
        if "slot_was_set" in entry:
            for node in self._report.items(entry["slot_was_set"], f"`slot_was_set` of {what}"):
                pairs = {node.value: None} if isinstance(node.value, str) else self._report.mapping(node, "a slot")
                for name, value in pairs.items():
                    found = self._slot(name, node if value is None else value, what, named_only=value is None)
                    if found is not None:
                        made.append(found)
        return made

    def _slot(self, name: str, node: Node, what: str, *, named_only: bool) -> SlotIs | None:
        if name == REQUESTED_SLOT:
            return None  # Rasa gives it no weight in rules either; it stands there for the reader
        slot = self._domain.slots.get(name)
        if slot is None:
            self._report.add(node, f"{what} names the unknown slot `{name}`", "Add it to `slots` of domain.yml")
            return None
        if not slot.influences:
            self._report.add(
                node,
                f"{what} looks at the slot `{name}`, which does not influence the conversation",
                "Set `influence_conversation: true` on it, or leave it out of the rule",
            )
            return None
        value: Any = node.value
        if named_only:
            if slot.type not in ("text", "list"):
                self._report.add(node, f"{what} names the slot `{name}` without a value", f"Write `- {name}: VALUE`")
                return None
            value = "filled" if slot.type == "text" else ["filled"]
        if value is None and slot.type == "list":
            self._report.add(
                node,
                f"{what} wants the list `{name}` to be unset, which Rasa 3.6 takes for set",
                "Look at a slot of another type, which your action sets beside the list",
            )
            return None
        if isinstance(value, tuple):
            value = list(value)
        if not fits(slot, value):
            self._report.add(
                node, f"{what} wants `{name}` to be what it never is", f"Write a value of type {slot.type}"
            )
            return None
        feature = slot.feature(value)
        if value is not None and feature is None:
            self._report.add(node, f"{what} wants `{name}` to be empty", "Write `null` for a slot that is not set")
            return None
        return SlotIs(name, feature)
