"""Training data in Rasa's NLU format (3.1): intents with annotated examples, regular expressions, lookup tables and
synonyms, from all `*.yml` of a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nlu import content
from nlu.content import DataError
from nlu.corrections import Correction

__all__ = ["Annotation", "DataError", "TrainingData", "read"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """`[surface](entity)` in an example; `value` is the surface where none is given."""

    entity: str
    surface: str
    value: str


@dataclass(frozen=True)
class TrainingData:
    """What one folder teaches. Mappings are in the files' order, and not to be changed."""

    intents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    annotations: tuple[Annotation, ...] = ()
    patterns: tuple[tuple[str, str], ...] = ()
    """(name, regular expression): an entity where the name is one, else just a hint."""
    lookups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    synonyms: dict[str, str] = field(default_factory=dict)
    """Surface in lower case → value."""
    corrections: tuple[Correction, ...] = ()
    """What people said that messages meant; no file has them (see nlu.corrections)."""

    @property
    def entities(self) -> frozenset[str]:
        """Names of entities that are annotated or listed in a lookup table."""
        return frozenset(found.entity for found in self.annotations) | frozenset(self.lookups)


def read(directory: Path) -> TrainingData:
    """All training data under `directory`. Raises DataError, naming file, line and remedy, for what Rasa would refuse,
    for an intent without examples, and for an example of two intents."""
    paths = sorted(path for path in directory.rglob("*") if path.suffix in {".yml", ".yaml"} and path.is_file())
    if not paths:
        raise DataError(directory, 1, "No training data here.", "Put at least one file like nlu.yml into this folder.")
    draft = _Draft()
    for path in paths:
        _file(path, draft)
    if not draft.intents:
        raise DataError(
            paths[0], 1, "No intent has examples.", "Add '- intent: greet' with 'examples: |' under 'nlu:'."
        )
    return TrainingData(
        intents={name: tuple(examples) for name, examples in draft.intents.items()},
        annotations=tuple(draft.annotations),
        patterns=tuple(draft.patterns),
        lookups={name: tuple(values) for name, values in draft.lookups.items()},
        synonyms=draft.synonyms,
    )


@dataclass
class _Draft:
    intents: dict[str, list[str]] = field(default_factory=dict)
    annotations: list[Annotation] = field(default_factory=list)
    patterns: list[tuple[str, str]] = field(default_factory=list)
    lookups: dict[str, list[str]] = field(default_factory=dict)
    synonyms: dict[str, str] = field(default_factory=dict)
    seen: dict[str, tuple[str, Path, int]] = field(default_factory=dict)


def _file(path: Path, draft: _Draft) -> None:
    fields = content.read(path).fields()
    if "nlu" not in fields:
        return  # rules, stories, responses: a Rasa project may keep them beside
    for item in fields["nlu"].items():
        parts = item.fields()
        kinds = [kind for kind in ("intent", "synonym", "regex", "lookup") if kind in parts]
        if len(kinds) != 1:
            raise item.error("What is this item?", "Begin it with one of intent, synonym, regex or lookup.")
        unknown = set(parts) - {kinds[0], "examples", "metadata"}
        if unknown:
            raise item.error(f"'{min(unknown)}' is not known here.", f"Use '{kinds[0]}' and 'examples' only.")
        name = parts[kinds[0]].text().strip()
        if not name:
            raise item.error(f"The {kinds[0]} has no name.", f"Write '- {kinds[0]}: name'.")
        if "examples" not in parts:
            raise item.error(f"'{name}' has no examples.", "Add 'examples: |' with lines that begin with '- '.")
        written = list(_examples(parts["examples"]))
        if not written:
            raise parts["examples"].error(f"'{name}' has no examples.", "Add lines that begin with '- '.")
        for line, example in written:
            _add(kinds[0], name, example, draft, parts["examples"], line)


def _examples(node: content.Node) -> Iterator[tuple[int, str]]:
    """The lines of `examples: |`, or the `text` of each member where it is a list."""
    if node.is_list:
        for member in node.items():
            parts = member.fields()
            if "text" not in parts:
                raise member.error("This example has no text.", "Write '- text: |' with the example below it.")
            yield from ((line, text.removeprefix("-").strip()) for line, text in parts["text"].lines())
        return
    for line, text in node.lines():
        if not text.startswith("- ") and text != "-":
            raise node.error(f"'{text[:30]}' does not begin with '- '.", "Begin every example with '- '.", line)
        if example := text[1:].strip():
            yield line, example


def _add(kind: str, name: str, example: str, draft: _Draft, node: content.Node, line: int) -> None:
    if kind == "lookup":
        draft.lookups.setdefault(name, []).append(example)
    elif kind == "synonym":
        draft.synonyms[example.lower()] = name
    elif kind == "regex":
        try:
            re.compile(example)
        except re.error as problem:
            raise node.error(f"'{example}' is no regular expression ({problem}).", "Correct it.", line) from problem
        draft.patterns.append((name, example))
    else:
        text = _plain(example, draft, node, line)
        first = draft.seen.setdefault(text.lower(), (name, node.path, line))
        if first[0] != name:
            raise node.error(
                f"'{text}' is an example of '{name}' and of '{first[0]}' ({first[1].name}:{first[2]}).",
                "Keep it in one of them.",
                line,
            )
        if first[2] == line and first[1] == node.path:
            draft.intents.setdefault(name, []).append(text)


def _plain(example: str, draft: _Draft, node: content.Node, line: int) -> str:
    """`example` without its annotations, which are kept."""

    def keep(found: re.Match[str]) -> str:
        surface = found["surface"]
        if found["json"] is None:
            entity, _, value = found["entity"].partition(":")
        else:
            try:
                given = json.loads(found["json"])
                entity, value = str(given["entity"]), str(given.get("value", ""))
            except (ValueError, KeyError, TypeError, AttributeError) as problem:
                raise node.error(
                    f"'{found['json']}' does not tell an entity.",
                    'Write [text](entity) or [text]{"entity": "name", "value": "meaning"}.',
                    line,
                ) from problem
        if not entity.strip() or not surface.strip():
            raise node.error(f"'{found[0]}' is incomplete.", "Write [text](entity).", line)
        draft.annotations.append(Annotation(entity.strip(), surface, value.strip() or surface))
        return surface

    text = _ANNOTATED.sub(keep, example)
    if _BROKEN.search(text):
        raise node.error(
            f"'{example}' has a broken annotation.", "Write [text](entity), with both brackets closed.", line
        )
    return text


_ANNOTATED = re.compile(r"\[(?P<surface>[^\[\]]*)\](?:\((?P<entity>[^()]*)\)|(?P<json>\{[^{}]*\}))")
_BROKEN = re.compile(r"\]\s*[({]|\[[^\]]*[({][^\]]*$")
