"""The model: text in, an `Understanding` out.

    model = load_or_train(rasa_data.read(Path("bot/assistant/data/nlu")), Path("data/models"))
    model.parse("快递三天没到，客服也不理我").nature

One pass of word lists and rules reads a message, linear heads weigh its terms, and everything else is decided from
these two. An encoder joins at `Heads.scores`, to which it adds; the rest stays as it is.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nlu import cache, corrections, entities, language, lexicon, rating, sentiment, training, urgency, verdict
from nlu import seeds as seeds_of
from nlu.calibration import Calibration
from nlu.corrections import Correction
from nlu.entities import Gazetteer
from nlu.heads import Heads
from nlu.lexicon import Hit, Lexicon
from nlu.normalise import HEAD, clip, normalise, without_surrogates
from nlu.rasa_data import TrainingData
from nlu.understanding import Entity, Intent, Language, Sentiment, Understanding

FALLBACK = training.FALLBACK
"""The intent of a message that is none of the assistant's."""

CONFIDENT = 0.35
"""Below this confidence of the likeliest intent it is FALLBACK, with what is missing to 1 as confidence."""

MOST_EVIDENCE = 6

SAID = "✎"
"""Before a piece of evidence: a person put these very words right."""

CODE = (
    "calibration",
    "corrections",
    "entities",
    "features",
    "heads",
    "normalise",
    "numerals",
    "rating",
    "rating_words",
    "ridge",
    "sentiment",
    "training",
    "urgency",
)
"""The modules whose change makes another model of the same examples."""

SHIPPED = Path(__file__).parent / "shipped"
"""Models of Earful's own examples, made by nlu.shipping."""

KEPT = 3
"""How many trained models stay in the cache: the one in use, and those to go back to."""


