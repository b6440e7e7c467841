"""What to do about a public comment. Pure: the same comment, understanding and facts give the same plan."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bot.comments.replies import PublicReplies
from channels.base import Comment
from nlu.understanding import Language, Understanding

Reason = Literal["complaint", "question", "feedback", "praise", "wordless", "chatter", "edited", "removed"]

LOW_BELOW = 60.0  # of 100: a score named in a comment that counts as a complaint
CLEAR_PRAISE = 0.3  # of 1: below this a thank-you could answer irony

_QUESTION = re.compile(
    "[?？]|吗|请问|怎么|怎样|如何|多少|什么时候|啥时候|几点|哪里|哪儿|哪个|能不能|可不可以|可以不|有没有|是不是|"
    r"^\W*(?:how|what|when|where|which|who|why|can|could|do|does|is|are|will|would)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentPlan:
    """`public_text` is said under the comment, word for word; `private_text`: its author gets one private reply with
    the signed link; `queue`: a person looks at it; `erase`: what is stored of its words must go, and answers to it that
    are not sent yet must not go out."""

    public_text: str | None = None
    private_text: bool = False
    queue: bool = False
    erase: bool = False
    reason: Reason


def plan(
    comment: Comment,
    understanding: Understanding | None,
    language: Language,
    replies: PublicReplies,
    *,
    answered: bool = False,
) -> CommentPlan:
    """What to do about `comment`, answered in `language`. `understanding` may be None where there are no words.

    `answered`: this author was already answered under this post. An automatic answer is given once; further comments,
    and edits of any, only come before a person. That way nothing can be provoked, and no two machines talk on.
    """
    if comment.verb == "remove":
        return CommentPlan(reason="removed", erase=True)
    if understanding is None or not comment.text.strip():
        # Only a picture, which may show what arrived broken. An edit that took the words away needs nobody.
        return CommentPlan(reason="edited" if comment.verb == "edited" else "wordless", queue=comment.verb == "add")
    complaint = is_complaint(understanding)
    if comment.verb == "edited":
        return CommentPlan(reason="edited", queue=complaint or is_question(comment.text))
    names = [comment.author_name] if comment.author_name else []
    if complaint:
        if answered:
            return CommentPlan(reason="complaint", queue=True)
        text = replies.choose("acknowledge", language, comment.comment_id, names)
        return CommentPlan(reason="complaint", public_text=text, private_text=True, queue=True)
    if is_question(comment.text):
        # Answered by a person: an automatic answer in public would be read by everybody, right or wrong.
        return CommentPlan(reason="question", queue=True)
    if understanding.sentiment.label == "positive" and understanding.nature[:1] == ("praise",):
        wanted = replies.thanks and not answered and understanding.sentiment.score >= CLEAR_PRAISE
        text = replies.choose("thank", language, comment.comment_id, names) if wanted else None
        return CommentPlan(reason="praise", public_text=text)
    if understanding.nature[:1] not in {(), ("none",), ("other",), ("praise",)}:
        return CommentPlan(reason="feedback", queue=True)
    return CommentPlan(reason="chatter")


def is_complaint(understanding: Understanding) -> bool:
    """Whether somebody is dissatisfied: by tone, by what it is about, by urgency, or by the score they name."""
    return (
        understanding.sentiment.label == "negative"
        or understanding.urgency != "normal"
        or "complaint" in understanding.nature
        or (understanding.rating is not None and understanding.rating < LOW_BELOW)
    )


def is_question(text: str) -> bool:
    """Whether the words ask for something: by their mark or by their question words."""
    return _QUESTION.search(text) is not None
