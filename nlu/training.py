"""Training of the heads: from the assistant's own examples and the seeds, in seconds, always to the same result."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from nlu import entities, rating, ridge, sentiment, urgency
from nlu.calibration import Numbers, alarm, logistic, mood, temperature
from nlu.entities import Gazetteer
from nlu.features import SHAPES, terms
from nlu.heads import POLARITIES, Heads
from nlu.language import detect
from nlu.lexicon import Hit, Lexicon
from nlu.normalise import clip, normalise
from nlu.rasa_data import TrainingData
from nlu.seeds import Alert, Seed
from nlu.understanding import Entity, Nature

FALLBACK = "nlu_fallback"
"""The intent of a message that is none of the assistant's."""

NATURES: tuple[Nature, ...] = get_args(Nature)


@dataclass(frozen=True)
class Lessons:
    """What is taught, as numbers. `seeds` and `meant` are texts; `leaning` is what the word lists say of each seed, and
    `labels` its columns of polarities, natures and aspects; `truth` is the intent of each of `meant`, the first `own`
    of which are the assistant's, and `weight` how much it counts; `heard` are texts that are `urgent` or not, and
    `cued` whether the rules find them urgent."""

    intents: tuple[str, ...]
    aspects: tuple[tuple[str, str], ...]
    seeds: tuple[str, ...]
    leaning: Numbers
    labels: ridge.Floats
    meant: tuple[str, ...]
    truth: Numbers
    weight: ridge.Floats
    own: int
    heard: tuple[str, ...]
    urgent: Numbers
    cued: Numbers

    @property
    def wanted(self) -> ridge.Floats:
        """A column for each intent: 1 where a text means it."""
        return np.eye(len(self.intents), dtype=np.float32)[self.truth]

    @property
    def alarms(self) -> ridge.Floats:
        """One column: 1 where what is heard is urgent."""
        return np.asarray(self.urgent[:, None], np.float32)


@dataclass(frozen=True)
class Fitted:
    """Trained `heads`, and what they would say of each lesson if they had not been shown its part: `judged` of the
    seeds, `asked` of the examples, `alarmed` of what is urgent or not."""

    heads: Heads
    lessons: Lessons
    judged: ridge.Floats
    asked: ridge.Floats
    alarmed: ridge.Floats


def lessons(lexicon: Lexicon, data: TrainingData, seeds: Sequence[Seed], alerts: Sequence[Alert] = ()) -> Lessons:
    """What `data`, `seeds` and `alerts` teach."""
    intents = (*data.intents, *(() if FALLBACK in data.intents else (FALLBACK,)))
    examples = [(text, name) for name, texts in data.intents.items() for text in texts]
    meant = examples + _borrowed(seeds, data)
    truth = np.array([intents.index(name) for _, name in meant], np.intp)
    heard = _heard(lexicon, data, seeds, alerts)
    return Lessons(
        intents=intents,
        aspects=lexicon.aspects,
        seeds=tuple(seed.text for seed in seeds),
        leaning=np.array([sentiment.leaning(lexicon, seed.text, seed.language) for seed in seeds]),
        labels=_labels(seeds, lexicon.aspects),
        meant=tuple(text for text, _ in meant),
        truth=truth,
        weight=_weights(truth, len(examples)),
        own=len(examples),
        heard=tuple(text for text, _, _ in heard),
        urgent=np.array([urgent for _, urgent, _ in heard], bool),
        cued=np.array([cued for _, _, cued in heard], bool),
    )