@dataclass(frozen=True)
class Model:
    """A trained model; threads may share it. Made by `train` or `load_or_train`."""

    lexicon: Lexicon
    heads: Heads
    gazetteer: Gazetteer
    examples: dict[str, str]
    """Normalised example → intent: what was taught word for word is certain."""
    corrected: dict[str, Correction]
    """Normalised text → what people said that it means: that is certain too."""

    def parse(self, text: str, *, language: Language | None = None) -> Understanding:
        """What `text` says. `language` is what the customer was last heard in, for a text that shows none itself. Of a
        text longer than 1,200 characters only the first 800 and the last 400 are read. Never raises for any text; in
        the answer's `text` lone surrogates are U+FFFD, everything else is as given."""
        return self.parse_many((text,), languages=(language,))[0]

    def parse_many(
        self, texts: Sequence[str], *, languages: Sequence[Language | None] | None = None
    ) -> list[Understanding]:
        """As `parse`, for many texts in order; 30 to 60 together are the cheapest."""
        if not texts:
            return []
        readings = self.read(texts, languages)
        scores = self.heads.scores([self.heads.rows(reading.terms) for reading in readings])
        verdicts = [
            verdict.fast(of_text, reading.leaning, bool(reading.cues), reading.blamed, self.heads)
            for of_text, reading in zip(scores, readings, strict=True)
        ]
        return [
            self.conclude(reading, found._replace(alarm=found.alarm - urgency.CAUTION[reading.language]))
            for reading, found in zip(readings, verdicts, strict=True)
        ]

    def read(self, given: Sequence[str], languages: Sequence[Language | None] | None = None) -> list[Reading]:
        """What word lists and rules find in each text, for `conclude`."""
        hints = languages or (None,) * len(given)
        # Step by step over all texts, not text by text over all steps: a processor that stays with one step does it in
        # half of the time.
        wholes = [without_surrogates(text) for text in given]
        clipped = [clip(whole) for whole in wholes]
        texts = [normalise(written, self.lexicon.table) for written, _ in clipped]
        spoken = [language.detect(text, hint) for text, hint in zip(texts, hints, strict=True)]
        hits = [self.lexicon.find(text) for text in texts]
        judged = [
            sentiment.judgements(found, sentiment.REACH[tongue]) for found, tongue in zip(hits, spoken, strict=True)
        ]
        rated = [rating.find(text) for text in texts]
        named = [
            entities.find(text, written, self.gazetteer) for text, (written, _) in zip(texts, clipped, strict=True)
        ]
        leanings = [_leaning(*each) for each in zip(judged, rated, strict=True)]
        return [
            Reading(*each)
            for each in zip(
                wholes,
                [written for written, _ in clipped],
                [shift for _, shift in clipped],
                texts,
                spoken,
                hits,
                judged,
                [sentiment.blamed(*each) for each in zip(hits, judged, strict=True)],
                rated,
                named,
                leanings,
                [urgency.cues(*each) for each in zip(texts, hits, named, leanings, strict=True)],
                [training.terms_of(*each) for each in zip(texts, hits, named, rated, strict=True)],
                strict=True,
            )
        ]

    def conclude(self, reading: Reading, found: verdict.Verdict) -> Understanding:
        """What a text comes to by what was read of it and the verdict on its scores."""
        text, hits, rated, named = reading.text, reading.hits, reading.rated, reading.named
        said = self.corrected.get(text.strip()) if self.corrected else None
        if said is not None:
            found = verdict.corrected(found, said)
        graded = (said and said.urgency) or urgency.grade(found.alarm, found.score, found.natures[0])
        emotions = sentiment.emotions(hits, found.label, self.lexicon)
        intent = self._intent(text, found)
        return Understanding(
            text=reading.whole,
            language=reading.language,
            intent=intent,
            sentiment=Sentiment(found.label, found.score),
            emotions=emotions,
            nature=found.natures,
            aspect=found.aspects,
            view=verdict.view(found.natures, found.aspects, emotions),
            urgency=graded,
            rating=rated.score if rated else None,
            entities=_placed(named, reading.shift) if reading.shift else named,
            evidence=(*_quoted(said), *self._evidence(reading, found, intent, graded == "urgent"))[:MOST_EVIDENCE],
            clipped=len(reading.written) < len(reading.whole),
        )

    def _intent(self, text: str, found: verdict.Verdict) -> Intent:
        if taught := self.examples.get(text.strip()):
            return Intent(taught, 1.0)
        if found.confidence < CONFIDENT:
            return Intent(FALLBACK, 1.0 - found.confidence)
        return Intent(found.intent, found.confidence)

    def _evidence(self, reading: Reading, found: verdict.Verdict, intent: Intent, urgent: bool) -> tuple[str, ...]:
        """The words that decided, as typed: the rating, what alarmed, the weightiest judgements; where no list has a
        word for it, the terms that moved the heads; where nothing was judged, those that told the intent, or all that
        was said. None where nothing was understood."""
        places = [(reading.rated.start, reading.rated.end)] if reading.rated else []
        if urgent:
            places += reading.cues or self._named(reading, self.heads.alarming)
        if found.label != "neutral":
            sign = 1 if found.label == "positive" else -1
            telling = [judged for judged in reading.judgements if judged.weight * sign > 0]
            if len(telling) > 1:
                telling.sort(key=lambda judged: -abs(judged.weight))
            places += [(judged.start, judged.end) for judged in telling]
            if not places:
                places += self._named(reading, lambda terms: self.heads.decisive(terms, 1 + sign))
        known = intent.name != FALLBACK
        if not places and known:
            places += self._named(reading, lambda terms: self.heads.intending(terms, intent.name))
        words: list[str] = []
        for start, end in places:
            word = reading.written[start:end].strip()
            if word and _SEAM not in word and not any(word in other for other in words):
                words.append(word)
        if not words and known and (whole := reading.written.strip()):
            words = [whole[:_QUOTED]]
        return tuple(words[:MOST_EVIDENCE])

    def _named(self, reading: Reading, chosen: Callable[[Sequence[str]], list[str]]) -> list[tuple[int, int]]:
        """Where those of a text's telling terms stand that are `chosen`."""
        places = [(reading.text.find(term), len(term)) for term in chosen(reading.terms)]
        return [(at, at + length) for at, length in places if at >= 0]


def train(data: TrainingData, seeds: Path | None = None) -> Model:
    """Train on the assistant's examples and the sentences in `seeds` (a folder; None: Earful's own). Takes seconds; the
    same input gives the same model. Raises content.DataError for a seed or a word list that cannot be used."""
    words = lexicon.load()
    folder = seeds or seeds_of.DIRECTORY
    return Model(
        lexicon=words,
        heads=training.fit(words, data, seeds_of.load(words.aspects, folder), seeds_of.alerts(folder)).heads,
        gazetteer=training.gazetteer(words, data),
        examples=_examples(data, words),
        corrected=_corrected(data, words),
    )


def load_or_train(data: TrainingData, cache_dir: Path) -> Model:
    """The model for `data`, shipped with Earful or from `cache_dir` if it was trained before by this very code and
    content, else trained and kept there. A damaged file is trained again; a folder that cannot be written costs the
    training at each start."""
    if (found := kept(data, cache_dir)) is not None:
        return found
    model = train(data)
    with suppress(OSError):
        save(model, data, cache_dir)
    return model


def kept(data: TrainingData, cache_dir: Path) -> Model | None:
    """As `load_or_train`, but None where it would train."""
    name = f"nlu-{fingerprint(data)}.npz"
    for folder in (SHIPPED, cache_dir):
        if (found := cache.load(folder / name)) is not None:
            # What is whole, but not ours, is as good as damaged.
            with suppress(KeyError, TypeError, ValueError, IndexError):
                return _thawed(*found, data)
    return None


