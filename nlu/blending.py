"""What several sources come to together: the terms of a text, then the encoders that were asked about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, tanh
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from nlu.calibration import Calibration, Numbers, alarm, logistic, mood, softmax
from nlu.heads import POLARITIES, Heads
from nlu.ridge import Floats
from nlu.training import Lessons
from nlu.urgency import ALARM
from nlu.verdict import OBJECTS, Mood, decide

Task: TypeAlias = Literal["sentiment", "nature", "intent", "urgency"]
TASKS: tuple[Task, ...] = get_args(Task)

LOST: Mapping[Task, float] = {"sentiment": 0.003, "nature": 0.02, "intent": 0.005, "urgency": 0.002}
"""So many of all texts, at most, may be answered worse than if every encoder were asked about every text. Natures gain
most from encoders, and would send them every complaint."""

LEAST: Mapping[Task, float] = {"sentiment": 0.8}
"""How sure a text must be to go no further, however little our own sentences lose by less: to them, of one hand with
what teaches the terms, encoders add little, and to strangers' reviews much (bench/README.md)."""


@dataclass(frozen=True)
class Blend:
    """How much each source counts: `slopes` has a row for each source and a column for each score, `constants` the
    same columns. Of polarities it says nothing: that is for `calibration`."""

    slopes: Floats
    constants: Floats
    calibration: Calibration

    def scores(self, sources: Floats) -> list[float]:
        """One text's scores, from those of each source (sources by columns): log odds, and logits of intents."""
        return [float(score) for score in (self.slopes * sources).sum(axis=0) + self.constants]

    def mood(self, leaning: float, cued: bool, sources: Floats, alarm: float) -> Mood:
        """See `Calibration.mood`; `alarm` is the last of `scores`, `cued` whether the rules find the text urgent."""
        opinions, neutrals = (sources[:, 2] - sources[:, 0]).tolist(), sources[:, 1].tolist()
        tone, silence = self.calibration.mood(leaning, opinions, neutrals)
        return Mood(tone, silence, alarm + self.calibration.cue * cued)


@dataclass(frozen=True)
class Level:
    """What is known once one more encoder was asked. `gates`: how sure each task must be, 0 to 1, for a text to go no
    further; above 1 all texts go on."""

    blend: Blend
    gates: Mapping[Task, float]


def certainty(scores: Sequence[float], mood: Mood, heads: Heads) -> dict[Task, float]:
    """The chance of each task's answer to be right, as far as the scores of one text know."""
    tone, silence, alarm = mood
    _, natures, _, intents, _ = heads.columns
    quiet = _chance(silence)
    odds = dict(zip(heads.natures, scores[natures], strict=True))
    named = max(_chance(odds[nature]) for nature in OBJECTS)
    likely = scores[intents]
    best = max(likely)
    return {
        "sentiment": max(quiet, (1 - quiet) * _chance(abs(tone))),
        # What praises is praise, whatever it names: only suggestions must be told from it.
        "nature": max(named, 1 - named) if tone < 0 else float(abs(odds["suggestion"]) > _CLEAR),
        "intent": 1 / sum([exp(other - best) for other in likely]),
        "urgency": _chance(abs(alarm - ALARM)),
    }


def first(heads: Heads) -> Blend:
    """The terms alone, whose scores are as they should be."""
    columns = heads.columns[-1].stop
    return Blend(np.ones((1, columns), np.float32), np.zeros(columns, np.float32), heads.calibration)


def fit(
    lessons: Lessons, heads: Heads, judged: Sequence[Floats], asked: Sequence[Floats], alarmed: Sequence[Floats]
) -> Blend:
    """The blend under which what was taught is likeliest. `judged`, `asked` and `alarmed` have for each source its
    answers to seeds, examples and alerts that it was not shown."""
    polarities, natures, aspects, intents, urgent = heads.columns
    slopes = np.zeros((len(judged), urgent.stop))
    constants = np.zeros(urgent.stop)
    labels = lessons.labels == 1
    stacked = np.stack(judged, axis=-1)
    for column in range(natures.start, natures.stop):
        *slopes[:, column], constants[column] = logistic(stacked[:, column], labels[:, column])
    every = stacked[:, aspects].reshape(-1, len(judged))
    *shared, constants[aspects] = logistic(every, labels[:, aspects].reshape(-1))
    slopes[:, aspects] = np.array(shared)[:, None]
    own = slice(lessons.own)
    slopes[:, intents] = _shares(np.stack([each[own] for each in asked]), lessons.truth[own])[:, None]
    of_alarm, cue, constants[urgent] = alarm(np.column_stack(alarmed), lessons.cued, lessons.urgent)
    slopes[:, urgent] = np.array(of_alarm)[:, None]
    calibration = mood(
        lessons.leaning,
        stacked[:, 2] - stacked[:, 0],
        stacked[:, 1],
        lessons.labels[:, 1] == 0,
        lessons.labels[:, 2] == 1,
        cue,
    )
    slopes[:, polarities] = 0
    return Blend(slopes.astype(np.float32), constants.astype(np.float32), calibration)


