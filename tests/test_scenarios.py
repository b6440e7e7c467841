"""Whole journeys on a virtual clock, through the same code as production, and what must be true at their end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.settings import load
from bot.simulation.expecting import failures, find
from bot.simulation.play import play
from bot.simulation.scenario import Expectation, ScenarioError, offset, read

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.yml"))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One trained model for all of them."""
    return tmp_path_factory.mktemp("models")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
async def test_a_journey_comes_out_as_it_must(path: Path, models: Path) -> None:
    """Everything that the scenario expects is so."""
    scenario = read(path)
    assert scenario.expect, "a scenario that expects nothing cannot fail"
    result = await play(scenario, load(environment={}, encoders=False), models)
    assert failures(result, scenario.expect) == []


def test_there_are_enough_journeys_in_both_languages() -> None:
    """At least twenty, and neither language is an afterthought."""
    names = [read(path).name for path in SCENARIOS]
    assert len(names) >= 20
    chinese = sum(any("\u4e00" <= sign <= "\u9fff" for sign in name) for name in names)
    assert 8 <= chinese <= len(names) - 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps: [", "expected"),
        ("[]", "a scenario is a mapping"),
        ("start: 2026-03-05T10:00:00\n", "needs a time with its zone"),
        ("start: soon\n", "needs a time with its zone"),
        ("begin: 1\n", "unknown begin"),
        ("start: 2026-03-05T10:00:00+08:00\nsteps: [{from: li, say: x}]", "no contact 'li'"),
        ("start: 2026-03-05T10:00:00+08:00\nsteps: [{at: later, wait: x}]", "no time after the start"),
        ("start: 2026-03-05T10:00:00+08:00\nsteps: [{at: +1m}]", "exactly one of say, tap"),
        ("start: 2026-03-05T10:00:00+08:00\nsteps: [{say: x, tap: y}]", "exactly one of say, tap"),
        ("start: 2026-03-05T10:00:00+08:00\nexpect: [{path: $.x}]", "exactly one of is, contains"),
    ],
)
def test_a_scenario_that_cannot_be_played_says_where_and_why(tmp_path: Path, text: str, said: str) -> None:
    """In a sentence, with the place."""
    path = tmp_path / "s.yml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=said):
        read(path)


async def test_a_step_that_cannot_be_done_is_named(tmp_path: Path, models: Path) -> None:
    """A button that is not there."""
    path = tmp_path / "s.yml"
    path.write_text(
        "start: 2026-03-05T10:00:00+08:00\ncontacts: {li: {web: v1}}\nsteps: [{at: +1m, from: li, tap: 没有这个按钮}]"
    )
    with pytest.raises(ScenarioError, match="step 1: li has no button '没有这个按钮' on web"):
        await play(read(path), load(environment={}, encoders=False), models)


@pytest.mark.parametrize(
    ("text", "seconds"), [("+5m", 300), ("+1d 2h 3m 4s", 93784), ("+90s", 90), ("+2h", 7200), ("+14d", 1209600)]
)
def test_offsets_are_read_as_they_are_written(text: str, seconds: int) -> None:
    """Days, hours, minutes, seconds."""
    assert offset(text).total_seconds() == seconds


DATA: dict[str, Any] = {"a": [{"b": 1, "c": "x"}, {"b": 2, "c": "y"}], "d": {"e": []}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.a[0].b", [1]),
        ("$.a[-1].b", [2]),
        ("$.a[*].b", [1, 2]),
        ("$.a[?c=y].b", [2]),
        ("$.a[9].b", []),
        ("$.d.e", [[]]),
        ("$.nothing.there", []),
    ],
)
def test_a_path_finds_what_it_names(path: str, found: list[Any]) -> None:
    """And nothing else; what is not there is an empty list."""
    assert find(DATA, path) == found


@pytest.mark.parametrize(
    ("test", "value", "holds"),
    [
        ("is", [1, 2], True),
        ("is", 1, False),
        ("contains", "2", True),
        ("contains", "3", False),
        ("matches", "^1$", True),
        ("length", 2, True),
        ("length", 1, False),
        ("absent", "1", False),
        ("absent", "7", True),
    ],
)
def test_an_expectation_can_fail(test: str, value: Any, holds: bool) -> None:
    """What does not hold is said in words."""
    assert (failures(DATA, [Expectation("$.a[*].b", test, value)]) == []) is holds


def test_a_broken_path_is_refused_with_an_example() -> None:
    """It would otherwise find nothing, and an `absent` would hold for ever."""
    with pytest.raises(ValueError, match=r"Write \$\.cases\[0\]\.state"):
        find(DATA, "$.a[(@.b)]")
