"""The life of a case, its number, its deadlines and its department."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import bot
from bot.cases import calendar_reading, deadlines, departments, numbers, rules
from bot.cases.departments import Assignment
from bot.cases.rules import FINAL, MOVES, SETTLED, STATES, Actor, Move, Refusal, State
from bot.errors import ContentError
from nlu.understanding import Language, Nature, Urgency

ASSISTANT = Path(bot.__file__).parent / "assistant"
CALENDAR = calendar_reading.load(ASSISTANT / "calendar.yml")
DEADLINES = deadlines.load(ASSISTANT / "deadlines.yml")
DEPARTMENTS = departments.load(ASSISTANT / "departments.yml")
ACTORS: tuple[Actor, ...] = get_args(Actor)
LANGUAGES: tuple[Language, ...] = ("zh", "en")


# ---- states ----


def test_the_whole_way_of_a_case_is_legal() -> None:
    """From received to the customer's own word, by way of one reopening."""
    state: State = "received"
    way: list[tuple[State, Actor]] = [
        ("acknowledged", "system"),
        ("assigned", "system"),
        ("returned", "staff"),
        ("assigned", "staff"),
        ("planned", "staff"),
        ("in_progress", "staff"),
        ("resolved", "staff"),
        ("following_up", "system"),
        ("reopened", "customer"),
        ("in_progress", "staff"),
        ("resolved", "staff"),
        ("following_up", "system"),
        ("closed_unconfirmed", "system"),
        ("closed", "customer"),
    ]
    for new, by in way:
        moved = rules.move(state, new, by, "a reason")
        assert isinstance(moved, Move), moved
        state = moved.new


@settings(deadline=None)
@given(st.sampled_from(STATES), st.sampled_from(STATES), st.sampled_from(ACTORS), st.sampled_from(["", "  ", "why"]))
def test_a_move_is_made_or_refused_in_words(old: State, new: State, by: Actor, reason: str) -> None:
    """For any two states: what is not in the table is refused, and the refusal is readable in both languages."""
    moved = rules.move(old, new, by, reason)
    if isinstance(moved, Move):
        assert new in MOVES[old]
        assert (moved.old, moved.new, moved.by) == (old, new, by)
    else:
        for language in LANGUAGES:
            assert moved.said(language)
            assert "{" not in moved.said(language)


def test_only_the_customers_rating_closes_a_case() -> None:
    """Neither staff nor a timer do; a timer may close it unconfirmed, which is another state."""
    for by in ("staff", "system"):
        refused = rules.move("following_up", "closed", by)
        assert isinstance(refused, Refusal)
        assert refused.code == "not_theirs"
    assert isinstance(rules.move("following_up", "closed_unconfirmed", "staff"), Refusal)
    assert isinstance(rules.move("following_up", "closed", "customer"), Move)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("assigned", "returned", "needs_reason"),
        ("in_progress", "merged", "needs_reason"),
        ("closed", "reopened", "needs_reason"),
        ("received", "resolved", "no_such_move"),
        ("resolved", "resolved", "same_state"),
        ("merged", "reopened", "final"),
    ],
)
def test_an_illegal_move_is_refused_for_its_reason(old: State, new: State, code: str) -> None:
    """The code says which rule it broke."""
    refused = rules.move(old, new, "customer")
    assert isinstance(refused, Refusal)
    assert refused.code == code


def test_a_refusal_names_what_is_possible_instead() -> None:
    """In the words of the desk, not in ours."""
    refused = rules.move("returned", "resolved", "staff")
    assert isinstance(refused, Refusal)
    assert "“退回重新分派”" in refused.said("zh")
    assert "已分派" in refused.said("zh")
    assert "assigned" in refused.said("en")


def test_every_state_is_reached_and_every_open_one_has_a_way_on() -> None:
    """No dead ends but the final states, and each state has a name in both languages."""
    reached: set[State] = {"received"}
    for _ in STATES:
        reached |= {new for old in reached for new in MOVES[old]}
    assert reached == set(STATES) == set(MOVES)
    assert {state for state in STATES if not MOVES[state]} == FINAL
    assert len({rules.name(state, language) for state in STATES for language in LANGUAGES}) == 2 * len(STATES)
    assert FINAL < SETTLED


@pytest.mark.parametrize(
    ("score", "before", "state", "after"),
    [
        (100.0, "normal", "closed", "normal"),
        (80.0, "urgent", "closed", "urgent"),
        (79.9, "normal", "reopened", "important"),
        (0.0, "important", "reopened", "urgent"),
        (60.0, "urgent", "reopened", "urgent"),
    ],
)
def test_80_of_100_closes_and_less_reopens_more_urgent(
    score: float, before: Urgency, state: str, after: Urgency
) -> None:
    """R4.2."""
    assert rules.judged(score, before) == rules.Verdict(state, after)  # type: ignore[arg-type] # one of its two