def gates(
    lessons: Lessons,
    heads: Heads,
    judged: Sequence[Floats],
    asked: Sequence[Floats],
    alarmed: Sequence[Floats],
    blends: Sequence[Blend],
) -> list[Level]:
    """The levels of a cascade: `blends[k]` knows the first k + 1 sources, and the last of them knows all. At each gate
    the texts that may stop are the surest ones, as many as lose no more than LOST of all against the last blend, and
    none less sure than LEAST."""
    marks = [_marked(lessons, heads, judged, asked, alarmed, blend) for blend in blends]
    levels = []
    for blend, marked in zip(blends, marks, strict=True):
        found: dict[Task, float] = {}
        for task in TASKS:
            sure, right = marked[task]
            order = np.argsort(-sure, kind="stable")
            # What is sure whatever its score (praise has no other nature) is not for this gate to judge.
            lost = np.cumsum(((marks[-1][task][1].astype(int) - right) * (sure < 1))[order])
            stops = np.flatnonzero(lost <= LOST[task] * len(order))
            gate = float(sure[order[stops[-1]]]) if len(stops) else 2.0 if len(order) else 0.0
            found[task] = max(gate, LEAST.get(task, 0.0))
        levels.append(Level(blend, found))
    return levels


def frozen(level: Level) -> dict[str, Any]:
    """The level as JSON."""
    blend = level.blend
    return {
        "slopes": np.round(blend.slopes.astype(float), 4).tolist(),
        "constants": np.round(blend.constants.astype(float), 4).tolist(),
        "tone": blend.calibration.tone,
        "neutral": blend.calibration.neutral,
        "cue": blend.calibration.cue,
        "gates": dict(level.gates),
    }


def thawed(given: Mapping[str, Any]) -> Level:
    """What `frozen` wrote. Raises KeyError, TypeError or ValueError for what it did not."""
    calibration = Calibration(tuple(given["tone"]), tuple(given["neutral"]), float(given["cue"]))
    blend = Blend(np.array(given["slopes"], np.float32), np.array(given["constants"], np.float32), calibration)
    return Level(blend, {task: float(given["gates"][task]) for task in TASKS})


def _marked(
    lessons: Lessons,
    heads: Heads,
    judged: Sequence[Floats],
    asked: Sequence[Floats],
    alarmed: Sequence[Floats],
    blend: Blend,
) -> dict[Task, tuple[Numbers, Numbers]]:
    """For each task how sure the blend is of each text, and whether it is right. Of natures only complaints count."""
    known = len(blend.slopes)
    width = len(heads.intents) + 1
    blank = np.zeros(width, np.float32)
    sure: dict[Task, list[float]] = {task: [] for task in TASKS}
    right: dict[Task, list[bool]] = {task: [] for task in TASKS}
    for row, (leaning, labels) in enumerate(zip(lessons.leaning, lessons.labels, strict=True)):
        sources = np.stack([np.concatenate([source[row], blank]) for source in judged[:known]])
        scores = blend.scores(sources)
        mood = blend.mood(float(leaning), False, sources, 0.0)
        found, verdict = certainty(scores, mood, heads), decide(scores, mood, (), heads)
        sure["sentiment"].append(found["sentiment"])
        right["sentiment"].append(bool(labels[("negative", "neutral", "positive").index(verdict.label)]))
        if labels[0]:
            sure["nature"].append(found["nature"])
            right["nature"].append(bool(labels[POLARITIES + heads.natures.index(verdict.natures[0])]))
    shares = blend.slopes[:, heads.columns[3].start]
    chances = softmax(np.tensordot(shares, np.stack([each[: lessons.own] for each in asked[:known]]), 1))
    sure["intent"] = chances.max(axis=1).tolist()
    right["intent"] = (chances.argmax(axis=1) == lessons.truth[: lessons.own]).tolist()
    odds = np.column_stack(alarmed[:known]) @ blend.slopes[:, -1] + blend.constants[-1]
    odds = odds + blend.calibration.cue * lessons.cued - ALARM
    sure["urgency"] = [_chance(abs(each)) for each in odds.tolist()]
    right["urgency"] = ((odds >= 0) == lessons.urgent).tolist()
    return {task: (np.array(sure[task]), np.array(right[task], bool)) for task in TASKS}


def _shares(given: Numbers, truth: Numbers) -> Numbers:
    """What the logits of each source count under which the true intents are likeliest (sources by texts by intents):
    Newton's method."""
    at = np.arange(len(truth))
    shares = np.full(len(given), 1.0 / len(given))
    for _ in range(50):
        chances = softmax(np.tensordot(shares, given, 1))
        means = (given * chances).sum(axis=2)
        slope = (given[:, at, truth] - means).sum(axis=1)
        spread = np.einsum("snc,tnc,nc->st", given, given, chances, optimize=True) - means @ means.T
        step = np.linalg.solve(spread + 1e-6 * np.eye(len(shares)), slope)
        shares = shares + np.clip(step, -3, 3)
        if float(np.abs(step).max()) < 1e-6:
            break
    return shares


def _chance(odds: float) -> float:
    return 0.5 * (1 + tanh(0.5 * odds))


_CLEAR = 1.4
