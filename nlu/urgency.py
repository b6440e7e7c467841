"""How urgent a message is (R2.3). The rules find words of danger, loss, group and exposure, unless an idiom, a denial,
a fear, a question or praise takes them back; what they found counts beside the heads that weigh the whole text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nlu.entities import amount
from nlu.lexicon import BREAKS, EXPOSURE, GROUP, IDIOM, LOSS, NEGATES, SUPPOSES, THREATENS, Hit
from nlu.understanding import Entity, Language, Nature, Urgency

LARGE = {"CNY": 10_000.0, "TWD": 40_000.0, "HKD": 10_000.0}
"""From what amount a loss is large; other currencies: LARGE_ELSEWHERE."""
LARGE_ELSEWHERE = 1_000.0


ALARM = -1.3
"""From which log odds on a message is urgent. Below 0: a call too many costs a look, one too few costs a person."""
CAUTION: dict[Language, float] = {"zh": 0.2, "en": 0.5}
"""What the fast heads alone must be surer by. An alarm calls people at once and is never taken back; what these heads
leave, encoders find within a minute. Of plain English complaints they raised every twelfth without it."""

PRAISE = 3.0
"""What clear praise takes from the log odds. Long praise tells of children, nights and accidents too; of short urgent
messages few sound positive to the other heads, and hardly one of them is a close call."""


def cues(text: str, hits: Sequence[Hit], entities: Sequence[Entity], leaning: float) -> tuple[tuple[int, int], ...]:
    """The places of the words that make a normalised text urgent by the rules; the word lists found `hits` in it, and
    `leaning` is what they say of its sentiment, -1 to 1."""
    return tuple(
        (hit.start, hit.end)
        for place, hit in enumerate(hits)
        if hit.word.urgency and hit.word.urgency != IDIOM and _holds(text, place, hits, entities, leaning)
    )


def grade(alarm: float, score: float, nature: Nature) -> Urgency:
    """How urgent a message is by its `alarm` (log odds), its sentiment's `score`, -1 to 1, and its main `nature`."""
    if alarm - PRAISE * max(score, 0.0) >= ALARM:
        return "urgent"
    return "important" if score <= _CLEARLY.get(nature, -2.0) else "normal"


def _holds(text: str, place: int, hits: Sequence[Hit], entities: Sequence[Entity], score: float) -> bool:
    start, _, word = hits[place]
    if score > _PRAISE:
        return False
    chinese = not text.isascii()
    supposed = negated = threatened = False
    for before in range(place - 1, -1, -1):
        hit = hits[before]
        if hit.word.role & BREAKS:
            break
        distance = start - hit.end
        threatened = threatened or bool(hit.word.role & THREATENS)
        supposed = supposed or bool(hit.word.role & SUPPOSES and distance <= (8 if chinese else 40))
        if hit.word.role & NEGATES and distance <= (2 if chinese else 12):
            negated = not negated
    if negated:
        return False
    reason = abs(word.urgency)
    if reason != EXPOSURE and supposed:
        return False
    if not threatened and _asked(text, start, reason == EXPOSURE):
        return False
    if word.urgency > 0:
        return True
    if reason == LOSS:
        return score < 0 and any(_large(entity) for entity in entities if entity.entity == "amount")
    if reason in {GROUP, EXPOSURE}:
        return threatened and score < 0
    return score <= _WEAKLY


def _large(entity: Entity) -> bool:
    currency, value = amount(entity)
    return value >= LARGE.get(currency, LARGE_ELSEWHERE)


def _asked(text: str, at: int, exposure: bool) -> bool:
    """Whether the word at `at` stands in a question about it: "这个会漏电吗", "what is the BBB?"."""
    ending = _SENTENCE_END.search(text, at)
    end = ending.start() if ending else len(text)
    begin = max((found.end() for found in _SENTENCE_END.finditer(text, 0, at)), default=0)
    sentence = text[begin:end].strip()
    marked = bool(ending and ending.group() == "?")
    if _ASKS_IN_CHINESE.search(sentence):
        return not _SUFFERED.search(sentence)
    return (marked or exposure) and bool(_ASKS_IN_ENGLISH.match(sentence)) and not _SUFFERED.search(sentence)


# From which score on a complaint is clear: more where it names nothing ("算了" is none).
_CLEARLY: dict[Nature, float] = {
    "product": -0.45,
    "service": -0.45,
    "price": -0.45,
    "logistics": -0.45,
    "complaint": -0.65,
}
_WEAKLY = -0.1
_PRAISE = 0.35
_SENTENCE_END = re.compile(r"[?!。.;\n]")
_ASKS_IN_CHINESE = re.compile(r"(?:吗|么|嘛)$|请问|会不会|是什么|怎么(?:打|联系|办理|走)|多少$|在哪里?$|有没有(?!人管)")
_ASKS_IN_ENGLISH = re.compile(r"(?:is|are|does|do|can|could|will|would|what|how|which|where|should|may|has|have you)\b")
_SUFFERED = re.compile(
    r"我(?:们|家|儿子|女儿|妈|爸|老公|老婆|孩子)?.{0,6}(?:被|了)|孩子.{0,4}了|\b(?:my|i was|i got|we were|i am|i'm)\b"
)