class CaseLife(RuleBasedStateMachine):
    """Anybody tries anything, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.state: State = "received"
        self.timeline: list[Move] = []

    @rule(new=st.sampled_from(STATES), by=st.sampled_from(ACTORS), reason=st.sampled_from(["", "because"]))
    def somebody_moves_it(self, new: State, by: Actor, reason: str) -> None:
        moved = rules.move(self.state, new, by, reason)
        if isinstance(moved, Move):
            self.timeline.append(moved)
            self.state = moved.new

    @invariant()
    def the_timeline_is_whole(self) -> None:
        """Each move begins where the last one ended, and nothing follows a final state."""
        assert all(one.new == other.old for one, other in zip(self.timeline, self.timeline[1:], strict=False))
        assert all(moved.old not in FINAL for moved in self.timeline)

    @invariant()
    def no_case_is_closed_without_the_customer(self) -> None:
        assert all(moved.by == "customer" for moved in self.timeline if moved.new == "closed")

    @invariant()
    def work_is_assigned_before_it_is_done(self) -> None:
        seen = [moved.new for moved in self.timeline]
        assert "resolved" not in seen or "assigned" in seen[: seen.index("resolved")]


TestCaseLife = CaseLife.TestCase
TestCaseLife.settings = settings(deadline=None, max_examples=50, stateful_step_count=30)


# ---- numbers ----


@settings(deadline=None)
@given(st.integers(1, 10**12))
def test_a_number_leads_back_to_its_case(case_id: int) -> None:
    """Said alone, with spaces, dashes, full-width digits, or behind a word."""
    number = numbers.number(case_id)
    assert len(number) >= 4
    assert number[0] != "0"
    wide = number.translate({ord(str(digit)): chr(0xFF10 + digit) for digit in range(10)})
    for text in (
        number,
        f" #{number}.",
        "-".join(number),
        " ".join(number),
        wide,
        f"工单号：{number}",
        f"case no. {number}",
    ):
        assert numbers.parse(text) == case_id, text


@settings(deadline=None)
@given(st.integers(1, 99_999_999), st.data())
def test_one_wrong_digit_is_always_noticed(case_id: int, data: st.DataObject) -> None:
    """Damm's digit detects every single substitution."""
    number = numbers.number(case_id)
    place = data.draw(st.integers(0, len(number) - 1))
    wrong = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[place]]))
    assert numbers.parse(number[:place] + wrong + number[place + 1 :]) is None


@settings(deadline=None)
@given(st.integers(1, 99_999_999), st.data())
def test_two_neighbours_swapped_are_always_noticed(case_id: int, data: st.DataObject) -> None:
    """And every transposition of adjacent digits that differ."""
    number = numbers.number(case_id)
    place = data.draw(st.integers(0, len(number) - 2))
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert swapped == number or numbers.parse(swapped) is None


@pytest.mark.parametrize(
    "text",
    [
        "我的工单{}到哪一步了？",
        "工单号是{}，麻烦查一下",
        "投诉编号 {} 有进展吗",
        "Any news on case {}?",
        "my case number is {} thanks",
        "order 123456 is late, see ticket #{}",
        "13812345678，编号{}",
        "2026-11-21 报的，{}，还没人理",
        "{}",
        "what about {}",
    ],
)
def test_a_number_is_found_in_a_sentence(text: str) -> None:
    """Beside dates, telephones and orders."""
    assert numbers.parse(text.format(numbers.number(2041))) == 2041


@pytest.mark.parametrize(
    "text",
    [
        *("", "你好", "13812345678", "等了5天", "9:30", "2026-11-21", "¥1007", "$1007", "1007元", "1007%", "0000"),
        *(
            "A1007",
            "1007b",
            "1.1007",
            "x" * 100_000,
            "1" * 100_000,
            "1-" * 50_000,
            "case " * 20_000,
            "1008",
            "case 1008",
        ),
    ],
)
def test_other_figures_are_not_case_numbers(text: str) -> None:
    """Telephones, prices, dates, parts of words; and text of any length is looked at quickly."""
    assert numbers.parse(text) is None


@settings(deadline=None)
@given(st.text(max_size=400))
def test_any_text_has_a_case_number_or_none(text: str) -> None:
    """Nothing raises; what is found is the number of a case."""
    found = numbers.parse(text)
    assert found is None or numbers.number(found)


def test_there_is_no_case_zero() -> None:
    """Ids begin at 1."""
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="1 or more"):
            numbers.number(wrong)


