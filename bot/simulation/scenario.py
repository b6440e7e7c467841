"""A scenario file: who is there, what happens when, and what must be true at the end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

ACTIONS = ("say", "tap", "agent", "api", "webhook", "fault", "wait")
_OFFSET = re.compile(r"\+(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+)s)?")


class ScenarioError(Exception):
    """The file says something that cannot be played. The message names the place and the remedy."""


@dataclass(frozen=True, slots=True)
class Step:
    """`after` is counted from the start. `action` is one of ACTIONS, `value` what it is given."""

    number: int
    after: timedelta
    action: str
    value: Any
    contact: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the value at `path` must be: `test` is one of is, contains, matches, length, absent."""

    path: str
    test: str
    value: Any


@dataclass(frozen=True, slots=True)
class Scenario:
    """`contacts` gives each name its address on each channel it uses."""

    name: str
    start: datetime
    contacts: Mapping[str, Mapping[str, str]]
    settings: Mapping[str, Any]
    steps: tuple[Step, ...]
    expect: tuple[Expectation, ...] = field(default=())


def read(path: Path) -> Scenario:
    """The scenario of a file. Raises ScenarioError."""
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    if not isinstance(data, dict):
        raise ScenarioError(f"{path}: a scenario is a mapping with start, contacts, steps and expect")
    unknown = set(data) - {"name", "start", "contacts", "settings", "steps", "expect"}
    if unknown:
        raise ScenarioError(f"{path}: unknown {', '.join(sorted(unknown))}; there are start, contacts, settings, steps")
    contacts = data.get("contacts") or {}
    return Scenario(
        name=str(data.get("name", path.stem)),
        start=_start(path, data.get("start")),
        contacts={name: {k: str(v) for k, v in places.items()} for name, places in contacts.items()},
        settings=data.get("settings") or {},
        steps=tuple(_step(path, n, each, contacts) for n, each in enumerate(data.get("steps") or [], start=1)),
        expect=tuple(_expectation(path, each) for each in data.get("expect") or []),
    )


def offset(text: str) -> timedelta:
    """`+1d 2h 5m 10s`. Raises ValueError."""
    found = _OFFSET.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise ValueError(f"'{text}' is no time after the start: write for example +5m, +2h 30m, +1d")
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _start(path: Path, value: Any) -> datetime:
    try:
        start = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise ScenarioError(f"{path}: start needs a time with its zone, such as 2026-03-05T10:00:00+08:00")
    return start


def _step(path: Path, number: int, each: Any, contacts: Mapping[str, Any]) -> Step:
    where = f"{path}: step {number}"
    if not isinstance(each, dict):
        raise ScenarioError(f"{where} is no mapping")
    actions = [name for name in ACTIONS if name in each]
    if len(actions) != 1:
        raise ScenarioError(f"{where} needs exactly one of {', '.join(ACTIONS)}")
    unknown = set(each) - {"at", "from", "channel", actions[0]}
    if unknown:
        raise ScenarioError(f"{where}: unknown {', '.join(sorted(unknown))}")
    contact = each.get("from")
    if contact is not None and contact not in contacts:
        raise ScenarioError(f"{where}: there is no contact '{contact}'; there are {', '.join(contacts)}")
    try:
        after = offset(str(each.get("at", "+0s")))
    except ValueError as error:
        raise ScenarioError(f"{where}: {error}") from None
    return Step(number, after, actions[0], each[actions[0]], contact, each.get("channel"))


def _expectation(path: Path, each: Any) -> Expectation:
    tests = ("is", "contains", "matches", "length", "absent")
    found = [test for test in tests if isinstance(each, dict) and test in each]
    if not isinstance(each, dict) or "path" not in each or len(found) != 1 or len(each) != 2:
        raise ScenarioError(f"{path}: an expectation has a path and exactly one of {', '.join(tests)}: {each}")
    return Expectation(str(each["path"]), found[0], each[found[0]])
