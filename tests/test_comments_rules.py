"""What is done about a public comment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.comments.filter import public_filter
from bot.comments.replies import LANGUAGES, PublicReplies, read
from bot.comments.rules import CommentPlan, Reason, plan
from channels.base import Comment
from nlu.understanding import Intent, Language, Nature, Polarity, Sentiment, Understanding, Urgency

REPLIES = read(Path(__file__).parent.parent / "bot" / "assistant" / "public_replies.yml")
TEXTS = {text for variants in REPLIES.texts.values() for text in variants}


def comment(text: str = "等了三天还没发货", **changes: Any) -> Comment:
    base = Comment(
        dedupe_key="comment:1_2:add",
        thread="comment:1_2",
        sent_at=datetime(2026, 3, 2, 9, tzinfo=UTC),
        post_id="9_1",
        comment_id="1_2",
        parent_id=None,
        author_scoped_id="678",
        author_name="Li Na",
        text=text,
        verb="add",
    )
    return replace(base, **changes)


def understood(
    label: Polarity = "neutral",
    score: float = 0.0,
    nature: tuple[Nature, ...] = ("none",),
    urgency: Urgency = "normal",
    rating: float | None = None,
    language: Language = "zh",
) -> Understanding:
    return Understanding(
        text="",
        language=language,
        intent=Intent("nlu_fallback", 0.2),
        sentiment=Sentiment(label, score),
        nature=nature,
        urgency=urgency,
        rating=rating,
    )


ANGRY = understood("negative", -0.8, ("logistics",))
HAPPY = understood("positive", 0.9, ("praise",))

LANGUAGE = st.sampled_from(LANGUAGES)
UNDERSTANDINGS = st.none() | st.builds(
    understood,
    st.sampled_from(get_args(Polarity)),
    st.floats(-1, 1),
    st.lists(st.sampled_from(get_args(Nature)), max_size=3).map(tuple),
    st.sampled_from(get_args(Urgency)),
    st.none() | st.floats(0, 100),
    LANGUAGE,
)
COMMENTS = st.builds(
    lambda text, name, author, comment_id, verb: comment(
        text, author_name=name, author_scoped_id=author, comment_id=comment_id, verb=verb
    ),
    st.text(max_size=200)
    | st.sampled_from(["我叫李娜，电话13812345678", "order 2041, anna@example.com", "@bot {name}", ""]),
    st.none() | st.text(max_size=40) | st.sampled_from(["Li Na", "Thank", "colleague", "同事", "我们", "您"]),
    st.text(min_size=1, max_size=20),
    st.text(min_size=1, max_size=30),
    st.sampled_from(["add", "edited", "remove"]),
)


# ---- what a comment gets ----


@pytest.mark.parametrize(
    "understanding",
    [
        ANGRY,
        understood(urgency="urgent"),
        understood(urgency="important"),
        understood(nature=("service", "complaint")),
        understood("positive", 0.6, ("praise",), rating=20.0),
        understood("positive", 0.9, ("praise",), urgency="urgent"),
    ],
)
def test_a_complaint_gets_all_three(understanding: Understanding) -> None:
    """Dissatisfaction by tone, nature, urgency or a low score named gets one approved sentence in public, one private
    reply and a place in the queue."""
    found = plan(comment(), understanding, "zh", REPLIES)
    assert found.public_text in REPLIES.texts["acknowledge", "zh"]
    assert (found.private_text, found.queue, found.erase, found.reason) == (True, True, False, "complaint")


def test_the_answer_is_in_the_asked_language() -> None:
    """English comments are answered in English, Chinese in Chinese."""
    for language in LANGUAGES:
        assert plan(comment(), ANGRY, language, REPLIES).public_text in REPLIES.texts["acknowledge", language]


@pytest.mark.parametrize(
    "text",
    [
        "Where is your shop?",
        "how do I return it",
        "请问周末营业吗",
        "有没有黑色的",
        "多少钱",
        "在哪里买？",
        "Lovely! Do you ship to Canada?",
    ],
)
def test_a_question_waits_for_a_person(text: str) -> None:
    """A question goes to the queue, and nothing automatic is said in public or in private, even beside praise."""
    for understanding in (understood(), HAPPY):
        assert plan(comment(text), understanding, "zh", REPLIES) == CommentPlan(reason="question", queue=True)


def test_clear_praise_is_thanked_if_that_is_wanted() -> None:
    """Praise gets an approved thank-you and nobody's time; with `praise: silent` it gets nothing."""
    thanked = plan(comment("太好喝了"), HAPPY, "en", REPLIES)
    assert thanked.public_text in REPLIES.texts["thank", "en"]
    assert (thanked.private_text, thanked.queue) == (False, False)
    silent = plan(comment("太好喝了"), HAPPY, "en", replace(REPLIES, thanks=False))
    assert silent == CommentPlan(reason="praise")


