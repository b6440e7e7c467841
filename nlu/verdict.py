"""What the scores of a text come to: one intent, one sentiment, the natures and aspects it names."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, tanh
from typing import NamedTuple

from nlu.corrections import Correction
from nlu.heads import POLARITIES, Heads
from nlu.understanding import Nature, Polarity, View

OBJECTS: tuple[Nature, ...] = ("product", "service", "price", "logistics")

QUIET = 0.05
"""Between these log odds of a good and of a bad judgement nothing was judged."""
DOUBT = 0.8
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
    """`intent` is the likeliest one, whatever its `confidence`; `alarm` is the log odds that the text is urgent."""

    intent: str
    confidence: float
    label: Polarity
    score: float
    natures: tuple[Nature, ...]
    aspects: tuple[str, ...]
    alarm: float


class Mood(NamedTuple):
    """Log odds: `tone` that a judgement is a good one, `silence` that there is none, `alarm` that the text is
    urgent."""

    tone: float
    silence: float
    alarm: float


def fast(scores: Sequence[float], leaning: float, cued: bool, blamed: Sequence[int], heads: Heads) -> Verdict:
    """The verdict on a text of which only the terms were weighed; see `decide`. `cued`: by the rules it is urgent."""
    negative, neutral, positive = scores[:POLARITIES]
    tone, silence = heads.calibration.mood(leaning, (positive - negative,), (neutral,))
    alarm = scores[heads.columns[-1].start] + heads.calibration.cue * cued
    return decide(scores, Mood(tone, silence, alarm), blamed, heads)


def decide(scores: Sequence[float], mood: Mood, blamed: Sequence[int], heads: Heads) -> Verdict:
    """The verdict on a text with these `scores` and `mood`; `blamed` are the aspects (places in `heads.aspects`) that
    the word lists find badly spoken of."""
    tone, silence, alarm = mood
    _, natures, aspects, intents, _ = heads.columns
    score = tanh(0.5 * tone)
    label: Polarity = "negative" if score < 0 else "positive"
    if silence > DOUBT or abs(tone) < QUIET:
        label, score = "neutral", score * FAINT
    likely = scores[intents]
    best = max(likely)
    confidence = 1 / sum([exp(other - best) for other in likely])
    named = _natures(dict(zip(heads.natures, scores[natures], strict=True)), label, blamed, heads)
    spoken_of = _aspects(named, scores[aspects], heads)
    return Verdict(heads.intents[likely.index(best)], confidence, label, score, named, spoken_of, alarm)


def corrected(found: Verdict, said: Correction) -> Verdict:
    """The verdict with what a person said of these very words."""
    if said.sentiment is not None and said.sentiment != found.label:
        found = found._replace(label=said.sentiment, score=_TOLD[said.sentiment])
    if said.natures is not None and said.natures != found.natures:
        natures = said.natures or ("none",)
        kept = tuple(aspect for aspect in found.aspects if said.natures[:1] == found.natures[:1])
        found = found._replace(natures=natures, aspects=kept)
    return found


def view(natures: Sequence[Nature], aspects: Sequence[str], emotions: Sequence[str]) -> View:
    """The second look at the same message (R2.2): basic service, functional need or emotional experience."""
    if any(aspect in _EMOTIONAL for aspect in aspects):
        return "emotional"
    named = [nature for nature in natures if nature in OBJECTS]
    if not named:
        return "emotional" if emotions else "basic"
    return "functional" if named[0] == "product" else "basic"


def _natures(odds: dict[Nature, float], label: Polarity, blamed: Sequence[int], heads: Heads) -> tuple[Nature, ...]:
    bad = {heads.aspects[place][0] for place in blamed}
    objects: list[Nature] = [n for n in OBJECTS if odds[n] >= NAMED or (n in bad and odds[n] >= BLAMED)]
    if len(objects) > 1:
        objects.sort(key=lambda nature: -odds[nature])
    suggested = odds["suggestion"] >= SURE
    if label == "positive":
        return ("suggestion" if suggested else "praise", *objects)
    if label == "neutral":
        # A fact told without a judging word ("I have no receipt") is about its object if the heads are sure of it.
        facts = objects if odds["none"] < SURE else []
        found: list[Nature] = ["suggestion", *facts] if suggested else facts
        return tuple(found) or (("other",) if odds["other"] >= SURE else ("none",))
    likeliest = max(OBJECTS, key=odds.__getitem__)
    if not objects and odds[likeliest] >= POSSIBLE:
        objects = [likeliest]
    found = objects or (["other"] if odds["other"] >= SURE else ["complaint"])
    return (*found, "suggestion") if suggested else tuple(found)


def _aspects(natures: Sequence[Nature], of_aspect: Sequence[float], heads: Heads) -> tuple[str, ...]:
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


_TOLD: dict[Polarity, float] = {"negative": -0.6, "neutral": 0.0, "positive": 0.6}
_OBJECTLESS = {"none", "other", "praise", "complaint", "suggestion"}
_EMOTIONAL = {"attitude", "honesty"}
