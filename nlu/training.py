"""Training of the heads: from the assistant's own examples and the seeds, in seconds, always to the same result."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

import numpy as np

from nlu import entities, rating, ridge, sentiment
from nlu.calibration import Calibration, Numbers, logistic, temperature
from nlu.entities import Gazetteer
from nlu.features import SHAPES, terms
from nlu.heads import POLARITIES, Heads
from nlu.lexicon import Hit, Lexicon
from nlu.normalise import clip, normalise
from nlu.rasa_data import TrainingData
from nlu.seeds import Seed
from nlu.understanding import Entity, Nature
from nlu.verdict import HEAD_VOTE

FALLBACK = "nlu_fallback"
"""The intent of a message that is none of the assistant's."""

NATURES: tuple[Nature, ...] = get_args(Nature)


def fit(lexicon: Lexicon, data: TrainingData, seeds: Sequence[Seed]) -> Heads:
    """Heads for the intents of `data` and for sentiment, natures and aspects of `seeds`."""
    intents = (*data.intents, *(() if FALLBACK in data.intents else (FALLBACK,)))
    examples = [(text, name) for name, texts in data.intents.items() for text in texts]
    borrowed = _borrowed(seeds, data)
    own = gazetteer(lexicon, data)
    every = [text for text, _ in examples + borrowed] + [seed.text for seed in seeds]
    read = {text: _read(lexicon, own, text) for text in every}
    vocabulary, idf = ridge.vocabulary(list(read.values()), own=len({text for text, _ in examples}))
    places = {term: row for row, term in enumerate(vocabulary)}
    rows = {text: ridge.rows(found, places) for text, found in read.items()}

    labels = _labels(seeds, lexicon.aspects)
    shapes = {places[term] for term in vocabulary if term[0] in SHAPES}  # how long a text is judges nothing
    judged = ridge.fit([[row for row in rows[seed.text] if row not in shapes] for seed in seeds], idf, labels)
    meant = examples + borrowed
    truth = np.array([intents.index(name) for _, name in meant], np.intp)
    asked = ridge.fit(
        [rows[text] for text, _ in meant],
        idf,
        np.eye(len(intents), dtype=np.float32)[truth],
        weight=_weights(truth, len(examples)),
        stiffness=_INTENT_STIFFNESS,
    )
    (slopes, constants), calibration = _calibrate(lexicon, seeds, labels, judged.unseen)
    factor = temperature(asked.unseen[: len(examples)], truth[: len(examples)])
    weights = np.hstack([judged.weights, asked.weights])
    weights *= np.concatenate([slopes, np.full(len(intents), factor)])
    weights[-1] += np.concatenate([constants, np.zeros(len(intents))])
    weights[:-1] *= idf[:, None]
    weights = np.vstack([weights[:-1], np.zeros((1, weights.shape[1])), weights[-1:]])
    square = np.append(idf * idf, (0.0, 0.0))
    return Heads(
        vocabulary=tuple(vocabulary),
        weights=np.ascontiguousarray(np.column_stack([weights, square]), np.float32),
        natures=NATURES,
        aspects=lexicon.aspects,
        intents=intents,
        calibration=calibration,
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


def _calibrate(
    lexicon: Lexicon, seeds: Sequence[Seed], labels: ridge.Floats, unseen: ridge.Floats
) -> tuple[tuple[Numbers, Numbers], Calibration]:
    """Slope and constant that make the score of each column log odds, and the rest of the calibration."""
    leaning = np.array([sentiment.leaning(lexicon, seed.text, seed.language) for seed in seeds])
    opinion = unseen[:, 2] - unseen[:, 0]
    raw = leaning + HEAD_VOTE * opinion
    judged = labels[:, 1] == 0
    # No constant: what the lists and heads are silent on must stay at 0. Mirrored seeds allow for it.
    both = np.concatenate([raw[judged], -raw[judged]])[:, None]
    happened = np.concatenate([labels[judged, 2] == 1, labels[judged, 0] == 1])
    neutral = logistic(np.column_stack([np.abs(leaning), np.abs(opinion), unseen[:, 1]]), labels[:, 1] == 1)
    slopes, constants = np.ones(labels.shape[1]), np.zeros(labels.shape[1])
    first = POLARITIES + len(NATURES)
    for column in range(POLARITIES, first):
        slopes[column], constants[column] = logistic(unseen[:, [column]], labels[:, column] == 1)
    # Aspects are too rare to be calibrated each on its own.
    slopes[first:], constants[first:] = logistic(unseen[:, first:].reshape(-1, 1), labels[:, first:].reshape(-1) == 1)
    return (slopes, constants), Calibration(tone=logistic(both, happened)[0], neutral=tuple(neutral))


_INTENT_STIFFNESS = 0.6
_BORROWED = 0.5
_BY_KIND = {"email", "phone", "order_number"}
_SHAPED = re.compile(r"[\d@]")
_MOST_BORROWED = 400
