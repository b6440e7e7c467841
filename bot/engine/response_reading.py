"""Reads the `responses` of `domain.yml`: each says something in every language, and its buttons lead somewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bot.engine import payload
from bot.engine.domain import LANGUAGE, LANGUAGES, Slot
from bot.engine.responses import FILLED_LATER, ButtonTemplate, Response, Template, Variation, template
from bot.engine.source import Node, Report

_RICH = "Say it in `text` and `buttons`: not every channel can show more"
_UNSUPPORTED = dict.fromkeys(
    ("image", "attachment", "custom", "elements", "quick_replies", "button_type", "metadata", "id"), _RICH
)
TITLE_LIMIT = 60
"""Characters of a button's title."""


def read_responses(
    report: Report,
    section: Mapping[str, Node],
    intents: Collection[str],
    entities: Collection[str],
    slots: Mapping[str, Slot],
) -> dict[str, Response]:
    reader = _Reader(report, intents, entities, slots)
    return {name: reader.response(name, node) for name, node in section.items()}


class _Reader:
    def __init__(
        self, report: Report, intents: Collection[str], entities: Collection[str], slots: Mapping[str, Slot]
    ) -> None:
        self._report = report
        self._intents = intents
        self._entities = entities
        self._slots = slots

    def response(self, name: str, node: Node) -> Response:
        what = f"the response `{name}`"
        if not name.startswith("utter_"):
            self._report.add(node, f"{what} is not called `utter_...`", f"Call it `utter_{name}`")
        found = tuple(
            made
            for each in self._report.items(node, what)
            if (made := self._variation(each, f"a variation of `{name}`")) is not None
        )
        for language in LANGUAGES:
            if not any(each.channel is None and each.conditions == ((LANGUAGE, language),) for each in found):
                self._report.add(
                    node,
                    f"{what} has no variation for `{language}`",
                    f"Add one whose only condition is the slot `{LANGUAGE}` with the value {language}, and no channel",
                )
        return Response(name, found, node.file, node.line)

    def _variation(self, node: Node, what: str) -> Variation | None:
        before = len(self._report.problems)
        parts = self._report.mapping(
            node, what, needs=("text",), may=("buttons", "condition", "channel"), unsupported=_UNSUPPORTED
        )
        text = self._template(parts["text"], f"the text of {what}") if "text" in parts else None
        buttons = self._report.items(parts["buttons"], f"the buttons of {what}") if "buttons" in parts else ()
        made = [self._button(each, what) for each in buttons]
        conditions = (
            [self._condition(each, what) for each in self._report.items(parts["condition"], f"the condition of {what}")]
            if "condition" in parts
            else []
        )
        channel = self._report.text(parts["channel"], f"the channel of {what}") if "channel" in parts else None
        if len(self._report.problems) > before or text is None:
            return None
        if LANGUAGE not in dict(c for c in conditions if c is not None):
            self._report.add(
                node, f"{what} does not say its language", f"Add a condition on the slot `{LANGUAGE}` (zh or en)"
            )
        return Variation(
            text, tuple(b for b in made if b is not None), tuple(c for c in conditions if c is not None), channel
        )

    def _template(self, node: Node, what: str) -> Template | None:
        text = self._report.text(node, what)
        if text is None:
            return None
        try:
            made = template(text.strip())
        except ValueError:
            self._report.add(node, f"{what} has a brace without its pair", "Write {name}, or {{ and }} for braces")
            return None
        for name in made.filled_later:
            if name not in FILLED_LATER:
                known = ", ".join(f"[[{each}]]" for each in FILLED_LATER)
                self._report.add(node, f"{what} speaks of [[{name}]], which nobody fills", f"Known are {known}")
        return made

    def _button(self, node: Node, what: str) -> ButtonTemplate | None:
        parts = self._report.mapping(node, f"a button of {what}", needs=("title", "payload"), may=())
        if len(parts) != 2 or "title" not in parts or "payload" not in parts:
            return None
        title = self._template(parts["title"], f"the title of a button of {what}")
        made = self._template(parts["payload"], f"the payload of a button of {what}")
        if title is None or made is None:
            return None
        if len("".join(title.parts[::2])) > TITLE_LIMIT:
            self._report.add(parts["title"], f"a button of {what} has a long title", f"Keep it to {TITLE_LIMIT}")
        try:
            intent, entities = payload.parse(made.fill(lambda name: "x", in_json=True))
        except ValueError as error:
            self._report.add(
                parts["payload"],
                f"a button of {what} has a payload that cannot be read: {error}",
                'Write "/intent" or \'/intent{{"entity": "value"}}\'',
            )
            return None
        if intent not in self._intents:
            self._report.add(
                parts["payload"], f"a button of {what} leads to the unknown intent `{intent}`", "Add it to `intents`"
            )
        for each in entities:
            if each["entity"] not in self._entities:
                self._report.add(
                    parts["payload"],
                    f"a button of {what} carries the unknown entity `{each['entity']}`",
                    "Add it to `entities`",
                )
        return ButtonTemplate(title, made)

    def _condition(self, node: Node, what: str) -> tuple[str, Any] | None:
        parts = self._report.mapping(node, f"a condition of {what}", needs=("type", "name", "value"), may=())
        if not {"type", "name", "value"} <= set(parts):
            return None
        if parts["type"].value != "slot":
            self._report.add(parts["type"], f"a condition of {what} is not on a slot", "Write `type: slot`")
            return None
        name, value = parts["name"].value, parts["value"].value
        slot = self._slots.get(name) if isinstance(name, str) else None
        if slot is None:
            self._report.add(
                parts["name"], f"a condition of {what} is on the unknown slot `{name}`", "Add it to `slots`"
            )
            return None
        if isinstance(value, tuple | Mapping):
            self._report.add(parts["value"], f"a condition of {what} has no single value", "Write one value")
            return None
        if slot.type == "categorical" and str(value).lower() not in slot.values:
            self._report.add(
                parts["value"],
                f"a condition of {what} wants `{name}` to be `{value}`, which it never is",
                f"Choose of {', '.join(slot.values)}",
            )
        return slot.name, value