def fit(lexicon: Lexicon, data: TrainingData, seeds: Sequence[Seed], alerts: Sequence[Alert] = ()) -> Fitted:
    """Heads for the intents of `data`, for sentiment, natures and aspects of `seeds`, and for urgency by `alerts`."""
    taught = lessons(lexicon, data, seeds, alerts)
    gazette = gazetteer(lexicon, data)
    read = {text: _read(lexicon, gazette, text) for text in (*taught.meant, *taught.seeds, *taught.heard)}
    vocabulary, idf = ridge.vocabulary(list(read.values()), own=len(set(taught.meant[: taught.own])))
    places = {term: row for row, term in enumerate(vocabulary)}
    rows = {text: ridge.rows(found, places) for text, found in read.items()}

    shapes = {places[term] for term in vocabulary if term[0] in SHAPES}  # how long a text is judges nothing
    judged = ridge.fit([[row for row in rows[text] if row not in shapes] for text in taught.seeds], idf, taught.labels)
    asked = ridge.fit(
        [rows[text] for text in taught.meant],
        idf,
        taught.wanted,
        weight=taught.weight,
        stiffness=_INTENT_STIFFNESS,
        apart=True,
    )
    alarmed = ridge.fit(
        [rows[text] for text in taught.heard],
        idf,
        taught.alarms,
        stiffness=_ALARM_STIFFNESS,
    )
    slopes, constants = _odds(taught.labels, judged.unseen)
    opinion = judged.unseen[:, 2] - judged.unseen[:, 0]
    of_alarm, cue, quiet = alarm(alarmed.unseen, taught.cued, taught.urgent)
    calibration = mood(
        taught.leaning,
        opinion[:, None],
        judged.unseen[:, [1]],
        taught.labels[:, 1] == 0,
        taught.labels[:, 2] == 1,
        cue,
    )
    factor = temperature(asked.unseen[: taught.own], taught.truth[: taught.own])
    weights = np.hstack([judged.weights, asked.weights, alarmed.weights])
    weights *= np.concatenate([slopes, np.full(len(taught.intents), factor), of_alarm])
    weights[-1] += np.concatenate([constants, np.zeros(len(taught.intents)), [quiet]])
    weights[:-1] *= idf[:, None]
    weights = np.vstack([weights[:-1], np.zeros((1, weights.shape[1])), weights[-1:]])
    square = np.append(idf * idf, (0.0, 0.0))
    heads = Heads(
        vocabulary=tuple(vocabulary),
        weights=_rounded(np.column_stack([weights, square])),
        natures=NATURES,
        aspects=lexicon.aspects,
        intents=taught.intents,
        calibration=calibration,
    )
    return Fitted(
        heads,
        taught,
        (judged.unseen * slopes + constants).astype(np.float32),
        (asked.unseen * factor).astype(np.float32),
        (alarmed.unseen * np.array(of_alarm) + quiet).astype(np.float32),
    )


def gazetteer(lexicon: Lexicon, data: TrainingData) -> Gazetteer:
    """What `data` teaches of entities: regular expressions named like one, lookup tables, and annotated surfaces; not
    those with digits or @, which stand for all of their shape ("[4](rating)" does not make every 4 a rating)."""
    names: dict[str, tuple[str, str]] = {}
    for entity, values in data.lookups.items():
        for value in values:
            names.setdefault(normalise(value, lexicon.table), (entity, data.synonyms.get(value.lower(), value)))
    for found in data.annotations:
        surface = normalise(found.surface, lexicon.table)
        if len(surface) > 1 and not _SHAPED.search(surface):
            names.setdefault(surface, (found.entity, data.synonyms.get(found.value.lower(), found.value)))
    return Gazetteer(
        patterns=tuple((name, re.compile(written)) for name, written in data.patterns if name in data.entities),
        names=tuple((name, *names[name]) for name in sorted(names, key=lambda name: (-len(name), name))),
        synonyms=data.synonyms,
    )


def terms_of(text: str, hits: Sequence[Hit], named: Sequence[Entity], rated: rating.Rating | None) -> list[str]:
    """The terms of a normalised text by what the lists and rules found in it. Addresses and numbers count by their
    kind alone: their letters say nothing."""
    things = [entity.entity for entity in named]
    for entity in named:
        if entity.entity in _BY_KIND:
            text = f"{text[: entity.start]}{' ' * (entity.end - entity.start)}{text[entity.end :]}"
    return terms(text, hits, [*things, "rating"] if rated else things)


def _read(lexicon: Lexicon, own: Gazetteer, text: str) -> list[str]:
    written = clip(text)[0]
    plain = normalise(written, lexicon.table)
    return terms_of(plain, lexicon.find(plain), entities.find(plain, written, own), rating.find(plain))


def _heard(
    lexicon: Lexicon, data: TrainingData, seeds: Sequence[Seed], alerts: Sequence[Alert]
) -> list[tuple[str, bool, bool]]:
    """(text, whether it is urgent, whether the rules say so) of all that teaches urgency: `alerts`,
    and among them evenly every few of the seeds and of what is said to the assistant, which are everyday messages where
    the rules find them so."""
    own = gazetteer(lexicon, data)
    found = [
        (place / len(alerts), alert.text, alert.urgent, _cued(lexicon, own, alert.text))
        for place, alert in enumerate(alerts)
    ]
    said = [text for texts in data.intents.values() for text in texts]
    for daily in ([seed.text for seed in seeds], said) if alerts else ():
        for place in range(0, len(daily), _EVERYDAY):
            if not _cued(lexicon, own, daily[place]):
                found.append((place / len(daily), daily[place], False, False))
    return [(text, urgent, cued) for _, text, urgent, cued in sorted(found)]


