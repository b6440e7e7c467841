"""Questions that depend on answers, segments and languages; several choices; scales of one's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bot
from bot.surveys import reading, rules, versions
from bot.surveys.definitions import (
    DONE,
    RATING,
    Choice,
    Condition,
    Definition,
    Question,
    Situation,
    Surveys,
)
from bot.surveys.reading_questions import _paths
from bot.surveys.rules import Answer
from bot.surveys.scales import Scale, nearest, score
from bot.surveys.typed import Ambiguous, parse_answer
from bot.yamlfile import Words
from nlu.rating import rating
from storage.database import Database

SURVEYS = reading.load(Path(bot.__file__).parent / "assistant" / "surveys.yml")
RELATIONSHIP = SURVEYS.definitions["relationship"]
SENT = datetime(2026, 4, 1, 2, 0, tzinfo=UTC)
WORDS = Words("话", "words")
SEGMENTS = ("high_value", "potential")


def own(*scores: float) -> Scale:
    labels = {place: Words(f"第{place}档", f"Level {place}") for place in range(1, len(scores) + 1)}
    return Scale("levels", "own", labels, dict(enumerate(scores, start=1)))


# ---- scales ----


@settings(deadline=None)
@given(st.lists(st.integers(0, 100), min_size=2, max_size=11, unique=True), st.floats(0, 100))
def test_an_own_scale_is_worth_what_it_says_and_a_tie_goes_down(scores: list[int], stated: float) -> None:
    """In whatever order its values are shown; what is put in words is the nearest of them."""
    scale = own(*scores)
    assert [score(scale, value) for value in scale.values] == scores
    found = score(scale, nearest(scale, stated))
    assert all(abs(found - stated) <= abs(each - stated) for each in scores)
    assert not any(abs(found - stated) == abs(each - stated) and each < found for each in scores)
    with pytest.raises(ValueError, match="has no value"):
        score(scale, len(scores) + 1)


def test_an_own_scale_is_typed_by_place_words_or_a_figure_of_ten() -> None:
    """Its own numbers mean nothing to anybody; "9分" says its own scale."""
    definition = replace(SURVEYS.definitions["thumbs"], scale=own(0, 50, 100))
    assert parse_answer(definition, RATING, "3", rating) == Answer(RATING, "3")
    assert parse_answer(definition, RATING, "level 2", rating) == Answer(RATING, "2")
    assert parse_answer(definition, RATING, "9分", rating) == Answer(RATING, "3", stated=90.0)
    assert isinstance(parse_answer(definition, RATING, "7", rating), Ambiguous)


# ---- several choices ----


def at_reasons() -> rules.State:
    return rules.answer(RELATIONSHIP, rules.begin(RELATIONSHIP, SENT), Answer(RATING, "6"), SENT, "en").state


def test_several_choices_are_tapped_one_by_one_and_given_back() -> None:
    """Each tap says what is chosen now; the last one ends it, and what was chosen leads on."""
    outcome = rules.answer(RELATIONSHIP, at_reasons(), Answer("held_back", "price"), SENT, "en")
    assert (outcome.verdict, outcome.again, outcome.said) == ("answered", True, "Recorded: Prices")
    assert outcome.step is not None
    assert "✓ Prices" in [option.title for option in outcome.step.options]
    outcome = rules.answer(RELATIONSHIP, outcome.state, Answer("held_back", "speed"), SENT, "en")
    assert outcome.said == "Recorded: Speed, Prices"
    outcome = rules.answer(RELATIONSHIP, outcome.state, Answer("held_back", "price"), SENT, "en")
    assert outcome.state.question == "held_back"
    outcome = rules.answer(RELATIONSHIP, outcome.state, Answer("held_back", DONE), SENT, "en")
    assert (outcome.again, outcome.state.question) == (False, "interview")
    assert outcome.state.chosen["held_back"] == {"speed"}


def test_nothing_chosen_is_an_answer_too_and_no_option_of_others_is() -> None:
    """Done at once goes on; a key that is not offered, alone or among others, is refused."""
    for wrong in (Answer("held_back", "x"), Answer("held_back", options=("price", "x")), Answer("held_back")):
        assert rules.answer(RELATIONSHIP, at_reasons(), wrong, SENT, "en").refusal == "not_an_option"
    outcome = rules.answer(RELATIONSHIP, at_reasons(), Answer("held_back", DONE), SENT, "en")
    assert outcome.said == "Recorded: Nothing chosen"
    assert outcome.state.question == "interview"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 3", ("product", "speed")),
        ("1、3", ("product", "speed")),
        ("３，１, 1", ("speed", "product")),
        ("2", ("service",)),
        ("价格", ("price",)),
        ("1 和 5", ("product", "delivery")),
    ],
)
def test_several_choices_may_be_typed_together(text: str, expected: tuple[str, ...]) -> None:
    """By their numbers, with whatever stands between them, or by the words of one."""
    assert parse_answer(RELATIONSHIP, "held_back", text, rating) == Answer("held_back", options=expected)


def test_of_several_typed_choices_one_that_is_not_there_is_asked_back() -> None:
    """Never guessed; words are an answer of their own, thanks are none."""
    assert parse_answer(RELATIONSHIP, "held_back", "1 9", rating) == Ambiguous("held_back")
    assert parse_answer(RELATIONSHIP, "held_back", "选好了", rating) == Answer("held_back", DONE)
    assert parse_answer(RELATIONSHIP, "held_back", "太慢了", rating) == Answer("held_back", None, "太慢了")
    assert parse_answer(RELATIONSHIP, "held_back", "谢谢", rating) is None


def test_words_typed_after_some_taps_lose_no_choice() -> None:
    """Both are kept, in the order in which the choices stand."""
    state = rules.answer(RELATIONSHIP, at_reasons(), Answer("held_back", "price"), SENT, "en").state
    outcome = rules.answer(RELATIONSHIP, state, Answer("held_back", None, "and the hold music"), SENT, "en")
    assert outcome.said == "Recorded: Prices, and the hold music"
    assert outcome.state.chosen["held_back"] == {"price"}


# ---- branches ----


@st.composite
def surveys(draw: st.DrawFn) -> Definition:
    """A definition with up to four questions, each of whose conditions looks at anything that stands before it."""
    asked: list[Question] = []
    for number in range(draw(st.integers(1, 4))):
        keys = [f"c{each}" for each in range(draw(st.integers(0, 3)))]
        named = {
            earlier.key: frozenset(draw(st.sets(st.sampled_from([c.key for c in earlier.choices]), min_size=1)))
            for earlier in asked
            if bool(earlier.choices) and draw(st.booleans())
        }
        when = Condition(
            draw(st.sampled_from((None, 20.0, 60.0))),
            draw(st.sampled_from((None, 60.0, 80.0))),
            named,
            frozenset(draw(st.sets(st.sampled_from(SEGMENTS), max_size=1))),
            frozenset(draw(st.sets(st.sampled_from(("zh", "en")), max_size=1))),
        )
        multiple = len(keys) >= 2 and draw(st.booleans())
        choices = tuple(Choice(key, WORDS) for key in keys)
        asked.append(
            Question(key=f"q{number}", text=WORDS, choices=choices, multiple=multiple, free_text=not keys, when=when)
        )
    return replace(SURVEYS.definitions["post_service"], ask=tuple(asked), max_questions=10)


def every_way(definition: Definition) -> set[tuple[str, ...]]:
    """All ways through, by trying everything that anybody could answer, one question after the other."""
    found: set[tuple[str, ...]] = set()

    def walk(rated: float, whose: Situation, chosen: dict[str, frozenset[str]]) -> None:
        question = definition.next_question(rated, chosen, whose)
        if question is None:
            found.add(tuple(chosen))
            return
        keys = [choice.key for choice in question.choices]
        sizes = range(len(keys) + 1) if question.multiple else (1,)
        taken = [frozenset(some) for size in sizes for some in combinations(keys, size)]
        for options in [*taken, *([frozenset[str]()] if question.free_text else [])]:
            walk(rated, whose, {**chosen, question.key: options})

    for value in definition.scale.values:
        for segment in (None, *SEGMENTS):
            for language in ("zh", "en"):
                walk(score(definition.scale, value), Situation(segment, language), {})
    return found


@settings(deadline=None, max_examples=60)
@given(surveys())
def test_the_ways_that_are_checked_at_load_are_all_that_a_customer_can_go(definition: Definition) -> None:
    """No way is missed, however conditions mix, and none is made up: so what is refused as unreachable is, and nobody
    is ever asked more than was counted."""
    assert {tuple(path) for path in _paths(definition)} == every_way(definition)


def test_a_question_for_a_segment_or_a_language_is_put_to_nobody_else() -> None:
    """Both are those of the moment when the survey was sent."""
    vip = Question(key="vip", text=WORDS, free_text=True, when=Condition(segments=frozenset({"high_value"})))
    chinese = Question(key="zh", text=WORDS, free_text=True, when=Condition(languages=frozenset({"zh"})))
    definition = replace(RELATIONSHIP, ask=(vip, chinese))
    for whose, following in (
        (Situation("high_value", "en"), "vip"),
        (Situation(None, "zh"), "zh"),
        (Situation("potential", "en"), None),
    ):
        state = rules.begin(definition, SENT, whose)
        assert rules.answer(definition, state, Answer(RATING, "9"), SENT, "en").state.question == following


# ---- versions ----


async def test_what_was_asked_is_kept_and_read_back_as_it_was(database: Database) -> None:
    """Every definition that is shipped; kept once, however often the service starts; and what a survey began with
    wins over what the file says now."""
    for _ in range(2):
        await database.write(lambda connection: versions.keep(connection, SURVEYS, SENT))
    changed = replace(RELATIONSHIP, version="other", question=WORDS)
    now = Surveys({"relationship": changed})
    known = await database.read(lambda connection: versions.with_kept(connection, now))
    assert len(known.kept) == len(SURVEYS.definitions)
    begun = rules.begin(RELATIONSHIP, SENT).as_json()
    assert known.begun("relationship", begun) == RELATIONSHIP
    assert known.begun("post_service", rules.begin(SURVEYS.definitions["post_service"], SENT).as_json()) is not None
    assert known.begun("relationship", None) == changed
    assert known.begun("relationship", {**begun, "version": "never kept"}) == changed
