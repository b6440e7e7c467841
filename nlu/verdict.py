"""What the scores of a text come to: one intent, one sentiment, the natures and aspects it names."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import NamedTuple

import numpy as np

from nlu.calibration import Numbers
from nlu.heads import Heads
from nlu.understanding import Nature, Polarity, View

OBJECTS: tuple[Nature, ...] = ("product", "service", "price", "logistics")

HEAD_VOTE = 0.6
"""What the heads' opinion of the sentiment weighs beside that of the word lists, which is from -1 to 1."""
QUIET = 0.02
"""Below this sum of both opinions nothing was judged."""
DOUBT = 0.5
"""By these log odds a message must be neutral rather than judging to be taken for neutral."""
FAINT = 0.3
"""What is left of the score of a message that is taken for neutral."""

# Log odds from which on a nature or an aspect is sure, is named beside others, and is possible.
SURE = 0.0
NAMED = log(0.35 / 0.65)
POSSIBLE = log(0.12 / 0.88)
BLAMED = log(0.03 / 0.97)
"""From these log odds on a nature is named if a clause speaks badly of it."""
MOST_ASPECTS = 4


class Verdict(NamedTuple):
    """`intent` is the likeliest one, whatever its `confidence`."""

    intent: str
    confidence: float
    label: Polarity
    score: float
    natures: tuple[Nature, ...]
    aspects: tuple[str, ...]


def decide(scores: Numbers, leaning: Sequence[float], blamed: Sequence[Sequence[int]], heads: Heads) -> list[Verdict]:
    """The verdicts on texts with these `scores`; `leaning` is what the word lists say of each, -1 to 1, and `blamed`
    the aspects (places in `heads.aspects`) that they find badly spoken of."""
    tones, natures, aspects, intents = (scores[:, columns] for columns in heads.columns)
    best = intents.argmax(axis=1)
    confidence = 1 / np.exp(intents - intents.max(axis=1, keepdims=True)).sum(axis=1)
    lists = np.asarray(leaning, np.float32)
    opinion = tones[:, 2] - tones[:, 0]
    raw = lists + np.float32(HEAD_VOTE) * opinion
    tone = np.tanh(np.float32(0.5 * heads.calibration.tone) * raw)
    weigh = heads.calibration.neutral
    odds = np.abs(lists) * weigh[0] + np.abs(opinion) * weigh[1] + tones[:, 1] * weigh[2] + weigh[3]
    neutral = (odds > DOUBT) | (np.abs(raw) < QUIET)
    rows = zip(
        best.tolist(), confidence.tolist(), neutral.tolist(), tone.tolist(), natures.tolist(), aspects.tolist(),
        blamed, strict=True,
    )  # fmt: skip
    return [
        _verdict(heads, heads.intents[intent], sure, is_neutral, score, of_nature, of_aspect, bad)
        for intent, sure, is_neutral, score, of_nature, of_aspect, bad in rows
    ]


def view(natures: Sequence[Nature], aspects: Sequence[str], emotions: Sequence[str]) -> View:
    """The second look at the same message (R2.2): basic service, functional need or emotional experience."""
    if any(aspect in _EMOTIONAL for aspect in aspects):
        return "emotional"
    named = [nature for nature in natures if nature in OBJECTS]
    if not named:
        return "emotional" if emotions else "basic"
    return "functional" if named[0] == "product" else "basic"


def _verdict(
    heads: Heads,
    intent: str,
    confidence: float,
    neutral: bool,
    score: float,
    of_nature: list[float],
    of_aspect: list[float],
    blamed: Sequence[int],
) -> Verdict:
    odds = dict(zip(heads.natures, of_nature, strict=True))
    bad = {heads.aspects[place][0] for place in blamed}
    objects: list[Nature] = [n for n in OBJECTS if odds[n] >= NAMED or (n in bad and odds[n] >= BLAMED)]
    if len(objects) > 1:
        objects.sort(key=lambda nature: -odds[nature])
    natures: list[Nature]
    if neutral:
        # A fact told without a judging word ("I have no receipt") is about its object if the heads are sure of it.
        label: Polarity = "neutral"
        score *= FAINT
        natures = objects if odds["none"] < SURE else []
        if odds["suggestion"] >= SURE:
            natures = ["suggestion", *natures]
        natures = natures or (["other"] if odds["other"] >= SURE else ["none"])
    elif score >= 0:
        label = "positive"
        natures = ["suggestion" if odds["suggestion"] >= SURE else "praise", *objects]
    else:
        label = "negative"
        likeliest = objects[0] if objects else max(OBJECTS, key=lambda nature: odds[nature])
        natures = objects or ([likeliest] if odds[likeliest] >= POSSIBLE else [])
        natures = natures or (["other"] if odds["other"] >= SURE else ["complaint"])
        if odds["suggestion"] >= SURE:
            natures = [*natures, "suggestion"]
    return Verdict(intent, confidence, label, score, tuple(natures), _aspects(natures, of_aspect, heads))


def _aspects(natures: Sequence[Nature], of_aspect: list[float], heads: Heads) -> tuple[str, ...]:
    """The aspects of `natures` that are named, likeliest first; of a nature none of whose is, its likeliest one."""
    if natures[0] in _OBJECTLESS and len(natures) == 1:
        return ()
    possible = [place for place, odds in enumerate(of_aspect) if odds >= POSSIBLE]
    if len(possible) > 1:
        possible.sort(key=lambda place: -of_aspect[place])
    found: list[str] = []
    served: set[str] = set()
    for place in possible:
        nature, aspect = heads.aspects[place]
        if nature in natures and aspect not in found and (of_aspect[place] >= SURE or nature not in served):
            served.add(nature)
            found.append(aspect)
    return tuple(found[:MOST_ASPECTS])


_OBJECTLESS = {"none", "other", "praise", "complaint", "suggestion"}
_EMOTIONAL = {"attitude", "honesty"}
