"""Training of the heads: from the assistant's own examples and the seeds, in seconds, always to the same result."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from nlu import corrections, entities, rating, ridge, sentiment, urgency
from nlu.calibration import Numbers, alarm, logistic, mood, temperature
from nlu.entities import Gazetteer
from nlu.features import SHAPES, terms
from nlu.heads import POLARITIES, Heads
from nlu.language import detect
from nlu.lexicon import Hit, Lexicon
from nlu.normalise import clip, normalise
from nlu.rasa_data import TrainingData
from nlu.seeds import Alert, Seed
from nlu.understanding import Entity, Language, Nature

FALLBACK = "nlu_fallback"
"""The intent of a message that is none of the assistant's."""

NATURES: tuple[Nature, ...] = get_args(Nature)


@dataclass(frozen=True)
class Lessons:
    """What is taught, as numbers. `seeds` and `meant` are texts; `leaning` is what the word lists say of each seed,
    `labels` its columns of polarities, natures and aspects, and `stress` how much it counts; `truth` is the intent of
    each of `meant`, the first `own` of which are the assistant's, and `weight` how much it counts; `heard` are texts
    that are `urgent` or not, `cued` whether the rules find them urgent, and `heed` how much each counts."""

    intents: tuple[str, ...]
    aspects: tuple[tuple[str, str], ...]
    seeds: tuple[str, ...]
    leaning: Numbers
    labels: ridge.Floats
    stress: ridge.Floats
    meant: tuple[str, ...]
    truth: Numbers
    weight: ridge.Floats
    own: int
    heard: tuple[str, ...]
    urgent: Numbers
    cued: Numbers
    heed: ridge.Floats

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


class _Reader:
    """Reads texts as `Model.read` does, each once."""

    def __init__(self, lexicon: Lexicon, own: Gazetteer) -> None:
        self._lexicon = lexicon
        self._own = own
        self.aspects = lexicon.aspects
        self._seen: dict[str, tuple[str, list[Hit], Sequence[Entity]]] = {}

    def terms(self, text: str) -> list[str]:
        plain, hits, named = self._read(text)
        return terms_of(plain, hits, named, rating.find(plain))

    def leaning(self, text: str, language: Language | None = None) -> float:
        """What the word lists alone say, -1 to 1."""
        plain, hits, _ = self._read(text)
        return sentiment.balance(sentiment.judgements(hits, sentiment.REACH[language or detect(plain, None)]))

    def cued(self, text: str) -> bool:
        """Whether the rules find it urgent."""
        plain, hits, named = self._read(text)
        if not any(hit.word.urgency for hit in hits):
            return False
        return bool(urgency.cues(plain, hits, named, self.leaning(text)))

    def _read(self, text: str) -> tuple[str, list[Hit], Sequence[Entity]]:
        if (found := self._seen.get(text)) is None:
            written = clip(text)[0]
            plain = normalise(written, self._lexicon.table)
            found = plain, self._lexicon.find(plain), entities.find(plain, written, self._own)
            self._seen[text] = found
        return found


def lessons(reader: _Reader, data: TrainingData, seeds: Sequence[Seed], alerts: Sequence[Alert] = ()) -> Lessons:
    """What `data`, `seeds` and `alerts` teach, and the corrections of `data` more than any of them."""
    aspects = reader.aspects
    intents = (*data.intents, *(() if FALLBACK in data.intents else (FALLBACK,)))
    asked = corrections.taught(data.intents, data.corrections)
    examples = [(text, name) for name, texts in asked.items() for text in texts]
    said = {each.text for each in data.corrections}
    meant = examples + _borrowed(seeds, data)
    truth = np.array([intents.index(name) for _, name in meant], np.intp)
    heard = _heard(reader, data, seeds, [*alerts, *filter(None, map(corrections.alert, data.corrections))])
    seeds = [*seeds, *filter(None, map(corrections.seed, data.corrections))]
    return Lessons(
        intents=intents,
        aspects=aspects,
        seeds=tuple(seed.text for seed in seeds),
        leaning=np.array([reader.leaning(seed.text, seed.language) for seed in seeds]),
        labels=_labels(seeds, aspects),
        stress=_stress((seed.text for seed in seeds), said),
        meant=tuple(text for text, _ in meant),
        truth=truth,
        weight=_weights(truth, len(examples)) * _stress((text for text, _ in meant), said),
        own=len(examples),
        heard=tuple(text for text, _, _ in heard),
        urgent=np.array([urgent for _, urgent, _ in heard], bool),
        cued=np.array([cued for _, _, cued in heard], bool),
        heed=_stress((text for text, _, _ in heard), said),
    )


