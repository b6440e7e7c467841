"""Mistakes in surveys.yml are named by file, line and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import bot
from bot.errors import ContentError, Problem
from bot.surveys import reading
from bot.surveys.reading import TITLE_LIMIT

SHIPPED = (Path(bot.__file__).parent / "assistant" / "surveys.yml").read_text(encoding="utf-8")
START = SHIPPED[: SHIPPED.index("scales:")]
SCALES = """\
scales:
  thumb:
    kind: thumbs
    labels:
      1: {zh: 好, en: Good}
      0: {zh: 不好, en: Bad}
"""
SURVEY = """\
surveys:
  one:
    trigger: episode
    scale: thumb
    question: {zh: 怎么样, en: How was it}
    thanks: {low: {zh: 谢谢, en: Thanks}, high: {zh: 谢谢, en: Thanks}}
"""
ASK = """\
    ask:
      - key: why
        when: {score: {below: 60}}
        text: {zh: 为什么, en: Why}
        choices: {slow: {zh: 慢, en: Slow}, rude: {zh: 态度, en: Rude}}
"""

Read = Callable[[str], list[Problem]]


@pytest.fixture
def problems(tmp_path: Path) -> Read:
    """Reads a file of these words, and gives what is wrong with it."""

    def read(text: str) -> list[Problem]:
        path = tmp_path / "surveys.yml"
        path.write_text(text, encoding="utf-8")
        try:
            reading.load(path)
        except ContentError as error:
            return list(error.problems)
        return []

    return read


def line_of(text: str, words: str) -> int:
    return text[: text.index(words, len(START))].count("\n") + 1


def test_what_is_shipped_and_what_these_tests_begin_with_are_right(problems: Read) -> None:
    """Otherwise the mistakes below would prove nothing."""
    assert problems(SHIPPED) == []
    assert problems(START + SCALES + SURVEY + ASK) == []


SCALE_LINE = "    scale: thumb\n"
CHOICES = "        choices: {slow: {zh: 慢, en: Slow}, rude: {zh: 态度, en: Rude}}\n"
TEXT = "text: {zh: 为什么, en: Why}"
WHEN = "{score: {below: 60}}"
QUESTION = "{zh: 怎么样, en: How was it}"

# What is replaced, and by what; where the problem stands; what it says; what the remedy names.
CASES: list[tuple[str, str, str, str, str]] = [
    ("trigger: episode", "trigger: sometimes", "sometimes", "the trigger of survey 'one' is 'sometimes'", "case_res"),
    ("scale: thumb\n", "scale: toes\n", "scale: toes", "uses the scale 'toes'", "thumb"),
    (SCALE_LINE, SCALE_LINE + "    colour: red\n", "colour", "unknown key 'colour'", "cooldown_days"),
    (SCALE_LINE, "", "    trigger", "survey 'one' lacks 'scale'", "Add 'scale'"),
    ("en: How was it", "de: Wie war es", "Wie", "unknown key 'de'", "zh, en"),
    (QUESTION, "{zh: 怎么样}", "question: {zh: 怎么样}", "has no English text", "`en:`"),
    (QUESTION, "How was it", "How was it", "not in both languages", "{zh:"),
    ("en: How was it", "en: 'How was {it}'", "How was", "unknown placeholder '{it}'", "none"),
    ("en: How was it", "en: 'How was {it'", "How was", "a brace without its pair", "Known here"),
    ("kind: thumbs", "kind: csat5", "0: {zh: 不好", "labels 0, which csat5 does not have", "1, 2, 3, 4, 5"),
    ("      0: {zh: 不好, en: Bad}\n", "", "1: {zh: 好", "has no label for 0", "1, 0"),
    ("kind: thumbs", "kind: toes", "kind: toes", "is 'toes'", "csat5, thumbs, nps, ces"),
    ("en: Good", f"en: {'G' * (TITLE_LIMIT + 1)}", "1: {zh: 好", "has 21 characters", "20"),
    ("en: Good", "en: ''", "en: ''", "is not a text", "Write words"),
    (SCALE_LINE, SCALE_LINE + "    expiry_days: 0\n", "expiry_days", "expiry_days of survey 'one' is '0'", "1 to 365"),
    (SCALE_LINE, SCALE_LINE + "    expiry_days: soon\n", "expiry_days", "is 'soon'", "whole number"),
    (SCALE_LINE, SCALE_LINE * 2, SCALE_LINE + "    question", "stands here twice", "Keep one"),
    ("trigger: episode", "trigger: volunteered\n    touchpoints: [a]", "touchpoints", "has touchpoints", "`episode`"),
    (
        "    ask:",
        "    reminder: {after_hours: 336, text: {zh: 嗯, en: Hm}}\n    ask:",
        "reminder",
        "when it has expired",
        "before 336",
    ),
    (WHEN, "{score: {under: 60}}", "when", "unknown key 'under'", "from, below"),
    (WHEN, "{score: {from: 20, below: 90}}", "- key: why", "'why' of survey 'one' can never be asked", "`when`"),
    (WHEN, "{why: [slow]}", "why: [slow]", "a loop", "Put 'why' above"),
    (WHEN, "{mood: [slow]}", "mood", "waits for 'mood', which is not a question", "Known: score"),
    ("key: why", "key: rating", "key: rating", "has a key that is taken", "none is 'rating'"),
    (CHOICES, "", "- key: why", "cannot be answered", "free_text"),
    (TEXT, TEXT + "\n        free_text: maybe", "free_text: maybe", "is 'maybe'", "true, false"),
    (SCALE_LINE, SCALE_LINE + "    sample_percent: 101\n", "sample_percent", "is '101'", "0 to 100"),
    (SCALE_LINE, SCALE_LINE + "    every: quarter\n", "every", "triggered by episode", "go together"),
    ("trigger: episode", "trigger: schedule", "    trigger", "triggered by schedule", "`every:`"),
    (SCALE_LINE, SCALE_LINE + "    quiet_hours: {from: 9pm, until: 08:00}\n", "quiet", "is '9pm'", "21:30"),
    (SCALE_LINE, SCALE_LINE + "    quiet_hours: {from: 08:00, until: 08:00}\n", "quiet", "never end", "08:00"),
    (SCALE_LINE, SCALE_LINE + "    anonymous: maybe\n", "anonymous", "is 'maybe'", "true, false"),
    ("kind: thumbs\n", "kind: thumbs\n    scores: {1: 9, 0: 1}\n", "scores", "has its own mapping", "`kind: own`"),
    ("kind: thumbs", "kind: own", "    kind: own", "does not say what its values are worth", "scores: {1: 0"),
    ("kind: thumbs\n", "kind: own\n    scores: {1: 9}\n", "scores", "scores 1", "each of 1, 0 a score"),
    ("kind: thumbs\n", "kind: own\n    scores: {1: 9, 0: 9}\n", "scores", "scores 1, 0", "not all the same"),
    ("kind: thumbs\n", "kind: own\n    scores: {1: 900, 0: 9}\n", "scores", "is '900'", "0 to 100"),
    (WHEN, "{language: [fr]}", "language", "is 'fr'", "zh, en"),
    (TEXT, TEXT + "\n        consent: interview", "consent", "asks for consent", "just `yes` and `no`"),
    (CHOICES, CHOICES.replace("slow:", '"*done":'), "choices", "begins with *", "letters and digits"),
    ("surveys:\n", "surveys: none\nold:\n", "surveys: none", "surveys is not a mapping", "key: value"),
]


@pytest.mark.parametrize(("old", "new", "place", "message", "remedy"), CASES, ids=[case[3] for case in CASES])
def test_a_mistake_is_named_by_its_line_and_remedy(
    old: str, new: str, place: str, message: str, remedy: str, problems: Read
) -> None:
    """The author is told where, what, and what to write instead."""
    body = SCALES + SURVEY + ASK
    assert old in body
    text = START + body.replace(old, new, 1)
    found = [problem for problem in problems(text) if message in problem.message]
    assert found, problems(text)
    assert (found[0].file, found[0].line) == ("surveys.yml", line_of(text, place))
    assert remedy in found[0].remedy


SECOND = """\
      - key: more
        when: {why: [slow]}
        text: {zh: 多慢, en: How slow}
        choices: {day: {zh: 一天, en: A day}}
