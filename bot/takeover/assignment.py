"""Who is given a waiting conversation, where the house gives them out: a rule over those who are here.

Pure: who is here and how much each has is told; nothing is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Rule = Literal["off", "round_robin", "least_loaded"]
RULES: tuple[Rule, ...] = get_args(Rule)


@dataclass(frozen=True, slots=True)
class Giving:
    """How waiting conversations are given out: by `rule`, at most so many to one agent."""

    rule: Rule
    most: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody at their desk. `load` is how many conversations they have, `served` when they were last given one: any
    number that grows."""

    id: int
    load: int
    served: int = 0
    department: str | None = None


def choose(
    rule: Rule,
    candidates: Sequence[Candidate],
    *,
    most: int,
    department: str | None = None,
    last: int | None = None,
    refused: Collection[int] = (),
) -> int | None:
    """Whom to give a conversation; None: it waits. Nobody gets more than `most`, one of `refused` none. What was passed
    to a `department` goes to its people only. The agent whom the customer spoke to `last` comes first: they know."""
    if rule == "off":
        return None
    free = [
        each
        for each in candidates
        if each.load < most and each.id not in refused and department in (None, each.department)
    ]
    if any(each.id == last for each in free):
        return last
    if not free:
        return None
    if rule == "least_loaded":
        return min(free, key=lambda each: (each.load, each.served, each.id)).id
    return min(free, key=lambda each: (each.served, each.id)).id