def _cued(lexicon: Lexicon, own: Gazetteer, text: str) -> bool:
    written = clip(text)[0]
    plain = normalise(written, lexicon.table)
    hits = lexicon.find(plain)
    leaning = sentiment.balance(sentiment.judgements(hits, sentiment.REACH[detect(plain, None)]))
    return bool(urgency.cues(plain, hits, entities.find(plain, written, own), leaning))


def _labels(seeds: Sequence[Seed], aspects: Sequence[tuple[str, str]]) -> ridge.Floats:
    labels = np.zeros((len(seeds), POLARITIES + len(NATURES) + len(aspects)), np.float32)
    for row, seed in enumerate(seeds):
        labels[row, ("negative", "neutral", "positive").index(seed.polarity)] = 1
        for nature in seed.natures:
            labels[row, POLARITIES + NATURES.index(nature)] = 1
        for aspect in seed.aspects:
            labels[row, POLARITIES + len(NATURES) + aspects.index(aspect)] = 1
    return labels


def _borrowed(seeds: Sequence[Seed], data: TrainingData) -> list[tuple[str, str]]:
    """Seeds as examples of the assistant's intents: at most _MOST_BORROWED for each, evenly from all files."""
    found: dict[str, list[str]] = {}
    for seed in seeds:
        if name := _intent_of(seed, data):
            found.setdefault(name, []).append(seed.text)
    return [(text, name) for name, texts in found.items() for text in texts[:: 1 + len(texts) // _MOST_BORROWED]]


def _intent_of(seed: Seed, data: TrainingData) -> str | None:
    """The assistant's intent that a seed is an example of too, if it has one: operators' examples are few."""
    if seed.polarity == "negative" and "suggestion" not in seed.natures:
        wanted: tuple[str, ...] = ("complain",)
    elif seed.block == "questions":
        wanted = ("ask_question",)
    elif seed.block == "strays":
        return "out_of_scope" if "out_of_scope" in data.intents else FALLBACK
    elif seed.natures[0] == "suggestion":
        wanted = ("suggest", "give_suggestion", "suggestion")
    elif seed.natures[0] == "praise":
        wanted = ("praise", "give_praise")
    else:
        return None
    return next((name for name in wanted if name in data.intents), None)


def _weights(truth: Numbers, own: int) -> ridge.Floats:
    """Rare intents count more for each example, borrowed examples less."""
    count = np.bincount(truth)
    weight = np.sqrt(np.median(count[count > 0]) / count[truth])
    weight[own:] *= _BORROWED
    return np.asarray(weight, np.float32)


def _odds(labels: ridge.Floats, unseen: ridge.Floats) -> tuple[Numbers, Numbers]:
    """Slope and constant that make log odds of the score of each nature and aspect; polarities stay as they are."""
    slopes, constants = np.ones(labels.shape[1]), np.zeros(labels.shape[1])
    first = POLARITIES + len(NATURES)
    for column in range(POLARITIES, first):
        slopes[column], constants[column] = logistic(unseen[:, [column]], labels[:, column] == 1)
    # Aspects are too rare to be calibrated each on its own.
    slopes[first:], constants[first:] = logistic(unseen[:, first:].reshape(-1, 1), labels[:, first:].reshape(-1) == 1)
    return slopes, constants


def _rounded(weights: Numbers) -> ridge.Floats:
    """Weights as they are kept: 7 bits of each number's own size, which pack to a third and change no answer."""
    half = np.ascontiguousarray(weights, np.float16)
    return ((half.view(np.uint16) + 8) & 0xFFF0).view(np.float16).astype(np.float32)


_INTENT_STIFFNESS = 0.6
_BORROWED = 0.5
_ALARM_STIFFNESS = 1.5
_EVERYDAY = 4
_BY_KIND = {"email", "phone", "order_number"}
_SHAPED = re.compile(r"[\d@]")
_MOST_BORROWED = 400