"""


def test_a_question_on_an_earlier_choice_is_reached_through_it(problems: Read) -> None:
    """Branches on reasons are walked; a branch on a reason of another band is never reached."""
    assert problems(START + SCALES + SURVEY + ASK + SECOND) == []
    high = SECOND.replace("{why: [slow]}", "{why: [slow], score: {from: 60}}")
    (problem,) = problems(START + SCALES + SURVEY + ASK + high)
    assert "question 'more' of survey 'one' can never be asked" in problem.message


def test_a_choice_that_no_question_offers_is_refused(problems: Read) -> None:
    """A condition names the options of the question that it looks at."""
    (problem,) = problems(START + SCALES + SURVEY + ASK + SECOND.replace("[slow]", "[slwo]"))
    assert problem.message.endswith("'slwo'")
    assert "slow, rude" in problem.remedy


def test_one_question_too_many_is_refused_at_load(problems: Read) -> None:
    """The rating counts; the longest way through is named."""
    third = SECOND.replace("key: more", "key: most").replace("{why: [slow]}", "{more: [day]}")
    (problem,) = problems(START + SCALES + SURVEY + ASK + SECOND + third)
    assert "asks up to 4 questions (the rating, why, more, most), more than max_questions: 3" in problem.message
    assert problems(START + SCALES + SURVEY + "    max_questions: 4\n" + ASK + SECOND + third) == []


def test_a_question_that_waits_for_a_later_one_is_a_loop(problems: Read) -> None:
    """Conditions look back only, so that every survey ends."""
    text = START + SCALES + SURVEY + ASK.replace("{score: {below: 60}}", "{more: [day]}") + SECOND
    assert any(
        "waits for 'more', which is not asked before it: a loop" in problem.message for problem in problems(text)
    )


def test_two_surveys_for_the_same_moment_are_refused(problems: Read) -> None:
    """Nobody could say which is sent; other touchpoints tell them apart."""
    two = SURVEY.removeprefix("surveys:\n").replace("one:", "two:")
    (problem,) = problems(START + SCALES + SURVEY + two)
    assert "surveys 'one' and 'two' are for the same moment (episode)" in problem.message
    apart = two.replace("trigger: episode", "trigger: episode\n    touchpoints: [repair]")
    assert problems(START + SCALES + SURVEY + apart) == []


def test_all_mistakes_are_told_at_once(problems: Read) -> None:
    """In the order of their lines."""
    text = (
        START + SCALES.replace("en: Bad", "fr: Mal") + SURVEY.replace("episode", "never") + ASK.replace("en: Why", "")
    )
    found = problems(text)
    assert len(found) >= 3
    assert [problem.line for problem in found] == sorted(problem.line for problem in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("surveys: [", "not valid YAML"),
        ("a: b: c", "not valid YAML"),
        ("just words", "is not a mapping"),
        ("[1, 2]", "is not a mapping"),
        ("\x00", "not valid YAML"),
        ("a: &a [*a]", "an anchor"),
        ("a: &x {b: c}\nd: *x", "an anchor"),
        ("{}", "lacks 'phrases'"),
        ("? [a, b]\n: c", "lacks 'phrases'"),
        ("[" * 100_000, "nested over 20 deep"),
        ("{a: " * 100_000, "nested over 20 deep"),
        ("a: 1\n---\nb: 2", "a second document"),
        ("!!python/object/apply:os.system ['true']", "is not a mapping"),
    ],
)
def test_what_is_no_content_at_all_is_refused_in_words(text: str, message: str, problems: Read) -> None:
    """Never a traceback."""
    assert any(message in problem.message for problem in problems(text)), problems(text)


def test_bytes_that_are_not_utf_8_and_a_missing_file_are_refused_in_words(tmp_path: Path) -> None:
    """The operator is told which file."""
    path = tmp_path / "surveys.yml"
    for _ in ("missing", "not UTF-8"):
        with pytest.raises(ContentError, match=r"surveys\.yml:1: cannot be read") as caught:
            reading.load(path)
        assert str(path) in caught.value.problems[0].remedy
        path.write_bytes("满意".encode("gb18030"))


def test_the_version_moves_with_the_words_and_not_with_the_lines(tmp_path: Path) -> None:
    """A comment changes nothing; another question, label, phrase or word that is no answer makes another version:
    else what was kept would go on saying the old ones for ever."""
    whole = START + SCALES + SURVEY
    changed = (
        ("How was it", "How was this"),
        ("Good", "Fine"),
        ("Recorded", "Noted"),
        ("\n  - 谢谢\n", "\n  - 多谢\n"),
    )
    path = tmp_path / "surveys.yml"

    def version(text: str) -> str:
        path.write_text(text, encoding="utf-8")
        return reading.load(path).definitions["one"].version

    assert version(whole) == version("# a comment\n" + whole)
    for old, _ in changed:
        assert old in whole
    assert len({version(whole), *(version(whole.replace(old, new, 1)) for old, new in changed)}) == 5
