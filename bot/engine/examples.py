"""Examples of what people say, as `nlu` in `data/**/*.yml`: what understanding is trained on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.engine.domain import Domain
from bot.engine.source import Node, Report

_ANNOTATED = re.compile(r"\[(?P<words>[^\[\]]+)\](?:\((?P<entity>[^():]+)\)|(?P<details>\{[^{}]*\}))")
_ITEM = re.compile(r"\s*-\s(?P<text>.*)")


@dataclass(frozen=True, slots=True)
class Span:
    """Words of an example that stand for something: `start` to `end` in characters."""

    entity: str
    value: str
    start: int
    end: int
    role: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """`text` is without annotations."""

    intent: str
    text: str
    spans: tuple[Span, ...]
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Examples:
    """`synonyms` gives each wording its value; `lookups` and `regexes` list words and patterns by entity."""

    said: tuple[Example, ...]
    synonyms: Mapping[str, str]
    lookups: Mapping[str, tuple[str, ...]]
    regexes: Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class ExamplesReader:
    """Reads several files into one set."""

    report: Report
    domain: Domain
    _said: dict[tuple[str, str], Example] = field(default_factory=dict)
    _intent_of: dict[str, Example] = field(default_factory=dict)
    _synonyms: dict[str, str] = field(default_factory=dict)
    _lookups: dict[str, list[str]] = field(default_factory=dict)
    _regexes: dict[str, list[str]] = field(default_factory=dict)

    def read(self, root: Node) -> None:
        for node in self.report.items(root, "`nlu`"):
            kinds = {"intent", "synonym", "regex", "lookup"} & set(_keys(node))
            if len(kinds) != 1:
                self.report.add(
                    node,
                    "an entry of `nlu` is of no known kind",
                    "Begin it with `intent:`, `synonym:`, `regex:` or `lookup:`",
                )
                continue
            kind = kinds.pop()
            parts = self.report.mapping(node, f"an entry of `nlu` ({kind})", needs=(kind, "examples"), may=())
            name = self.report.text(parts[kind], f"the name of a {kind}")
            if name is None or "examples" not in parts:
                continue
            lines = list(self._lines(parts["examples"], f"the examples of `{name}`"))
            match kind:
                case "intent":
                    self._intent(name, parts[kind], lines)
                case "synonym":
                    self._synonyms |= {text: name for text, _ in lines}
                case "lookup":
                    self._known_entity(name, parts[kind])
                    self._lookups.setdefault(name, []).extend(text for text, _ in lines)
                case "regex":
                    self._pattern(name, lines)

    def done(self) -> Examples:
        return Examples(
            tuple(self._said.values()),
            self._synonyms,
            {name: tuple(words) for name, words in self._lookups.items()},
            {name: tuple(patterns) for name, patterns in self._regexes.items()},
        )

    def _lines(self, node: Node, what: str) -> Iterator[tuple[str, Node]]:
        """The lines of a block of text, each beginning with `- `."""
        if not isinstance(node.value, str) or not node.value.strip():
            self.report.add(node, f"{what} are not a block of text", "Write `examples: |`, then lines of `- words`")
            return
        for offset, line in enumerate(node.value.splitlines(), start=1):
            place = Node(node.file, node.line + offset, None)
            if not line.strip():
                continue
            found = _ITEM.fullmatch(line)
            if found is None or not found["text"].strip():
                self.report.add(place, f"one of {what} does not begin with `- ` or is empty", "Write `- words`")
                continue
            yield found["text"].strip(), place

    def _intent(self, name: str, node: Node, lines: list[tuple[str, Node]]) -> None:
        if name not in self.domain.intents:
            self.report.add(node, f"there are examples of the unknown intent `{name}`", "Add it to `intents`")
            return
        for written, place in lines:
            text, spans = self._spans(written, place)
            example = Example(name, text, spans, place.file, place.line)
            other = self._intent_of.setdefault(text.casefold(), example)
            if other.intent != name:
                self.report.add(
                    place,
                    f"`{text}` is an example of `{name}` here and of `{other.intent}` at {other.file}:{other.line}",
                    "Keep it under one of the two",
                )
            self._said.setdefault((name, text), example)

    def _spans(self, written: str, place: Node) -> tuple[str, tuple[Span, ...]]:
        text = ""
        end = 0
        spans: list[Span] = []
        for found in _ANNOTATED.finditer(written):
            text += written[end : found.start()]
            end = found.end()
            words = found["words"]
            details = self._details(found, place)
            if details is not None:
                spans.append(Span(start=len(text), end=len(text) + len(words), **{"value": words, **details}))
            text += words
        return text + written[end:], tuple(spans)

    def _details(self, found: re.Match[str], place: Node) -> dict[str, Any] | None:
        details: Any = {"entity": found["entity"]}
        if found["details"]:
            try:
                details = json.loads(found["details"])
            except ValueError:
                details = None
        if (
            not isinstance(details, dict)
            or "entity" not in details
            or not details.keys() <= {"entity", "value", "role", "group"}
            or not all(isinstance(value, str) for value in details.values())
        ):
            self.report.add(
                place,
                "an annotation cannot be read",
                'Write [words](entity) or [words]{"entity": "...", "value": "..."}',
            )
            return None
        self._known_entity(details["entity"], place)
        return details

    def _known_entity(self, name: str, node: Node) -> None:
        if name not in self.domain.entities:
            self.report.add(
                node, f"the entity `{name}` is unknown", "Add it to `entities` of domain.yml, or correct it"
            )

    def _pattern(self, name: str, lines: list[tuple[str, Node]]) -> None:
        for pattern, place in lines:
            try:
                re.compile(pattern)
            except re.error as error:
                self.report.add(place, f"the pattern cannot be read: {error}", "Correct the regular expression")
                continue
            self._regexes.setdefault(name, []).append(pattern)


def _keys(node: Node) -> list[str]:
    return list(node.value) if isinstance(node.value, Mapping) else []
