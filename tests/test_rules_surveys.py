"""The life of a survey: scores, branching, changes, refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bot
from bot.surveys import reading, rules
from bot.surveys.definitions import DONE, RATING, Definition, Question
from bot.surveys.rules import Answer, State
from bot.surveys.scales import Kind, Scale, score
from channels.base import Button, option_numbers
from nlu.understanding import Language

SENT = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
SURVEYS = reading.load(Path(bot.__file__).parent / "assistant" / "surveys.yml")
POST_SERVICE = SURVEYS.definitions["post_service"]
HOUR = timedelta(hours=1)
LANGUAGES: tuple[Language, ...] = ("zh", "en")


def rate(
    value: int, state: State | None = None, *, after: timedelta = HOUR, of: Definition = POST_SERVICE
) -> rules.Outcome:
    return rules.answer(of, state or rules.begin(of, SENT), Answer(RATING, str(value)), SENT + after, "en")


def reply(state: State, question: str, option: str, *, after: timedelta = 2 * HOUR) -> rules.Outcome:
    return rules.answer(POST_SERVICE, state, Answer(question, option), SENT + after, "en")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("csat5", {1: 20, 2: 40, 3: 60, 4: 80, 5: 100}),
        ("thumbs", {0: 0, 1: 100}),
        ("nps", {0: 0, 6: 60, 9: 90, 10: 100}),
        ("ces", {5: 500 / 7, 7: 100}),
    ],
)
def test_each_scale_maps_to_its_stated_score(kind: Kind, expected: Mapping[int, float]) -> None:
    """score = 100 x value / maximum, as R5.1 says."""
    scale = Scale("any", kind, {})
    assert {value: score(scale, value) for value in expected} == pytest.approx(expected)


@settings(deadline=None)
@given(st.sampled_from(("csat5", "thumbs", "nps", "ces")), st.integers(-20, 20), st.integers(-20, 20))
def test_scores_rise_with_the_value_and_stay_within_0_and_100(kind: Kind, one: int, other: int) -> None:
    """A value of the scale has a score of 0 to 100 that rises with it; another value is refused."""
    scale = Scale("any", kind, {})
    for value in (one, other):
        if value in scale.values:
            assert 0 <= score(scale, value) <= 100
        else:
            with pytest.raises(ValueError, match="has no value"):
                score(scale, value)
    if one in scale.values and other in scale.values and one < other:
        assert score(scale, one) < score(scale, other)


@settings(deadline=None)
@given(st.sampled_from(("csat5", "thumbs", "nps", "ces")), st.floats(0, 100))
def test_the_nearest_value_is_never_beaten_and_a_tie_goes_down(kind: Kind, stated: float) -> None:
    """No value of the scale is nearer to the stated score, and of two equally near the lower one is taken."""
    scale = Scale("any", kind, {})
    found = rules.nearest(scale, stated)
    distance = abs(score(scale, found) - stated)
    assert all(
        abs(score(scale, value) - stated) > distance
        or (abs(score(scale, value) - stated) == distance and value >= found)
        for value in scale.values
    )


def test_half_a_point_never_makes_us_look_better() -> None:
    """Nine of ten lies between four and five stars: it is four."""
    assert rules.nearest(POST_SERVICE.scale, 90.0) == 4


@pytest.mark.parametrize("definition", SURVEYS.definitions.values(), ids=SURVEYS.definitions)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_survey_begins_with_every_value_of_its_scale_and_none_preselected(
    definition: Definition, language: Language
) -> None:
    """The first step is the rating with all its options, and the state bears no answer."""
    state = rules.begin(definition, SENT)
    step = rules.step(definition, state, language)
    assert step is not None
    assert step.question == RATING
    assert [option.value for option in step.options] == [str(value) for value in definition.scale.values]
    assert (state.value, state.score, state.rated_at, state.answers, state.low) == (None, None, None, (), False)


@pytest.mark.parametrize("definition", SURVEYS.definitions.values(), ids=SURVEYS.definitions)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_typed_for_an_option_is_what_a_channel_without_buttons_lists(
    definition: Definition, language: Language
) -> None:
    """The digits of an option are those that `channels.base.option_numbers` gives to its button."""
    questions: tuple[Scale | Question, ...] = (definition.scale, *definition.ask)
    for offered in (rules.options(asked, language) for asked in questions):
        numbers = option_numbers([Button(option.title, option.value) for option in offered])
        assert [option.typed for option in offered] == [str(found) for found in numbers]


@pytest.mark.parametrize(
    ("value", "question", "low"), [(1, "went_wrong", True), (3, "do_better", False), (5, "did_well", False)]
)
def test_the_next_question_depends_on_the_score(value: int, question: str, low: bool) -> None:
    """A low rating is asked what went wrong, a high one what we did well."""
    outcome = rate(value)
    assert outcome.verdict == "rated"
    assert outcome.low is low
    assert outcome.step is not None
    assert outcome.step.question == question
    assert outcome.thanks is None


def test_the_answer_to_the_last_question_is_thanked_by_band() -> None:
    """After the reason nothing more is asked, and the thanks fit the rating."""
    outcome = reply(rate(2).state, "went_wrong", "waited")
    assert (outcome.verdict, outcome.step) == ("answered", None)
    assert outcome.thanks == POST_SERVICE.thanks.low.en
    assert outcome.state.question is None
    assert reply(rate(5).state, "did_well", "fast").thanks == POST_SERVICE.thanks.high.en


def test_what_was_recorded_is_said_in_the_words_of_the_button() -> None:
    """The toast names the answer as the customer read it, in both languages."""
    given = Answer(RATING, "4")
    said = [
        rules.answer(POST_SERVICE, rules.begin(POST_SERVICE, SENT), given, SENT, language).said
        for language in LANGUAGES
    ]
    assert said == ["已记录：🙂 满意", "Recorded: 🙂 Good"]


def test_a_score_put_in_words_is_kept_as_it_was_said() -> None:
    """Nine of ten is 90, on a scale of five as well; the value is the nearest one."""
    state = rules.begin(POST_SERVICE, SENT)
    outcome = rules.answer(POST_SERVICE, state, Answer(RATING, "4", stated=90.0), SENT, "en")
    assert (outcome.state.value, outcome.state.score) == (4, 90.0)
    assert outcome.said == "Recorded: 90 / 100"


def test_a_change_within_the_window_replaces_the_rating_and_tells_the_old_one() -> None:
    """2 becomes 5: the old value goes to the history, the question changes with the band."""
    outcome = rate(5, rate(2).state, after=24 * HOUR)
    assert outcome.verdict == "rating_changed"
    assert (outcome.old_value, outcome.old_score) == (2, 40.0)
    assert (outcome.state.value, outcome.state.score, outcome.low) == (5, 100.0, False)
    assert outcome.step is not None
    assert outcome.step.question == "did_well"
    assert outcome.said == "Changed to: 😍 Excellent"


def test_a_question_that_stands_before_the_customer_is_not_put_again() -> None:
    """2 becomes 1 while "what went wrong" waits: the answer is acknowledged, and the question stays."""
    outcome = rate(1, rate(2).state)
    assert (outcome.verdict, outcome.step, outcome.thanks) == ("rating_changed", None, None)
    assert outcome.state.question == "went_wrong"


def test_the_maximum_holds_even_for_a_definition_that_was_never_checked() -> None:
    """Where one question is allowed, the rating is it."""
    outcome = rate(1, of=replace(POST_SERVICE, max_questions=1))
    assert (outcome.step, outcome.state.question) == (None, None)
    assert outcome.thanks == POST_SERVICE.thanks.low.en


def test_a_change_that_makes_a_rating_low_says_so() -> None:
    """The case that a low rating opens is opened by a change too."""
    assert rate(1, rate(5).state, after=2 * HOUR).low


def test_the_window_for_changes_is_counted_from_the_first_rating() -> None:
    """Changing again and again does not keep the window open."""
    state = rate(4, rate(2).state, after=24 * HOUR).state
    late = rate(5, state, after=25 * HOUR)
    assert (late.verdict, late.refusal) == ("refused", "already_counted")
    assert late.state == state


def test_the_same_tap_twice_changes_nothing_and_asks_nothing_again() -> None:
    """A double tap is acknowledged, and that is all."""
    state = rate(2).state
    outcome = rate(2, state)
    assert (outcome.verdict, outcome.state, outcome.step, outcome.thanks) == ("unchanged", state, None, None)
    answered = reply(state, "went_wrong", "waited").state
    again = reply(answered, "went_wrong", "waited")
    assert (again.verdict, again.state, again.step, again.thanks) == ("unchanged", answered, None, None)


def test_a_reason_may_be_changed_within_the_window_only() -> None:
    """Another reason replaces the first; after the window it is already counted."""
    state = reply(rate(2).state, "went_wrong", "waited").state
    changed = reply(state, "went_wrong", "attitude")
    assert changed.verdict == "answer_changed"
    assert changed.state.chosen == {"went_wrong": {"attitude"}}
    assert changed.thanks is None  # it was said before
    assert reply(state, "went_wrong", "attitude", after=26 * HOUR).refusal == "already_counted"


def test_an_answer_that_the_changed_rating_no_longer_leads_to_is_left_out() -> None:
    """Who changes 2 to 5 no longer says what went wrong, and its old buttons count nothing."""
    state = rate(5, reply(rate(2).state, "went_wrong", "waited").state, after=2 * HOUR).state
    assert state.answers == ()
    assert reply(state, "went_wrong", "waited").refusal == "not_asked"


def test_a_tap_counts_if_it_was_received_before_the_expiry() -> None:
    """One microsecond decides, by the time of receipt."""
    last = POST_SERVICE.expires - timedelta(microseconds=1)
    assert rate(4, after=last).verdict == "rated"
    late = rate(4, after=POST_SERVICE.expires)
    assert (late.verdict, late.refusal, late.state.value) == ("refused", "expired", None)


def test_a_rating_that_stands_is_not_called_expired() -> None:
    """After the expiry a rated survey says that the rating is counted; an open question of it has expired."""
    state = rate(2, after=POST_SERVICE.expires - HOUR).state
    assert rate(3, state, after=POST_SERVICE.expires).refusal == "already_counted"
    assert reply(state, "went_wrong", "waited", after=POST_SERVICE.expires).refusal == "expired"


def test_a_partial_answer_resumes_days_later() -> None:
    """The question after the rating may be answered until the survey expires."""
    state = State.from_json(json.loads(json.dumps(rate(2).state.as_json())))
    assert rules.step(POST_SERVICE, state, "zh") is not None
    assert reply(state, "went_wrong", "waited", after=timedelta(days=13)).verdict == "answered"


def test_a_superseded_survey_counts_nothing_more() -> None:
    """Its buttons say that a newer survey has taken its place, and it asks nothing."""
    state = rules.supersede(rules.begin(POST_SERVICE, SENT), SENT + HOUR)
    outcome = rate(4, state, after=HOUR)
    assert (outcome.verdict, outcome.refusal) == ("refused", "superseded")
    assert rules.step(POST_SERVICE, state, "en") is None


def test_a_tap_received_before_the_newer_survey_counts_but_asks_no_more() -> None:
    """What was worked on late keeps its effect; one survey at a time awaits an answer."""
    state = rules.supersede(rules.begin(POST_SERVICE, SENT), SENT + 2 * HOUR)
    outcome = rate(2, state, after=HOUR)
    assert (outcome.verdict, outcome.low, outcome.step) == ("rated", True, None)


@pytest.mark.parametrize("option", ["0", "6", "", "４", "4 ", "five", None, "-1", "1e0"])
def test_a_rating_that_was_never_offered_is_refused(option: str | None) -> None:
    """Whatever a forged form sends, only the scale's own values count."""
    outcome = rules.answer(POST_SERVICE, rules.begin(POST_SERVICE, SENT), Answer(RATING, option), SENT, "zh")
    assert (outcome.verdict, outcome.refusal) == ("refused", "not_an_option")


