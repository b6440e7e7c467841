"""Indicators: a tree that adds up, with how sure each figure is, and leaves that say the same thing twice."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from api_parts import Place, episode
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_parts import START
from test_surveys_planning import SMS, post

import bot
from bot.errors import ContentError, Problem
from bot.indicators import reading
from bot.indicators.correlation import FEWEST, alike
from bot.indicators.rollup import Figure, combine, roll_up, worked_out
from bot.indicators.statistics import Estimate
from bot.indicators.tree import Indicator, Topic
from bot.surveys import reading as surveys_reading
from bot.yamlfile import Words
from storage import tables
from storage.database import Database

ASSISTANT = Path(bot.__file__).parent / "assistant"
SURVEYS = surveys_reading.load(ASSISTANT / "surveys.yml")
SHIPPED = (ASSISTANT / "indicators.yml").read_text("utf-8")
W = Words("话", "words")

# ---- adding up ----


def leaf(key: str, weight: float = 1) -> Indicator:
    return Indicator(key, W, weight, source=Topic("other"))


estimates = st.builds(
    lambda value, half, n: Estimate(value, n, max(0.0, value - half), min(100.0, value + half)),
    st.floats(0, 100),
    st.floats(0, 30),
    st.integers(2, 1000),
)


@st.composite
def trees(draw: st.DrawFn, level: int = 1) -> Indicator:
    weight = draw(st.integers(0, 50))
    key = draw(st.uuids()).hex
    if level == 4 or draw(st.booleans()):
        return leaf(key, weight)
    parts = tuple(draw(trees(level + 1)) for _ in range(draw(st.integers(1, 3))))
    return Indicator(key, W, weight, parts=parts)


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_every_node_lies_between_its_parts_and_its_interval_holds_it(data: st.DataObject) -> None:
    """Whatever the tree, the weights and what is missing: shares of those with figures make 100, and n adds up."""
    root = data.draw(trees())
    found = {each.key: data.draw(st.none() | estimates) for each in root.leaves()}
    figures = {figure.indicator.key: figure for figure in roll_up(root, found, None)}
    assert len(figures) == count(root)
    for figure in figures.values():
        parts = [figures[part.key] for part in figure.indicator.parts]
        present = [part for part in parts if part.weight > 0]
        assert set(figure.missing) == {each.key for each in figure.indicator.leaves() if found[each.key] is None}
        if not parts:
            assert figure.estimate == found[figure.indicator.key]
        elif figure.estimate is None:
            assert not present
        else:
            values = [part.estimate.value for part in present if part.estimate]
            assert len(values) == len(present)
            assert math.isclose(sum(part.weight for part in present), 100)
            assert min(values) - 1e-6 <= figure.estimate.value <= max(values) + 1e-6
            assert figure.estimate.n == sum(part.estimate.n for part in present if part.estimate)
            assert figure.estimate.low is not None
            assert figure.estimate.high is not None
            assert figure.estimate.low <= figure.estimate.value + 1e-6
            assert figure.estimate.value <= figure.estimate.high + 1e-6


def count(node: Indicator) -> int:
    return 1 + sum(count(part) for part in node.parts)


def test_a_weighted_mean_of_two_and_its_interval() -> None:
    """60 +/- 8 at three quarters and 80 +/- 12 at one: 65 +/- the root of 6 squared and 3 squared."""
    found = combine({"a": (3, Estimate(60, 40, 52, 68)), "b": (1, Estimate(80, 10, 68, 92))})
    assert found is not None
    assert (found.value, found.n) == (65, 50)
    assert found.high == pytest.approx(65 + math.sqrt(45))
    lonely = combine({"a": (3, Estimate(60, 40, 52, 68)), "b": (1, Estimate(80, 1))})
    assert lonely is not None
    assert (lonely.value, lonely.low) == (65, None)


def test_weights_of_a_phase_hold_in_it_and_no_others() -> None:
    root = Indicator("r", W, 1, parts=(Indicator("a", W, 9, {"sale": 1}, Topic("price")), leaf("b", 1)))
    found: dict[str, Estimate | None] = {"a": Estimate(0, 9, 0, 9), "b": Estimate(100, 9, 90, 100)}

    def value(phase: str | None) -> float:
        figure: Figure = roll_up(root, found, phase)[0]
        assert figure.estimate is not None
        return figure.estimate.value

    assert [value(phase) for phase in (None, "sale", "other")] == [10, 50, 10]


def test_the_composite_is_85_of_efficiency_and_15_of_resolution() -> None:
    """As shipped; without one of them it says nothing."""
    formula = reading.load(ASSISTANT / "indicators.yml", SURVEYS).formulas[0]
    both = {"response_efficiency": Estimate(90, 9, 80, 95), "resolution_rate": Estimate(60, 9, 40, 70)}
    found = worked_out(formula, both)
    assert found is not None
    assert found.value == pytest.approx(0.85 * 90 + 0.15 * 60)
    assert worked_out(formula, {**both, "resolution_rate": None}) is None


# ---- the same thing twice ----


def days(values: list[float]) -> dict[date, float]:
    return {date(2026, 1, 1) + timedelta(days=place): value for place, value in enumerate(values)}


def test_leaves_that_move_together_or_against_each_other_are_named_with_their_days() -> None:
    """The most alike first; what moves on its own, never moves, or has too few days in common is not named."""
    chance = random.Random(5)
    one = [chance.uniform(0, 100) for _ in range(40)]
    found = alike(
        {
            "one": days(one),
            "twin": days([each + chance.uniform(-5, 5) for each in one]),
            "against": days([100 - each for each in one]),
            "alone": days([chance.uniform(0, 100) for _ in one]),
            "still": days([50.0] * 40),
            "short": days(one[: FEWEST - 1]),
        }
    )
    assert {(pair.one, pair.other) for pair in found} == {("one", "twin"), ("one", "against"), ("twin", "against")}
    assert (found[0].one, found[0].other, found[0].n) == ("one", "against", 40)
    assert found[0].r == pytest.approx(-1)
    assert all(abs(pair.r) > 0.8 for pair in found)


# ---- the file ----

Read = Callable[[str], list[Problem]]


@pytest.fixture
def problems(tmp_path: Path) -> Read:
    def read(text: str) -> list[Problem]:
        path = tmp_path / "indicators.yml"
        path.write_text(text, "utf-8")
        try:
            reading.load(path, SURVEYS)
        except ContentError as error:
            return list(error.problems)
        return []

    return read


def test_what_is_shipped_is_right_and_three_levels_deep_and_more() -> None:
    found = reading.load(ASSISTANT / "indicators.yml", SURVEYS)
    assert found.root is not None
    assert max(figure.level for figure in roll_up(found.root, {}, None)) == 4
    assert len(found.leaves()) == 10
    assert found.phase(date(2026, 11, 11)) == "double_eleven"
    assert found.phase(date(2026, 12, 11)) is None


# What is replaced, and by what; where the problem stands; what it says; what the remedy names.
CASES = [
    ("survey: self_service", "survey: nothing", "survey: nothing", "'nothing', which there is not", "post_service"),
    (
        "measure: resolution_rate\n        - key",
        "measure: luck\n        - key",
        "measure: luck",
        "is 'luck'",
        "resolution",
    ),
    ("nature: price", "nature: money", "nature: money", "is 'money'", "logistics"),
    ("choice: attitude", "choice: shoes", "choice: shoes", "has no choice 'shoes'", "attitude"),
    ("question: agent_wrong", "question: why", "question: why", "has no question 'why'", "agent_wrong"),
    ("              question: agent_wrong\n", "", "choice: attitude", "one of question and choice", "Give both"),
    ("key: effort", "key: people", "key: people", "stands here twice", "its own key"),
    ("until: 2026-11-20", "until: 2026-10-20", "until: 2026-10-20", "ends before it begins", "Swap"),
    ("until: 2026-11-20", "until: 2027-06-02", "mid_year_sale, from", "overlap", "end before"),
    ("until: 2026-11-20", "until: soon", "until: soon", "is 'soon'", "2026-11-01"),
    ("{double_eleven: 35, mid", "{christmas: 35, mid", "christmas: 35", "which is no phase", "double_eleven"),
    ("resolution_rate: 15}", "resolution_rate: 10}", "terms:", "make 95 %", "make 100"),
    ("{response_efficiency: 85", "{speed: 85", "terms:", "names 'speed'", "agent_rating"),
    ("      weight: 35\n", "      weight: heavy\n", "weight: heavy", "is 'heavy'", "whole number"),
    (
        "nature: logistics\n\n",
        "nature: price\n          measure: luck\n\n",
        "delivery_calm",
        "has 2 of what",
        "exactly",
    ),
]


@pytest.mark.parametrize(("old", "new", "place", "message", "remedy"), CASES, ids=[case[3] for case in CASES])
def test_a_mistake_is_named_by_its_line_and_remedy(
    old: str, new: str, place: str, message: str, remedy: str, problems: Read
) -> None:
    assert old in SHIPPED
    text = SHIPPED.replace(old, new, 1)
    found = [problem for problem in problems(text) if message in problem.message]
    assert found, problems(text)
    lines = [number for number, line in enumerate(text.split("\n"), start=1) if place in line]
    assert found[0].line in lines
    assert remedy in found[0].remedy


def test_a_tree_too_deep_or_without_any_weight_is_refused(problems: Read) -> None:
    deep = "tree: {key: a, label: {zh: 话, en: a}, parts: ["
    inner = "{key: e, label: {zh: 话, en: a}, nature: price}"
    for key in "dcb":
        inner = f"{{key: {key}, label: {{zh: 话, en: a}}, parts: [{inner}]}}"
    assert "5 levels deep" in problems(deep + inner + "]}")[0].message
    none = "tree: {key: a, label: {zh: 话, en: a}, parts: [{key: b, label: {zh: 话, en: a}, weight: 0, nature: price}]}"
    assert "no part of indicator 'a' has a weight" in problems(none)[0].message


# ---- over the database ----


async def test_the_tree_is_read_from_ratings_and_cases(database: Database) -> None:
    """Each leaf from its own records in the span; what has none is named; figures of a formula come with it."""
    place = Place(database)
    for number, typed in enumerate(("5", "4", "1")):
        body = episode(f"e{number}", customer={"id": f"c{number}"})
        body["customer"]["addresses"] = [{"channel": "sms", "account": "a", "address": f"{SMS}{number}"}]
        await post(place, body)
        await place.say(typed, f"{SMS}{number}", "sms")
    await place.say("2", f"{SMS}2", "sms")  # what went wrong: staff attitude
    [case] = await place.rows(tables.cases)
    answered = {"responded_at": case["respond_by"], "resolved_at": case["respond_by"]}
    await database.write(lambda connection: connection.execute(tables.cases.update().values(answered)))
    place.clock.advance(timedelta(days=3))
    async with place.client() as client:
        span = {"since": (START - timedelta(days=1)).isoformat()}
        report: dict[str, Any] = await (await client.get("/api/v1/insights/indicators", params=span)).json()
        empty = await (await client.get("/api/v1/insights/indicators", params={"until": START.isoformat()})).json()
    found = {each["key"]: each for each in report["indicators"]}
    rating = found["service_rating"]["estimate"]
    assert (rating["n"], rating["small"]) == (3, True)
    assert rating["value"] == pytest.approx((100 + 80 + 20) / 3)
    assert rating["low"] < rating["value"] < rating["high"]
    assert found["service"]["estimate"]["value"] == rating["value"]
    assert found["service_rating"]["weight"] == 100
    assert set(found["service"]["missing"]) == {"agent_rating", "attitude", "effort"}
    assert (found["response_efficiency"]["estimate"]["value"], found["resolution_rate"]["estimate"]["value"]) == (
        100,
        100,
    )
    assert found["satisfaction"]["parent"] is None
    assert found["satisfaction"]["estimate"]["n"] == 3 + 2 + 3
    assert [(each["key"], each["estimate"]["value"]) for each in report["formulas"]] == [("composite", 100)]
    assert report["phase"] is None
    assert all(each["estimate"] is None for each in empty["indicators"])
    assert datetime.fromisoformat(empty["until"]) == START.astimezone(UTC)
