"""Training of the stages behind the fast heads, and keeping them: `earful` ships those of its own examples."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

from nlu import blending, cache, lexicon, meaning, training
from nlu import seeds as seeds_of
from nlu.blending import Level
from nlu.embeddings import Progress, embedded
from nlu.encoders import Encoder, available
from nlu.model import KEPT, SHIPPED, Model, fingerprint
from nlu.rasa_data import TrainingData
from nlu.refine import Refiner, Stage
from nlu.ridge import Floats

CODE = ("blending", "e5", "encoders", "meaning", "pieces", "stages", "verdict")
"""The modules whose change makes other stages of the same examples, beside those of the fast heads."""


def load(
    model: Model, data: TrainingData, cache_dir: Path | None = None, encoders: Sequence[Encoder] | None = None
) -> Refiner | None:
    """The refiner of `model`, shipped or kept in `cache_dir`, if it was trained for `data` by this very code and
    content and one of its encoders is installed; else None: then `train` makes it. Loads no encoder."""
    installed = available() if encoders is None else encoders
    for folder in (SHIPPED, cache_dir):
        kept = cache.load(folder / name(data)) if folder and installed else None
        if kept is not None:
            with suppress(KeyError, TypeError, ValueError, IndexError):  # not ours: as good as none
                return _thawed(model, *kept, installed)
    return None


def kept(data: TrainingData, cache_dir: Path) -> bool:
    """Whether `load` would find something, as far as names tell."""
    return bool(available()) and any((folder / name(data)).is_file() for folder in (SHIPPED, cache_dir))


def train(
    model: Model,
    data: TrainingData,
    cache_dir: Path | None = None,
    encoders: Sequence[Encoder] | None = None,
    *,
    seeds: Path | None = None,
    progress: Progress | None = None,
) -> Refiner | None:
    """Train the stages and keep them in `cache_dir`; None where no encoder is installed. What was encoded before is
    found in `cache_dir`; else this takes about 20 ms a sentence and a minute more, on one processor: run it in a
    process or thread of its own. The same input gives the same stages. Raises content.DataError for a seed that cannot
    be used."""
    installed = available() if encoders is None else encoders
    if not installed:
        return None
    words = lexicon.load()
    folder = seeds or seeds_of.DIRECTORY
    fitted = training.fit(words, data, seeds_of.load(words.aspects, folder), seeds_of.alerts(folder))
    lessons = fitted.lessons
    answers = {"": (fitted.judged, fitted.asked, fitted.alarmed)}
    heads: dict[str, meaning.Heads] = {}
    for encoder in installed:
        rows = embedded(encoder, [*lessons.seeds, *lessons.meant, *lessons.heard], cache_dir, progress)
        heads[encoder.name], answers[encoder.name] = _taught(rows, encoder.about, lessons)
    chains = {
        " ".join(chain): _levels(fitted, [answers[name] for name in ("", *chain)])
        for size in range(1, len(heads) + 1)
        for chain in combinations(heads, size)
    }
    arrays: dict[str, Any] = {}
    for each, found in heads.items():
        arrays |= meaning.frozen(found, each)
    facts = {
        "encoders": list(heads),
        "chains": {chain: [blending.frozen(level) for level in levels] for chain, levels in chains.items()},
        "examples": [lessons.seeds[place] for place in meaning.landmarks(len(lessons.seeds))],
    }
    if cache_dir:
        with suppress(OSError):
            cache.save(cache_dir / name(data), arrays, facts, packed=True)
            cache.prune(cache_dir, "stages-*.npz", KEPT)
    return _thawed(model, arrays, facts, installed)


_Answers: TypeAlias = tuple[Floats, Floats, Floats]
"""Of one source, to seeds, examples and alerts that it was not shown."""


def _taught(rows: Floats, about: slice, lessons: training.Lessons) -> tuple[meaning.Heads, _Answers]:
    """Heads over the rows of seeds, examples and alerts, and their answers to those that they were not shown."""
    seeds, examples = len(lessons.seeds), len(lessons.seeds) + len(lessons.meant)
    axes = meaning.axes(rows[:examples])
    at = axes.of(rows)
    judging, judged = meaning.fit(at[:seeds], lessons.labels, lessons.stress, _STIFFNESS, apart=False)
    line, good = meaning.line(rows[:seeds], about, lessons.labels[:, 2] - lessons.labels[:, 0], lessons.stress)
    asking, asked = meaning.fit(at[seeds:examples], lessons.wanted, lessons.weight, _STIFFNESS, apart=True)
    alarming, alarmed = meaning.silent(at.shape[1]), lessons.alarms
    if lessons.heard:
        alarming, alarmed = meaning.fit(at[examples:], lessons.alarms, lessons.heed, _STIFFNESS, apart=False)
    return meaning.Heads(axes, line, judging, asking, alarming), (line.joined(judged, good), asked, alarmed)


def _levels(fitted: training.Fitted, answers: Sequence[_Answers]) -> list[Level]:
    """The levels of a chain of sources with these `answers`."""
    judged, asked, alarmed = ([each[part] for each in answers] for part in range(3))
    blends = [blending.first(fitted.heads)]
    for known in range(2, len(answers) + 1):
        told = judged[:known], asked[:known], alarmed[:known]
        blends.append(blending.fit(fitted.lessons, fitted.heads, *told))
    return blending.gates(fitted.lessons, fitted.heads, judged, asked, alarmed, blends)


def _thawed(model: Model, arrays: dict[str, Any], facts: dict[str, Any], installed: Sequence[Encoder]) -> Refiner:
    known = [encoder for encoder in installed if encoder.name in facts["encoders"]]
    first, *levels = map(blending.thawed, facts["chains"][" ".join(encoder.name for encoder in known)])
    columns = model.heads.columns[-1].stop
    examples = [str(text) for text in facts["examples"]]
    stages = []
    for encoder, level in zip(known, levels, strict=True):
        heads = meaning.thawed(arrays, encoder.name)
        if heads.columns != columns or level.blend.slopes.shape[1] != columns or heads.width != encoder.width:
            raise ValueError("the stages do not fit the model")
        stages.append(Stage(encoder, heads, level, examples))
    # The fast heads' own calibration, to the last digit.
    return Refiner(model, Level(blending.first(model.heads), first.gates), tuple(stages))


def name(data: TrainingData) -> str:
    """The file that `train` keeps."""
    return f"stages-{fingerprint(data, CODE)}.npz"


_STIFFNESS = 1.0