def fit(lexicon: Lexicon, data: TrainingData, seeds: Sequence[Seed], alerts: Sequence[Alert] = ()) -> Fitted:
    """Heads for the intents of `data`, for sentiment, natures and aspects of `seeds`, and for urgency by `alerts`."""
    reader = _Reader(lexicon, gazetteer(lexicon, data))
    taught = lessons(reader, data, seeds, alerts)
    read = {text: reader.terms(text) for text in (*taught.meant, *taught.seeds, *taught.heard)}
    vocabulary, idf = ridge.vocabulary(list(read.values()), own=len(set(taught.meant[: taught.own])))
    places = {term: row for row, term in enumerate(vocabulary)}
    rows = {text: ridge.rows(found, places) for text, found in read.items()}

    shapes = {places[term] for term in vocabulary if term[0] in SHAPES}  # how long a text is judges nothing
    judged = ridge.fit(
        [[row for row in rows[text] if row not in shapes] for text in taught.seeds],
        idf,
        taught.labels,
        weight=taught.stress,
        kinds=_scripts(taught.seeds),
    )
    asked = ridge.fit(
        [rows[text] for text in taught.meant],
        idf,
        taught.wanted,
        weight=taught.weight,
        stiffness=_INTENT_STIFFNESS,
        apart=True,
        kinds=_scripts(taught.meant),
    )
    alarmed = ridge.fit(
        [rows[text] for text in taught.heard],
        idf,
        taught.alarms,
        weight=taught.heed,
        stiffness=_ALARM_STIFFNESS,
        kinds=_scripts(taught.heard),
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


def _scripts(texts: Iterable[str]) -> list[int]:
    """1 for what has Chinese in it: it shares few terms with the rest."""
    return [int(bool(_CHINESE.search(text))) for text in texts]


def _heard(
    reader: _Reader, data: TrainingData, seeds: Sequence[Seed], alerts: Sequence[Alert]
) -> list[tuple[str, bool, bool]]:
    """(text, whether it is urgent, whether the rules say so) of all that teaches urgency: `alerts`,
    and among them evenly every few of the seeds and of what is said to the assistant, which are everyday messages where
    the rules find them so."""
    found = [
        (place / len(alerts), alert.text, alert.urgent, reader.cued(alert.text)) for place, alert in enumerate(alerts)
    ]
    said = [text for texts in data.intents.values() for text in texts]
    for daily in ([seed.text for seed in seeds], said) if alerts else ():
        for place in range(0, len(daily), _EVERYDAY):
            if not reader.cued(daily[place]):
                found.append((place / len(daily), daily[place], False, False))
    return [(text, urgent, cued) for _, text, urgent, cued in sorted(found)]


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


def _stress(texts: Iterable[str], said: Collection[str]) -> ridge.Floats:
    """What each text counts: what a person put right counts for several that were only written."""
    return np.array([_PUT_RIGHT if text in said else 1.0 for text in texts], np.float32)


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


_PUT_RIGHT = 8.0
_INTENT_STIFFNESS = 0.6
_BORROWED = 0.5
_ALARM_STIFFNESS = 1.5
_EVERYDAY = 4
_BY_KIND = {"email", "phone", "order_number"}
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_SHAPED = re.compile(r"[\d@]")
_MOST_BORROWED = 400