def test_answers_out_of_turn_are_refused() -> None:
    """No reason without a rating, none of another band, none of an unknown question, no choice that is not there."""
    begun = rules.begin(POST_SERVICE, SENT)
    low = rate(1).state
    assert reply(begun, "went_wrong", "waited").refusal == "not_asked"
    assert reply(low, "did_well", "fast").refusal == "not_asked"
    assert reply(low, "nothing_of_ours", "x").refusal == "not_asked"
    assert reply(low, "went_wrong", "nothing_of_ours").refusal == "not_an_option"
    assert rules.answer(POST_SERVICE, low, Answer("went_wrong", None, "  "), SENT, "en").refusal == "not_an_option"


def test_free_text_is_kept_to_a_length() -> None:
    """100,000 characters are no reason to fail; 2,000 are kept."""
    outcome = rules.answer(POST_SERVICE, rate(1).state, Answer("went_wrong", None, "慢" * 100_000), SENT + HOUR, "zh")
    assert outcome.verdict == "answered"
    assert outcome.state.answers[0].text == "慢" * 2000


def test_a_question_taken_out_of_the_file_meanwhile_breaks_nothing() -> None:
    """An open survey whose question is gone asks no more, and its buttons are refused."""
    state = rate(1).state
    shorter = replace(POST_SERVICE, ask=())
    assert rules.step(shorter, state, "en") is None
    assert rules.answer(shorter, state, Answer("went_wrong", "waited"), SENT, "en").refusal == "not_asked"


