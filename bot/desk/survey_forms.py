"""`surveys.yml` as a form: when each survey is asked and in which words, changed where they stand in the text. All else
of the file, its comments and its own way of writing too, stays as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from bot.surveys.reading import RELATIONSHIP_COOLDOWN

NUMBERS: Mapping[str, str] = {
    "sample": "sample_percent",
    "delay": "delay_minutes",
    "cooldown": "cooldown_days",
    "expiry": "expiry_days",
    "per_day": "per_day",
}
"""Fields of numbers, and what each is in the file; empty: the file does not say it."""

QUIET = ("from", "until")
COUNT: Mapping[str, tuple[str, ...]] = {
    "episode": ("sample", "delay", "cooldown", "per_day", "expiry", *QUIET),
    "conversation_resolved": ("sample", "cooldown", "per_day", "expiry"),
    "case_resolved": ("expiry",),
    "schedule": ("sample", "cooldown", "per_day", "expiry", *QUIET),
    "volunteered": (),
}
"""Which fields do anything, by what a survey is triggered by; office hours go with quiet ones."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BREAKS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
"""What YAML takes for the end of a line, or not at all, inside quotes."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Words of a survey in both languages, in the fields `name`_zh and `name`_en. `path` leads to them in the file:
    ("ask", "0", "text")."""

    name: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A survey, or a scale, as the form shows it: its fields begin with `name`."""

    name: str
    key: str
    wordings: tuple[Wording, ...]
    trigger: str = ""

    @property
    def counts(self) -> tuple[str, ...]:
        """The fields of when it is asked."""
        return COUNT.get(self.trigger, ())


def shapes(text: str) -> tuple[list[Shape], list[Shape]]:
    """The surveys, and the scales, of a file that can be read."""
    return (
        [_shape(f"s{n}", key, node) for n, (key, node) in enumerate(_under(text, "surveys"))],
        [_shape(f"c{n}", key, node) for n, (key, node) in enumerate(_under(text, "scales"))],
    )


def usual(trigger: str, field: str) -> str:
    """What counts where the file does not say a number; empty: no limit."""
    found = {"sample": "100", "delay": "0", "cooldown": "0", "expiry": "14"}
    return str(RELATIONSHIP_COOLDOWN) if (trigger, field) == ("schedule", "cooldown") else found.get(field, "")


def fields_of(text: str) -> dict[str, str]:
    """What the form shows of a file that can be read; a number that the file does not say is not there."""
    found: dict[str, str] = {}
    for n, (_, node) in enumerate(_under(text, "surveys")):
        said = _values(node)
        found |= {f"s{n}_{field}": said[key].value for field, key in NUMBERS.items() if key in said}
        if "quiet_hours" in said:
            quiet = _values(said["quiet_hours"])
            found |= {f"s{n}_from": quiet["from"].value, f"s{n}_until": quiet["until"].value}
        if "office_hours" in said and said["office_hours"].value == "true":
            found[f"s{n}_office"] = "1"
    for wording, words in _all_words(text):
        found |= {f"{wording.name}_{language}": node.value.strip() for language, node in words.items()}
    return found


def text_of(text: str, fields: Mapping[str, str]) -> str:
    """The file's text with what was filled in; whether it can be so is for its reader to say."""
    edits: list[tuple[int, int, str]] = []
    for n, (_, node) in enumerate(_under(text, "surveys")):
        shown = {name: fields[f"s{n}_{name}"] for name in (*NUMBERS, *QUIET) if f"s{n}_{name}" in fields}
        wanted = {NUMBERS[name]: _counted(value) for name, value in shown.items() if name in NUMBERS}
        if "from" in shown:
            opens, closes = (shown.get(name, "") for name in QUIET)
            said = f"{{from: {_quoted(opens)}, until: {_quoted(closes)}}}"
            wanted["quiet_hours"] = said if opens or closes else ""
            wanted["office_hours"] = "true" if f"s{n}_office" in fields else ""
        edits += _settled(text, node, wanted)
    for wording, words in _all_words(text):
        for language, node in words.items():
            new = fields.get(f"{wording.name}_{language}")
            if new is not None and new != node.value.strip():
                edits.append(_replaced(text, node, _quoted(new)))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


# ---- what stands where ----


def _shape(name: str, key: str, node: yaml.Node) -> Shape:
    trigger = _values(node).get("trigger")
    return Shape(name, key, tuple(each for each, _ in _words(name, node)), trigger.value if trigger else "")


def _all_words(text: str) -> Iterator[tuple[Wording, dict[str, yaml.Node]]]:
    for letter, part in (("s", "surveys"), ("c", "scales")):
        for n, (_, node) in enumerate(_under(text, part)):
            yield from _words(f"{letter}{n}", node)


def _words(name: str, node: yaml.Node) -> list[tuple[Wording, dict[str, yaml.Node]]]:
    return [(Wording(f"{name}_w{n}", path), words) for n, (path, words) in enumerate(_walk(node, ()))]


def _walk(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, yaml.Node]]]:
    """Everything that is said in both languages, in the order of the file."""
    if isinstance(node, yaml.MappingNode):
        entries = _values(node)
        if set(entries) == {"zh", "en"}:
            yield path, entries
            return
        for key, value in entries.items():
            yield from _walk(value, (*path, key))
    elif isinstance(node, yaml.SequenceNode):
        for n, value in enumerate(node.value):
            yield from _walk(value, (*path, str(n)))


def _under(text: str, part: str) -> list[tuple[str, yaml.Node]]:
    root = yaml.compose(text, Loader=_LOADER)
    return list(_values(_values(root)[part]).items())


def _values(node: Any) -> dict[str, yaml.Node]:
    return {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


# ---- edits: from, to, what instead ----


def _settled(text: str, node: Any, wanted: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
    """The survey with these said, and not said where they are empty."""
    there = {key.value: (key, value) for key, value in node.value}
    added = ""
    for key, new in wanted.items():
        if key not in there:
            added += f"{key}: {new}\n{' ' * node.start_mark.column}" if new else ""
            continue
        name, value = there[key]
        if not new and not node.flow_style:
            yield _line(text, name, value)
        elif _raw(yaml.compose(new or "''", Loader=_LOADER)) != _raw(value):
            yield _replaced(text, value, new)
    if added:
        start = node.start_mark.index + (1 if node.flow_style else 0)
        yield start, start, ", ".join(added.split("\n")[:-1]) + ", " if node.flow_style else added


def _raw(node: Any) -> Any:
    """What is said, however it is written."""
    return {key: _raw(value) for key, value in _values(node).items()} or node.value


def _line(text: str, name: yaml.Node, value: yaml.Node) -> tuple[int, int, str]:
    """The lines of an entry, gone."""
    start = text.rfind("\n", 0, name.start_mark.index) + 1
    end = text.find("\n", _end(value))
    return start, len(text) if end < 0 else end + 1, ""


def _replaced(text: str, node: yaml.Node, new: str) -> tuple[int, int, str]:
    start, end = node.start_mark.index, _end(node)
    kept = text[start:end]
    return start, end, new + kept[len(kept.rstrip()) :]  # a text of several lines ends with the last one's end


def _end(node: yaml.Node) -> int:
    """Where it ends; what is indented goes up to the next thing, so that its last value tells."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    end: int = node.end_mark.index
    return end


def _counted(number: str) -> str:
    """A number as it is; anything else in quotes, for the reader to refuse with its line."""
    return number if not number or (number.isascii() and number.isdecimal()) else _quoted(number)


def _quoted(words: str) -> str:
    return _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(words, ensure_ascii=False))
