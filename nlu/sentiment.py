"""Judgements in a text by the word lists: negation, degree, contrast, concession and wishes are taken into account."""

from __future__ import annotations

from collections.abc import Sequence
from math import tanh
from typing import NamedTuple

from nlu.lexicon import BREAKS, CONCEDES, CONTRASTS, NEGATES, STRENGTHENS, WEAKENS, WISHES, Hit, Lexicon, Word
from nlu.normalise import clip, normalise
from nlu.understanding import Language, Polarity


class Judgement(NamedTuple):
    """A judging word from `start` to `end` of the text; `weight` is what it weighs there (negative: a bad one)."""

    start: int
    end: int
    weight: float


def judgements(hits: Sequence[Hit], reach: int) -> list[Judgement]:
    """The judging words among `hits`, weighed. A negator reaches `reach` characters far within its clause."""
    found: list[Judgement] = []
    sentence = 0  # where the sentence begins in `found`
    negated_until = -1
    degree = 1.0
    turned = 1.0
    wished = False
    last = len(hits) - 1
    for place, (start, end, word) in enumerate(hits):
        role = word.role
        if role & BREAKS:
            negated_until, degree, wished = -1, 1.0, False
            sentence = len(found)
            turned = 1.0
            continue
        weight = word.weight
        if role:
            follows = place < last and hits[place + 1].start <= end + 1 and hits[place + 1].word.weight
            if role & _TURNS:
                if role & CONTRASTS:
                    for index in range(max(0, sentence - 2), len(found)):
                        found[index] = found[index]._replace(weight=found[index].weight * 0.6)
                    turned = 1.4
                elif not weight:
                    turned = 0.6
                negated_until = -1
            if role & WISHES:
                wished = True
            if role & STRENGTHENS and (follows or not weight):
                degree, weight = 1.35, 0.0
            elif role & WEAKENS and (follows or not weight):
                degree, weight = 0.7, 0.0
            if role & NEGATES and (follows or not weight):
                negated_until = -1 if start <= negated_until else end + reach
                weight = 0.0
                continue
        if weight:
            value = weight * degree * turned
            if start <= negated_until:
                value *= -0.75
                negated_until = -1
            if wished and value > 0:
                value *= -0.2
            elif wished and weight > -2:
                value *= 0.3  # "how long does a refund take" blames nobody
            found.append(Judgement(start, end, value))
            degree = 1.0
    return found


def balance(found: Sequence[Judgement]) -> float:
    """What the judgements come to, -1 to 1."""
    return tanh(sum([weight for _, _, weight in found]) / 3)


def blamed(hits: Sequence[Hit], found: Sequence[Judgement]) -> tuple[int, ...]:
    """The aspects that clauses with a bad judgement name, in order: by words that name an object and judge nothing, in
    a clause without such by the judging words themselves."""
    if not any(weight < 0 for _, _, weight in found):
        return ()
    named: list[int] = []
    plain: list[int] = []
    judging: list[int] = []
    weights = {start: weight for start, _, weight in found}
    balance = 0.0
    for start, _, word in (*hits, _END):
        if word.role & BREAKS:
            if balance < 0:
                named += plain or judging
            plain, judging, balance = [], [], 0.0
            continue
        balance += weights.get(start, 0.0)
        if word.aspects:
            (judging if word.weight else plain).extend(word.aspects)
    return tuple(dict.fromkeys(named))


def leaning(lexicon: Lexicon, text: str, language: Language) -> float:
    """What the word lists alone say of a text as typed, -1 to 1."""
    return balance(judgements(lexicon.find(normalise(clip(text)[0], lexicon.table)), REACH[language]))


def emotions(hits: Sequence[Hit], label: Polarity, lexicon: Lexicon) -> tuple[str, ...]:
    """The feelings that the words name, in the lists' order; glad ones not in a complaint, bad ones not in praise."""
    found: set[int] = set()
    denied_until = -1
    for start, end, word in hits:
        if word.emotions and start > denied_until:
            found.update(word.emotions)
        if word.role & NEGATES and not word.weight:
            denied_until = end
    if not found:
        return ()
    barred = _GLAD if label == "negative" else _BAD if label == "positive" else frozenset()
    return tuple(name for name in (lexicon.emotions[place] for place in sorted(found)) if name not in barred)


REACH: dict[Language, int] = {"zh": 4, "en": 22}
"""How many characters behind itself a negator reaches."""

_END = Hit(0, 0, Word(role=BREAKS))
_TURNS = CONTRASTS | CONCEDES
_GLAD = frozenset({"joy", "gratitude", "trust"})
_BAD = frozenset({"anger", "disappointment", "anxiety", "sadness", "frustration", "disgust"})
