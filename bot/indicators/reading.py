"""Reads `indicators.yml`, and refuses what could not be added up: no weight at all, a leaf without a source, a survey
that there is not, a formula that does not make 100."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from bot.indicators.tree import (
    DEEPEST,
    MEASURES,
    Formula,
    Indicator,
    Indicators,
    Measure,
    Measured,
    Phase,
    Rated,
    Source,
    Topic,
)
from bot.surveys.definitions import Surveys
from bot.yamlfile import Item, Sheet

_SOURCES = ("survey", "measure", "nature")
_NATURES = ("product", "service", "price", "logistics", "suggestion", "praise", "complaint", "other")


def load(path: Path, surveys: Surveys | None) -> Indicators:
    """The indicators of a file. `surveys`: those that leaves may name; None where they could not be read themselves.
    Raises ContentError with every problem found."""
    sheet = Sheet(path)
    found = Indicators()
    with sheet.part():
        top = sheet.mapping(sheet.root, "indicators.yml", needs=("tree",), may=("phases", "formulas"))
        phases: list[Phase] = []
        for item in sheet.items(top["phases"], "phases") if "phases" in top else ():
            with sheet.part():
                phases.append(_phase(sheet, item, phases))
        keys: set[str] = set()
        root = _indicator(sheet, top["tree"], 1, {phase.key for phase in phases}, keys, surveys)
        leaves = {leaf.key for leaf in root.leaves()}
        formulas: list[Formula] = []
        for key, item in (sheet.entries(top["formulas"], "formulas") if "formulas" in top else {}).items():
            with sheet.part():
                formulas.append(_formula(sheet, item, key, leaves))
        found = Indicators(root, tuple(phases), tuple(formulas))
    sheet.check()
    return found


def _phase(sheet: Sheet, item: Item, earlier: list[Phase]) -> Phase:
    said = sheet.mapping(item, "a phase", needs=("key", "from", "until"))
    key = sheet.text(said["key"], "the key of a phase")
    start, end = (_day(sheet, said[name], f"'{name}' of phase '{key}'") for name in ("from", "until"))
    if end < start:
        raise sheet.refuse(said["until"], f"phase '{key}' ends before it begins", "Swap the two days")
    for other in earlier:
        if start <= other.end and other.start <= end:
            raise sheet.refuse(item, f"phases '{other.key}' and '{key}' overlap", "Let one end before the other begins")
    return Phase(key, start, end)


def _day(sheet: Sheet, item: Item, what: str) -> date:
    said = sheet.text(item, what)
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise sheet.refuse(item, f"{what} is '{said}'", "Write a day as 2026-11-01") from None


def _indicator(
    sheet: Sheet, item: Item, level: int, phases: set[str], keys: set[str], surveys: Surveys | None
) -> Indicator:
    may = ("weight", "phases", "parts", "question", "choice", *_SOURCES)
    said = sheet.mapping(item, "an indicator", needs=("key", "label"), may=may)
    key = sheet.text(said["key"], "the key of an indicator")
    what = f"indicator '{key}'"
    if key in keys:
        raise sheet.refuse(said["key"], f"{what} stands here twice", "Give each its own key")
    keys.add(key)
    if level > DEEPEST:
        raise sheet.refuse(item, f"{what} lies {level} levels deep", f"Keep the tree to {DEEPEST} levels")
    sources = [name for name in _SOURCES if name in said]
    if len(sources) + ("parts" in said) != 1:
        remedy = "Give it exactly one of parts, survey, measure, nature"
        raise sheet.refuse(item, f"{what} has {len(sources) + ('parts' in said)} of what it is made of", remedy)
    weights: dict[str, float] = {}
    for name, value in (sheet.entries(said["phases"], f"phases of {what}") if "phases" in said else {}).items():
        if name not in phases:
            raise sheet.refuse(value, f"{what} has a weight for '{name}', which is no phase", _known(phases))
        weights[name] = float(sheet.integer(value, f"the weight of {what} in {name}", 0, 1000))
    parts: list[Indicator] = []
    for part in sheet.items(said["parts"], f"parts of {what}") if "parts" in said else ():
        with sheet.part():
            parts.append(_indicator(sheet, part, level + 1, phases, keys, surveys))
    if "parts" in said:
        for phase in (None, *sorted(phases)):
            if not any(part.weight_in(phase) for part in parts):
                when = f" in phase '{phase}'" if phase else ""
                raise sheet.refuse(said["parts"], f"no part of {what} has a weight{when}", "Give one of them a weight")
    return Indicator(
        key=key,
        label=sheet.words(said["label"], f"the label of {what}", limit=60),
        weight=float(sheet.integer(said["weight"], f"the weight of {what}", 0, 1000)) if "weight" in said else 1.0,
        phases=weights,
        source=_source(sheet, said, sources[0], what, surveys) if sources else None,
        parts=tuple(parts),
    )


def _source(sheet: Sheet, said: Mapping[str, Item], kind: str, what: str, surveys: Surveys | None) -> Source:
    if kind == "measure":
        measure: Measure = sheet.choice(said["measure"], f"the measure of {what}", MEASURES)  # type: ignore[assignment] # chosen of them
        return Measured(measure)
    if kind == "nature":
        return Topic(sheet.choice(said["nature"], f"the nature of {what}", _NATURES))
    survey = sheet.text(said["survey"], f"the survey of {what}")
    definition = surveys.get(survey) if surveys is not None else None
    if surveys is not None and definition is None:
        raise sheet.refuse(
            said["survey"], f"{what} is of the survey '{survey}', which there is not", _known(surveys.definitions)
        )
    if ("question" in said) != ("choice" in said):
        where = said.get("question") or said["choice"]
        raise sheet.refuse(where, f"{what} has one of question and choice", "Give both, or neither")
    if "question" not in said:
        return Rated(survey)
    question, choice = (
        sheet.text(said["question"], f"question of {what}"),
        sheet.text(said["choice"], f"choice of {what}"),
    )
    if definition is not None:
        asked = definition.find(question)
        if asked is None:
            known = [each.key for each in definition.ask if each.choices]
            raise sheet.refuse(said["question"], f"survey '{survey}' has no question '{question}'", _known(known))
        if asked.choice(choice) is None:
            known = [each.key for each in asked.choices]
            raise sheet.refuse(said["choice"], f"question '{question}' has no choice '{choice}'", _known(known))
    return Rated(survey, question, choice)


def _formula(sheet: Sheet, item: Item, key: str, leaves: set[str]) -> Formula:
    what = f"formula '{key}'"
    said = sheet.mapping(item, what, needs=("label", "terms"))
    terms: dict[str, float] = {}
    for leaf, percent in sheet.entries(said["terms"], f"terms of {what}").items():
        if leaf not in leaves:
            raise sheet.refuse(percent, f"{what} names '{leaf}', which is no leaf of the tree", _known(leaves))
        terms[leaf] = float(sheet.integer(percent, f"the percentage of '{leaf}' in {what}", 0, 100))
    if sum(terms.values()) != 100:
        raise sheet.refuse(said["terms"], f"the terms of {what} make {sum(terms.values()):g} %", "Let them make 100")
    return Formula(key, sheet.words(said["label"], f"the label of {what}", limit=60), terms)


def _known(names: Mapping[str, object] | set[str] | list[str]) -> str:
    return f"Known: {', '.join(sorted(names)) or 'none'}"
