"""What must be true at the end: JSON paths into what a simulation writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bot.simulation.scenario import Expectation

_PART = re.compile(r"\.?([A-Za-z_]\w*)|\[(-?\d+|\*)\]|\[\?(\w+)=([^\]]*)\]")


def find(value: Any, path: str) -> list[Any]:
    """All values at `path`: `$.cases[0].urgency`, `$.outbox[*].state`, `$.transcript[?author=bot].text`. Raises
    ValueError for what is no path."""
    found = [value]
    rest = path.removeprefix("$")
    while rest:
        part = _PART.match(rest)
        if part is None:
            raise ValueError(f"'{path}' is no path: see '{rest}'. Write $.cases[0].state, or [*], or [?author=bot]")
        rest = rest[part.end() :]
        name, index, key, wanted = part.groups()
        found = [next_ for each in found for next_ in _step(each, name, index, key, wanted)]
    return found


def _step(value: Any, name: str | None, index: str | None, key: str | None, wanted: str | None) -> Iterable[Any]:
    if name is not None:
        return [value[name]] if isinstance(value, Mapping) and name in value else []
    if not isinstance(value, list):
        return []
    if index == "*":
        return value
    if index is not None:
        return value[int(index) :][:1]
    return [each for each in value if isinstance(each, Mapping) and str(each.get(key)) == wanted]


def failures(result: Mapping[str, Any], expected: Iterable[Expectation]) -> list[str]:
    """What is not as expected, in words; empty when all is well."""
    said = []
    for each in expected:
        found = find(result, each.path)
        if not _holds(each, found):
            said.append(f"{each.path} should {_WORDS[each.test]} {each.value!r}, but is {found!r}")
    return said


_WORDS = {
    "is": "be",
    "contains": "contain",
    "matches": "match",
    "length": "have the length",
    "absent": "be absent:",
}


def _holds(each: Expectation, found: list[Any]) -> bool:
    match each.test:
        case "is":
            return found == (each.value if isinstance(each.value, list) else [each.value])
        case "contains":
            return any(str(each.value) in str(value) for value in found)
        case "matches":
            return any(re.search(str(each.value), str(value)) for value in found)
        case "length":
            return len(found) == int(each.value)
        case _:
            return not any(str(each.value) in str(value) for value in found)
