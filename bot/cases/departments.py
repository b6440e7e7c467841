"""Who takes a case, by what it is about: `departments.yml` (R4.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from bot.takeover.assignment import RULES, Giving, Rule
from bot.yamlfile import Sheet, Words
from nlu.understanding import Nature

MOST = 1_000
"""Conversations that an agent may be given at most."""

NATURES: tuple[Nature, ...] = get_args(Nature)


@dataclass(frozen=True, slots=True)
class Departments:
    """`hub` takes what is returned; `coordinator` looks after a case that concerns several; `giving` is how waiting
    conversations are given out, None: as the settings have it."""

    names: Mapping[str, Words]
    by_nature: Mapping[Nature, str]
    hub: str
    coordinator: str
    giving: Giving | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """`lead` answers for the case. With several departments, `others` get a sub-task each, and `coordinator` is set."""

    lead: str
    others: tuple[str, ...] = ()
    coordinator: str | None = None


def assign(departments: Departments, natures: Sequence[Nature]) -> Assignment:
    """The departments for a case of these natures, the main one first; the hub if there is none."""
    # "service" beside "logistics" is a second department; "none" beside anything is nothing.
    named = [departments.by_nature[nature] for nature in natures if nature != "none"]
    found = list(dict.fromkeys(named)) or [departments.hub]
    if len(found) == 1:
        return Assignment(found[0])
    return Assignment(found[0], tuple(found[1:]), departments.coordinator)


def load(path: Path, text: str | None = None) -> Departments:
    """The departments of a file, or of the `text` that it would hold. Raises ContentError with every problem found."""
    sheet = Sheet(path, text)
    names: dict[str, Words] = {}
    by_nature: dict[Nature, str] = {}
    hub = coordinator = ""
    giving: Giving | None = None
    with sheet.part():
        needs = ("departments", "natures", "hub", "coordinator")
        top = sheet.mapping(sheet.root, "departments.yml", needs=needs, may=("assignment",))
        for key, item in sheet.entries(top["departments"], "departments").items():
            with sheet.part():
                names[key] = sheet.words(item, f"the name of department '{key}'", limit=60)
        with sheet.part():
            for nature, item in sheet.mapping(top["natures"], "natures", needs=NATURES).items():
                with sheet.part():
                    by_nature[nature] = sheet.choice(item, f"the department of {nature}", names)  # type: ignore[index] # one of NATURES
        with sheet.part():
            hub = sheet.choice(top["hub"], "the hub", names)
        with sheet.part():
            coordinator = sheet.choice(top["coordinator"], "the coordinator", names)
        with sheet.part():
            if "assignment" in top:
                given = sheet.mapping(top["assignment"], "assignment", needs=("rule", "most"))
                rule: Rule = sheet.choice(given["rule"], "the rule of assignment", RULES)  # type: ignore[assignment] # chosen of them
                giving = Giving(rule, sheet.integer(given["most"], "'most' of assignment", 1, MOST))
    sheet.check()
    return Departments(names, by_nature, hub, coordinator, giving)