def test_the_reminder_comes_once_and_only_while_it_is_of_use() -> None:
    """It is due two days after sending; not before, not twice, not once rated, superseded or expired."""
    state = rules.begin(POST_SERVICE, SENT)
    due = SENT + timedelta(hours=48)
    assert rules.reminder_at(POST_SERVICE, state) == due
    assert rules.remind(POST_SERVICE, state, due - timedelta(seconds=1), "zh") is None
    reminded = rules.remind(POST_SERVICE, state, due, "zh")
    assert reminded is not None
    assert len(reminded[1].options) == 5
    for other in (reminded[0], rate(4).state, rules.supersede(state, SENT)):
        assert rules.reminder_at(POST_SERVICE, other) is None
        assert rules.remind(POST_SERVICE, other, due, "zh") is None
    assert rules.remind(POST_SERVICE, state, SENT + POST_SERVICE.expires, "zh") is None
    assert rules.reminder_at(SURVEYS.definitions["agent"], rules.begin(SURVEYS.definitions["agent"], SENT)) is None


def test_an_unclear_answer_is_asked_back_once() -> None:
    """With the buttons; the second time it is left alone."""
    asked = rules.ask_back(POST_SERVICE, rules.begin(POST_SERVICE, SENT), "en")
    assert asked is not None
    assert asked[1].options == rules.options(POST_SERVICE.scale, "en")
    assert rules.ask_back(POST_SERVICE, asked[0], "en") is None


