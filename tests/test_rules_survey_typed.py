"""Answers that are typed instead of tapped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bot
from bot.surveys import reading
from bot.surveys.definitions import RATING, Definition
from bot.surveys.rules import Answer
from bot.surveys.scales import Kind, Scale
from bot.surveys.typed import Ambiguous, parse_answer, plain
from bot.yamlfile import Words
from nlu.rating import rating

SURVEYS = reading.load(Path(bot.__file__).parent / "assistant" / "surveys.yml")
POST_SERVICE = SURVEYS.definitions["post_service"]
THUMBS = SURVEYS.definitions["thumbs"]


def parse(text: str, question: str = RATING, of: Definition = POST_SERVICE) -> Answer | Ambiguous | None:
    return parse_answer(of, question, text, rating)


@pytest.mark.parametrize("text", ["4", " 4 ", "4.", "4!", "4！", "４", "4。", "④", "4️⃣", "04", "4~"])
def test_a_digit_on_the_scale_is_that_rating(text: str) -> None:
    """Full width, with a full stop, or framed as an emoji."""
    assert parse(text) == Answer(RATING, "4")


@pytest.mark.parametrize(
    "text", ["满意", "满意！", "😟 不满意", "非常满意。", "good", "Very poor", "GOOD!", "5 Excellent", "😡"]
)
def test_the_words_of_a_button_are_that_rating(text: str) -> None:
    """In either language, whatever the conversation's, with or without signs; the emoji alone too."""
    found = parse(text)
    expected = {"满意": "4", "不满意": "2", "非常满意": "5", "good": "4", "verypoor": "1", "5excellent": "5", "": "1"}
    assert found == Answer(RATING, expected[plain(text)])


@pytest.mark.parametrize(
    "text",
    [
        *("谢谢", "谢谢！", "转人工", "人工", "好的", "Thanks!", "thank you", "a person please", "ok", "退订", "STOP"),
        *(
            "",
            "   ",
            "?",
            "🙏",
            "我要买50个",
            "我要买5个苹果手机",
            "5 of my friends came",
            "订单号 20411234",
            "2024112101",
            "-5",
            "+1",
            "$5",
            "¥5",
            "5%",
            "0.5",
        ),
        *("等了5天还没到", "5号来", "a", "0x5", "5a", "5,5", "4\n5", "\x00", "\ud800"),
    ],
)
def test_what_is_not_a_rating_is_not_taken_for_one(text: str) -> None:
    """Thanks, wishes, orders, amounts and noise go the way of every other message."""
    assert parse(text) is None


@pytest.mark.parametrize("text", ["我要买5个", "来两份", "５件。", "5 pieces", "I want 3 of those", "order 5 boxes"])
def test_a_quantity_that_could_be_a_rating_is_ambiguous(text: str) -> None:
    """Five of something, while five stars are open: asked back, never counted."""
    assert parse(text) == Ambiguous(RATING)


@pytest.mark.parametrize("text", ["0", "6", "10", "100", "８"])
def test_a_bare_number_that_the_scale_lacks_is_ambiguous(text: str) -> None:
    """ "10" on a scale of five is asked back, never guessed."""
    assert parse(text) == Ambiguous(RATING)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("给你们打9分", Answer(RATING, "4", stated=90.0)),
        ("4分", Answer(RATING, "4", stated=80.0)),
        ("2 stars", Answer(RATING, "2", stated=40.0)),
        ("0分", Answer(RATING, "1", stated=0.0)),
        ("👍", Answer(RATING, "5", stated=100.0)),
        ("90分", Answer(RATING, "4", stated=90.0)),
        ("四星", Answer(RATING, "4", stated=80.0)),
        ("nine out of ten", Answer(RATING, "4", stated=90.0)),
    ],
)
def test_a_rating_in_words_keeps_the_score_it_states(text: str, expected: Answer) -> None:
    """On the open scale, or on the one that the words name; the value is the nearest one that the scale has."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [("👍", "1"), ("👎🏽", "0"), ("1", "1"), ("2", "0"), ("Yes", "1"), ("不满意", "0"), ("9分", "1"), ("3分", "0")],
)
def test_a_thumb_may_be_typed(text: str, value: str) -> None:
    """By its sign, by its place in the list, by its words, or as a figure of ten."""
    found = parse(text, of=THUMBS)
    assert isinstance(found, Answer)
    assert found.option == value
    assert parse("0", of=THUMBS) == Ambiguous(RATING)


def test_a_choice_may_be_typed_by_number_or_words() -> None:
    """The reasons are listed by number where there are no buttons."""
    assert parse("1", "went_wrong") == Answer("went_wrong", "waited")
    assert parse("等太久了！", "went_wrong") == Answer("went_wrong", "waited")
    assert parse("2 Staff attitude", "went_wrong") == Answer("went_wrong", "attitude")
    assert parse("7", "went_wrong") == Ambiguous("went_wrong")


def test_free_text_is_an_answer_where_it_is_asked_for() -> None:
    """What went wrong may be told in one's own words; thanks and a request for a person still are none."""
    assert parse(" 师傅迟到了两小时 ", "went_wrong") == Answer("went_wrong", None, "师傅迟到了两小时")
    for text in ("谢谢", "转人工", "Thanks!", "  "):
        assert parse(text, "went_wrong") is None
    assert parse("4", "missing", THUMBS) == Answer("missing", None, "4")


def test_a_question_of_choices_alone_takes_no_other_words() -> None:
    """Words that name no choice go on to be understood as usual."""
    question = POST_SERVICE.ask[0]
    closed = replace(question, key="closed", free_text=False)
    definition = replace(POST_SERVICE, ask=(closed,))
    assert parse("师傅迟到了", "closed", definition) is None
    assert parse("anything", "no_such_question", definition) is None


def test_a_label_that_two_buttons_share_is_no_answer() -> None:
    """Two options may bear the same emoji; it alone then says nothing."""
    scale = Scale("twins", "thumbs", {1: Words("🙂 好", "🙂 Yes"), 0: Words("🙂 不好", "🙂 No")})
    definition = replace(THUMBS, scale=scale)
    assert parse("🙂", of=definition) is None
    assert parse("好", of=definition) == Answer(RATING, "1")


@settings(deadline=None)
@given(st.text(max_size=300), st.sampled_from(sorted(SURVEYS.definitions)), st.booleans())
def test_any_text_is_an_answer_of_the_scale_or_none(text: str, key: str, follow_up: bool) -> None:
    """No text whatsoever raises, or yields a value that was not offered."""
    definition = SURVEYS.definitions[key]
    question = definition.ask[0].key if follow_up else RATING
    found = parse_answer(definition, question, text, rating)
    if isinstance(found, Answer) and found.option is not None:
        offered = (
            {choice.key for choice in definition.ask[0].choices}
            if follow_up
            else {str(v) for v in definition.scale.values}
        )
        assert found.option in offered


@pytest.mark.parametrize("kind", ["csat5", "nps", "ces"])
def test_every_value_of_a_numeric_scale_may_be_typed(kind: Kind) -> None:
    """0 to 10 on a recommendation scale included."""
    scale = Scale("plain", kind, {value: Words(str(value), str(value)) for value in Scale("", kind, {}).values})
    definition = replace(THUMBS, scale=scale)
    for value in scale.values:
        assert parse(str(value), of=definition) == Answer(RATING, str(value))