def test_doubtful_praise_is_not_thanked() -> None:
    """Faint praise may be irony, and a thank-you under irony is a second insult."""
    assert plan(comment("呵呵真行"), understood("positive", 0.1, ("praise",)), "zh", REPLIES).public_text is None


def test_feedback_is_read_and_chatter_is_left_alone() -> None:
    """A suggestion, or a word about product, service, price or delivery, comes before a person; small talk does not."""
    for nature in ("suggestion", "product", "service", "price", "logistics"):
        assert plan(comment("有点淡"), understood(nature=(nature,)), "zh", REPLIES).reason == "feedback"
    assert plan(comment("第一"), understood(), "zh", REPLIES) == CommentPlan(reason="chatter")


def test_a_picture_alone_comes_before_a_person() -> None:
    """A comment without words may show what arrived broken."""
    for understanding in (None, understood()):
        assert plan(comment(" "), understanding, "zh", REPLIES) == CommentPlan(reason="wordless", queue=True)


# ---- once, and no more ----


def test_an_edit_never_gets_an_answer() -> None:
    """An edit into a complaint or a question comes before a person; nothing is said again, in public or in private."""
    edited = comment("还没发货", verb="edited")
    assert plan(edited, ANGRY, "zh", REPLIES) == CommentPlan(reason="edited", queue=True)
    assert plan(replace(edited, text="几点开门？"), understood(), "zh", REPLIES) == CommentPlan(
        reason="edited", queue=True
    )
    assert plan(edited, HAPPY, "zh", REPLIES) == CommentPlan(reason="edited")
    assert plan(replace(edited, text=""), None, "zh", REPLIES) == CommentPlan(reason="edited")


def test_a_removal_erases_and_nothing_else() -> None:
    """Whatever it said, a removed comment is erased, and nobody is written to."""
    assert plan(comment(verb="remove"), ANGRY, "zh", REPLIES) == CommentPlan(reason="removed", erase=True)
    assert plan(comment("", verb="remove"), None, "en", REPLIES) == CommentPlan(reason="removed", erase=True)


def test_who_was_answered_under_a_post_is_not_answered_again() -> None:
    """Ten angry comments of one person get one automatic answer; all ten come before a person."""
    assert plan(comment(), ANGRY, "zh", REPLIES, answered=True) == CommentPlan(reason="complaint", queue=True)
    assert plan(comment("好喝"), HAPPY, "zh", REPLIES, answered=True) == CommentPlan(reason="praise")


def test_two_decisions_about_one_comment_are_equal() -> None:
    """A turn that is decided twice says the same sentence, also in another process: the choice is fixed, not random."""
    assert plan(comment(), ANGRY, "zh", REPLIES) == plan(comment(), ANGRY, "zh", REPLIES)
    four = PublicReplies({("thank", "en"): ("A.", "B.", "C.", "D.")}, thanks=True)
    # sha256sum of the id begins with c6c954b685bfc3a3: the last of its first 16 hex digits, modulo 4.
    assert four.choose("thank", "en", "900000000000001_1001") == "D."


def test_different_comments_do_not_all_read_the_same() -> None:
    """Over many comments every variant is used: a page does not look like a machine's."""
    said = {REPLIES.choose("acknowledge", "en", f"1_{n}") for n in range(200)}
    assert said == set(REPLIES.texts["acknowledge", "en"])


# ---- nothing personal, whatever comes ----


@given(COMMENTS, UNDERSTANDINGS, LANGUAGE, st.booleans())
def test_nothing_of_a_comment_reaches_the_public(
    said: Comment, understanding: Understanding | None, language: Language, answered: bool
) -> None:
    """Whoever writes whatever: a public text is an approved sentence, letter for letter, passes the filter with the
    author's name, and goes only under new comments; a plan never erases and answers at once."""
    found = plan(said, understanding, language, REPLIES, answered=answered)
    assert found.reason in get_args(Reason)
    names = [said.author_name] if said.author_name else []
    if found.public_text is not None:
        assert found.public_text in TEXTS
        assert public_filter(found.public_text, names) is None
        assert REPLIES.refusal(found.public_text, names) is None
        assert said.verb == "add"
        assert not answered
    if found.private_text:
        assert said.verb == "add"
        assert found.queue
    assert found.erase == (said.verb == "remove")
    assert not (found.erase and (found.public_text or found.private_text or found.queue))


def test_a_sentence_that_holds_the_authors_name_is_passed_over() -> None:
    """If a variant happens to name the author the next one is said; if all do, nothing is, and a person still looks."""
    first = REPLIES.choose("thank", "en", "1_2")
    assert first is not None
    word = first.split()[0].strip(",")
    other = REPLIES.choose("thank", "en", "1_2", [word])
    assert other != first
    named = PublicReplies(dict.fromkeys(REPLIES.texts, ("Colleagues care.",)), thanks=True)
    found = plan(comment(author_name="Colleagues"), ANGRY, "en", named)
    assert found == CommentPlan(reason="complaint", private_text=True, queue=True)