@pytest.mark.parametrize("definition", SURVEYS.definitions.values(), ids=SURVEYS.definitions)
@settings(deadline=None)
@given(data=st.data())
def test_any_sequence_of_answers_ends_within_the_maximum_and_survives_storage(
    definition: Definition, data: st.DataObject
) -> None:
    """Whatever a customer taps in whatever order: the questions on their way never exceed the maximum, the score is the
    value's, the rating never vanishes, and the state is the same after JSON."""
    state, rated = rules.begin(definition, SENT), False
    keys = [RATING, *(question.key for question in definition.ask), "unknown"]
    values = (
        [str(value) for value in definition.scale.values]
        + [c.key for q in definition.ask for c in q.choices]
        + ["9999"]
    )
    minutes = 0
    for _ in range(data.draw(st.integers(0, 12))):
        minutes += data.draw(st.integers(0, 60 * 24))
        option = data.draw(st.sampled_from([*values, None]))
        given_answer = Answer(data.draw(st.sampled_from(keys)), option, "words" if option is None else "")
        outcome = rules.answer(definition, state, given_answer, SENT + timedelta(minutes=minutes), "en")
        assert outcome.said
        assert (outcome.refusal is None) == (outcome.verdict != "refused")
        if outcome.verdict in ("refused", "unchanged"):
            assert outcome.state == state
        assert not (outcome.step and outcome.thanks)
        state = State.from_json(json.loads(json.dumps(outcome.state.as_json())))
        assert state == outcome.state
        rated = rated or outcome.verdict == "rated"
        assert rated == (state.value is not None) == (state.score is not None)
        if state.value is not None:
            assert state.score == score(definition.scale, state.value)
        asked = {*state.chosen, state.question} - {None, RATING}
        assert 1 + len(asked) <= definition.max_questions


@pytest.mark.parametrize("definition", SURVEYS.definitions.values(), ids=SURVEYS.definitions)
@settings(deadline=None)
@given(data=st.data())
def test_answering_every_question_always_reaches_the_thanks(definition: Definition, data: st.DataObject) -> None:
    """From any rating, with any choices, the thanks come within the maximum."""
    state = rules.begin(definition, SENT)
    for _ in range(definition.max_questions):
        step = rules.step(definition, state, "zh")
        assert step is not None
        if step.several:  # ticked one by one, some given back
            for tick in data.draw(st.lists(st.sampled_from([option.value for option in step.options[:-1]]))):
                state = rules.answer(definition, state, Answer(step.question, tick), SENT, "zh").state
                assert state.question == step.question
        ends = [DONE] if step.several else [option.value for option in step.options]
        chosen = data.draw(st.sampled_from(ends + [None] * step.free_text))
        outcome = rules.answer(definition, state, Answer(step.question, chosen, "" if chosen else "话"), SENT, "zh")
        assert outcome.refusal is None
        state = outcome.state
        if outcome.thanks is not None:
            return
    pytest.fail("no thanks within the maximum")
