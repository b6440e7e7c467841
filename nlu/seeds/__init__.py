"""Labelled sentences written for Earful: what the heads for sentiment, nature and aspect learn from.

A file has `language` and any of these blocks, one sentence or pair a line:
  pairs:        topics | what an unhappy customer says | what a happy one says of the same thing
  singles:      topics | negative, neutral or positive | sentence
  questions:    sentence (somebody wants to know something; no judgement)
  neutral:      sentence (greetings, answers, facts)
  strays:       sentence (what no customer service is asked)
or of these, which teach urgency alone (see `alerts`):
  urgent:       sentence (danger, a large loss, many people harmed, press, regulator or court)
  calm:         sentence (not urgent, though it may sound so)
Topics are `nature/aspect` of lexicon/topics.yml with the main one first, or `none`, `other`, `complaint` (no object is
named), with `suggestion` before them where it is one. Every complaint needs its satisfied twin: heads that see a topic
only in complaints take the topic for the complaint.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from nlu import content
from nlu.understanding import Language, Nature, Polarity

DIRECTORY = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Seed:
    """A labelled sentence. `natures` has the main one first; `aspects` are (nature, aspect) pairs; `block` is the one
    of the file that it stands in."""

    text: str
    language: Language
    polarity: Polarity
    natures: tuple[Nature, ...]
    aspects: tuple[tuple[str, str], ...]
    block: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A sentence that is `urgent`, or is not however it sounds."""

    text: str
    language: Language
    urgent: bool


def load(aspects: Sequence[tuple[str, str]], directory: Path = DIRECTORY) -> list[Seed]:
    """The sentences of all files; `aspects` are those that topics may name. Raises content.DataError with file, line
    and remedy."""
    known = set(aspects)
    return [seed for path in sorted(directory.glob("*.yml")) for seed in _file(path, known)]


def alerts(directory: Path = DIRECTORY) -> list[Alert]:
    """The sentences that teach urgency, of both languages and both kinds by turns, so that neighbours are of one topic.
    Raises content.DataError as `load`."""
    found: list[tuple[float, Alert]] = []
    for path in sorted(directory.glob("*.yml")):
        language, fields = _opened(path)
        for block in _ALERTING & set(fields):
            lines = [line for _, line in fields[block].lines()]
            for place, line in enumerate(lines):
                found.append((place / len(lines), Alert(line, language, block == "urgent")))
    return [alert for _, alert in sorted(found, key=lambda each: (each[0], each[1].text))]


def _opened(path: Path) -> tuple[Language, dict[str, content.Node]]:
    node = content.read(path)
    fields = node.fields()
    if "language" not in fields or fields["language"].text() not in get_args(Language):
        raise node.error("The language is missing.", "Write 'language: zh' or 'language: en' at the top.")
    return cast(Language, fields.pop("language").text()), fields


def _file(path: Path, known: set[tuple[str, str]]) -> Iterator[Seed]:
    language, fields = _opened(path)
    for block, members in fields.items():
        if block in _ALERTING:
            continue
        for line, written in members.lines():
            parts = [part.strip() for part in written.split(" | ")]
            if len(parts) != _PARTS.get(block, 0):
                expected = _SHAPES.get(block) or f"one of the blocks {', '.join((*_SHAPES, *sorted(_ALERTING)))}"
                raise members.error(f"'{block}' does not read like this.", f"Write {expected}.", line)
            if block == "pairs":
                natures, found = _topics(parts[0], known, members, line)
                yield _seed(parts[1], language, "negative", natures, found, block)
                yield _seed(parts[2], language, "positive", natures, found, block)
            elif block == "singles":
                if parts[1] not in get_args(Polarity):
                    raise members.error(f"'{parts[1]}' is no polarity.", "Use negative, neutral or positive.", line)
                natures, found = _topics(parts[0], known, members, line)
                yield _seed(parts[2], language, cast(Polarity, parts[1]), natures, found, block)
            else:
                yield Seed(parts[0], language, "neutral", ("none",), (), block)


def _topics(
    written: str, known: set[tuple[str, str]], members: content.Node, line: int
) -> tuple[tuple[Nature, ...], tuple[tuple[str, str], ...]]:
    natures: list[Nature] = []
    aspects: list[tuple[str, str]] = []
    for topic in written.split():
        nature, _, aspect = topic.partition("/")
        if nature not in get_args(Nature):
            raise members.error(f"'{nature}' is no nature.", f"Use one of {', '.join(get_args(Nature))}.", line)
        if aspect and (nature, aspect) not in known:
            choices = ", ".join(a for n, a in sorted(known) if n == nature)
            raise members.error(f"'{topic}' is no topic.", f"Known for {nature}: {choices}.", line)
        if nature not in natures:
            natures.append(cast(Nature, nature))
        if aspect:
            aspects.append((nature, aspect))
    return tuple(natures), tuple(aspects)


def _seed(
    text: str,
    language: Language,
    polarity: Polarity,
    natures: tuple[Nature, ...],
    aspects: tuple[tuple[str, str], ...],
    block: str,
) -> Seed:
    if polarity == "positive" and natures[0] not in {"suggestion", "other"}:
        natures = ("praise", *(nature for nature in natures if nature in _OBJECTS))
    elif polarity == "negative" and natures == ("none",):
        natures = ("complaint",)  # it names no object, and is a complaint all the same
    return Seed(text, language, polarity, natures, aspects, block)


_OBJECTS: tuple[Nature, ...] = ("product", "service", "price", "logistics")
_SHAPES = {
    "pairs": "'topics | unhappy sentence | happy sentence'",
    "singles": "'topics | negative, neutral or positive | sentence'",
    "questions": "one sentence",
    "neutral": "one sentence",
    "strays": "one sentence",
}
_ALERTING = {"urgent", "calm"}
_PARTS = {block: shape.count("|") + 1 for block, shape in _SHAPES.items()}