def learned(data: TrainingData, models: Path) -> TrainingData:
    """`data` with the corrections that the last training took."""
    return replace(data, corrections=corrections.load(models))


def packed(data: TrainingData, models: Path) -> bytes:
    """What another process of ours needs to train."""
    return pickle.dumps((data, models))


def unpacked(given: bytes) -> tuple[TrainingData, Path]:
    """What `packed` made: nothing that came from outside."""
    data, models = pickle.loads(given)  # noqa: S301 - our parent process made it
    return data, models


def save(model: Model, data: TrainingData, directory: Path) -> None:
    """Keep a model for `load_or_train`. Raises OSError where the folder cannot be written."""
    half = model.heads.weights.astype(np.float16)  # nothing is lost: see training
    cache.save(directory / f"nlu-{fingerprint(data)}.npz", {"weights": half}, _frozen(model), packed=True)
    cache.prune(directory, "nlu-*.npz", KEPT)


def fingerprint(data: TrainingData, code: Sequence[str] = ()) -> str:
    """What a model depends on, as a name: the training data, Earful's seeds and word lists, and the code that learns
    from them (the modules CODE, and `code`)."""
    patterns = [f"{name}.py" for name in (*CODE, *code)]
    return cache.key(
        json.dumps(asdict(data), ensure_ascii=True, sort_keys=True).encode(),
        cache.tree(Path(__file__).parent, (*patterns, "lexicon/*.*", "seeds/*.*")),
    )


class Reading(NamedTuple):
    """A text as one pass found it: `whole` as typed; `written` what is read of it as typed, `text` the same
    normalised."""

    whole: str
    written: str
    shift: int
    text: str
    language: Language
    hits: list[Hit]
    judgements: list[sentiment.Judgement]
    blamed: tuple[int, ...]
    rated: rating.Rating | None
    named: tuple[Entity, ...]
    leaning: float
    cues: tuple[tuple[int, int], ...]
    terms: list[str]


def _leaning(judged: list[sentiment.Judgement], rated: rating.Rating | None) -> float:
    """What words and rating together say, -1 to 1."""
    words = sentiment.balance(judged)
    return words if rated is None else min(1.0, max(-1.0, words + (rated.score - _SO_SO) / (100 - _SO_SO)))


def _placed(found: Sequence[Entity], shift: int) -> tuple[Entity, ...]:
    """Entities of a clipped text where they stand in the whole one; what lies across the seam is none."""
    head = [entity for entity in found if entity.end <= HEAD]
    tail = [entity for entity in found if entity.start > HEAD]
    return (*head, *(replace(entity, start=entity.start + shift, end=entity.end + shift) for entity in tail))


def _examples(data: TrainingData, words: Lexicon) -> dict[str, str]:
    taught = corrections.taught(data.intents, data.corrections)
    return {normalise(text, words.table).strip(): name for name, texts in taught.items() for text in texts}


def _corrected(data: TrainingData, words: Lexicon) -> dict[str, Correction]:
    return {normalise(each.text, words.table).strip(): each for each in data.corrections}


def _quoted(said: Correction | None) -> tuple[str, ...]:
    return () if said is None else (f"{SAID} {said.text[:_QUOTED]}",)


def _frozen(model: Model) -> dict[str, Any]:
    heads = model.heads
    return {
        "lexicon": model.lexicon.as_json(),
        "vocabulary": heads.vocabulary,
        "natures": heads.natures,
        "aspects": heads.aspects,
        "intents": heads.intents,
        "calibration": asdict(heads.calibration),
    }


def _thawed(arrays: dict[str, Any], facts: dict[str, Any], data: TrainingData) -> Model:
    words = Lexicon.from_json(facts["lexicon"])
    given = facts["calibration"]
    heads = Heads(
        vocabulary=tuple(facts["vocabulary"]),
        weights=np.asarray(arrays["weights"], np.float32),
        natures=tuple(facts["natures"]),
        aspects=tuple((nature, aspect) for nature, aspect in facts["aspects"]),
        intents=tuple(facts["intents"]),
        calibration=Calibration(tone=tuple(given["tone"]), neutral=tuple(given["neutral"]), cue=given["cue"]),
    )
    if heads.weights.shape != (len(heads.vocabulary) + 2, heads.columns[-1].stop + 1):
        raise ValueError("the weights do not fit the vocabulary")
    return Model(words, heads, training.gazetteer(words, data), _examples(data, words), _corrected(data, words))


_SEAM = "\n"
_QUOTED = 60
_SO_SO = 60.0  # three stars: neither praise nor blame