# ---- deadlines ----


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CALENDAR.zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("urgency", "start", "due", "zh", "en"),
    [
        ("urgent", "2026-11-20 23:50", "2026-11-21 01:50", "两小时内", "within 2 hours"),
        ("important", "2026-11-20 10:00", "2026-11-20 18:00", "今天 18:00 前", "by 18:00 today (Beijing time)"),
        ("important", "2026-11-20 22:00", "2026-11-21 17:00", "明天 17:00 前", "by 17:00 tomorrow (Beijing time)"),
        ("normal", "2026-11-19 10:00", "2026-11-20 10:00", "明天 10:00 前", "by 10:00 tomorrow (Beijing time)"),
        ("normal", "2026-11-19 22:00", "2026-11-21 09:00", "后天 9:00 前", "by 9:00 on Saturday (Beijing time)"),
    ],
)
def test_a_promise_is_the_deadline_itself(urgency: Urgency, start: str, due: str, zh: str, en: str) -> None:
    """2, 8 and 24 hours, with office hours counted, said as the instant that is kept."""
    begun = local(start)
    assert deadlines.due(DEADLINES, CALENDAR, "first_response", begun, urgency).due_at == local(due)
    said = [deadlines.promise(DEADLINES, CALENDAR, urgency, begun, language) for language in LANGUAGES]
    assert said == [zh, en]


def test_a_plan_takes_seven_days_and_a_follow_up_three() -> None:
    """R4.2; the warning comes at three quarters."""
    begun = local("2026-11-20 10:00")
    plan = deadlines.due(DEADLINES, CALENDAR, "plan", begun)
    assert plan.due_at - begun == timedelta(days=7)
    assert plan.warn_at - begun == timedelta(days=7) * 0.75
    assert deadlines.due(DEADLINES, CALENDAR, "follow_up", begun).due_at - begun == timedelta(days=3)
    assert DEADLINES.close_from == 80


@settings(deadline=None)
@given(
    st.timedeltas(timedelta(0), timedelta(days=730)).map(lambda later: datetime(2026, 1, 1, tzinfo=UTC) + later),
    st.sampled_from(("first_response", "plan", "follow_up")),
    st.sampled_from(("urgent", "important", "normal")),
)
def test_a_warning_lies_between_the_start_and_the_deadline(
    start: datetime, task: deadlines.Task, urgency: Urgency
) -> None:
    """Whenever it begins; and nothing is answered before what is urgent."""
    due = deadlines.due(DEADLINES, CALENDAR, task, start, urgency)
    assert start < due.warn_at <= due.due_at
    if task == "first_response":
        urgent = deadlines.due(DEADLINES, CALENDAR, task, start, "urgent").due_at
        assert urgent <= due.due_at


# ---- departments ----


@pytest.mark.parametrize(
    ("natures", "expected"),
    [
        (["product"], Assignment("product")),
        (["price"], Assignment("marketing")),
        (["logistics", "service"], Assignment("logistics", ("service",), "quality")),
        (["service", "complaint"], Assignment("service")),
        (["logistics", "none"], Assignment("logistics")),
        (["none"], Assignment("service")),
        ([], Assignment("service")),
    ],
)
def test_a_case_goes_to_the_department_of_its_nature(natures: Sequence[Nature], expected: Assignment) -> None:
    """Several natures of several departments: the main one leads, quality coordinates."""
    assert departments.assign(DEPARTMENTS, natures) == expected


# ---- content ----


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("deadlines", "    hours: 2\n", "    hours: 0\n", "hours of first_response, urgent, is '0'"),
        ("deadlines", "    hours: 2\n", "", "needs either `hours` or `days`"),
        ("deadlines", "    hours: 2\n", "    hours: 2\n    days: 1\n", "needs either `hours` or `days`"),
        ("deadlines", "    counted: clock\n", "    counted: sheep\n", "is 'sheep'"),
        ("deadlines", 'zh: "{by} 前"', "zh: 很快", "names no {by}"),
        ("deadlines", "warn_at_percent: 75", "warn_at_percent: 100", "warn_at_percent is '100'"),
        ("deadlines", "close_from: 80", "", "lacks 'close_from'"),
        ("departments", "  price: marketing\n", "  price: sales\n", "the department of price is 'sales'"),
        ("departments", "  price: marketing\n", "", "natures lacks 'price'"),
        ("departments", "hub: service", "hub: nobody", "the hub is 'nobody'"),
        ("departments", "en: Logistics", "fr: Logistique", "has the unknown key 'fr'"),
    ],
)
def test_a_mistake_in_the_content_is_named_by_its_line(
    file: str, old: str, new: str, message: str, tmp_path: Path
) -> None:
    """The service does not start half-configured."""
    text = (ASSISTANT / f"{file}.yml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / f"{file}.yml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    load = deadlines.load if file == "deadlines" else departments.load
    with pytest.raises(ContentError, match=re.escape(message)) as caught:
        load(path)
    at = text[: text.index(old)].count("\n") + 1
    assert any(
        problem.remedy and ("lacks" in problem.message or abs(problem.line - at) <= 3)
        for problem in caught.value.problems
    )
