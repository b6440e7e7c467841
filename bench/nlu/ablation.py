"""What each part is worth: the same figures with one part switched off, everything else trained anew around the gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np

from bench.nlu import quality
from bench.nlu.engine import ASSISTANT, Engine
from bench.nlu.goals import Row, markdown
from nlu import lexicon, model, rasa_data, seeds, stages
from nlu.encoders import Packaged, available
from nlu.hybrid import Hybrid
from nlu.lexicon import CONCEDES, CONTRASTS, IDIOM, NEGATES, STRENGTHENS, SUPPOSES, WEAKENS, WISHES, Lexicon, Word
from nlu.retrieval import Entry, Retriever
from nlu.seeds import Seed

Variant = Callable[[Engine], Engine]


def ablated(
    engine: Engine,
    shared: Path,
    models: Path,
    variants: Mapping[str, Variant] | None = None,
    encoders: Sequence[Packaged] | None = None,
) -> Iterator[str]:
    """A Markdown table: figures of the whole, how far each moves without one encoder and without any; then, of the fast
    heads alone, how far each moves without one of their parts, as nothing else could make up for it. First what is
    going on, then the table."""
    chosen = VARIANTS if variants is None else variants
    alone = Engine(engine.quick, engine.quick)
    whole = quality.rows(engine, shared)
    columns: list[tuple[list[Row], list[Row]]] = []
    names: list[str] = []
    for encoder in available() if encoders is None else encoders:
        names.append(f"no {encoder.name.partition('-')[0].upper()}")
        yield f"… {names[-1]}"
        columns.append((whole, quality.rows(without(engine, encoder, models), shared)))
    yield "… fast heads alone"
    fast = quality.rows(alone, shared)
    columns.append((whole, fast))
    for name, variant in chosen.items():
        yield f"… {name}"
        columns.append((fast, quality.rows(variant(alone), shared)))
    lines: list[Sequence[str]] = [("task", "whole", *names, "fast heads alone", *chosen)]
    for place, row in enumerate(whole):
        moved = [after[place].figure - before[place].figure for before, after in columns]
        cells = ["" if abs(by) < 0.0005 else f"{by:+.{row.places}f}" for by in moved]
        lines.append((row.task, f"{row.figure:.{row.places}f}", *cells))
    yield markdown(lines)


def without(engine: Engine, encoder: Packaged, models: Path) -> Engine:
    """As if this encoder were not installed."""
    others = [each for each in available() if each.name != encoder.name]
    data = rasa_data.read(ASSISTANT)
    ours = model.load_or_train(data, models)
    closer = stages.load(ours, data, models, others) if others else None
    return replace(engine, full=closer or ours, searcher=lambda entries: Hybrid(entries, others, models))


def words_changed(change: Callable[[Word], Word]) -> Variant:
    """The word lists with every word changed, and heads trained on what they then find."""

    def lists(*given: Any) -> Lexicon:
        whole = lexicon_load(*given)
        return replace(whole, words={written: change(word) for written, word in whole.words.items()})

    return lambda engine: _with(engine, _trained(lexicon, lists))


def half_of_the_seeds(engine: Engine) -> Engine:
    """Every other pair of sentences."""

    def half(*given: Any) -> list[Seed]:
        return [seed for place, seed in enumerate(seeds_load(*given)) if place % 4 < 2]

    return _with(engine, _trained(seeds, half))


def heads_without_sentiment(engine: Engine) -> Engine:
    """The word lists alone judge."""
    ours = _trained(seeds, seeds_load)
    weights = np.array(ours.heads.weights)
    weights[:, ours.heads.columns[0]] = 0
    return _with(engine, replace(ours, heads=replace(ours.heads, weights=weights)))


def one_phrasing(engine: Engine) -> Engine:
    """Entries with the first of their phrasings only."""

    def searcher(entries: Sequence[Entry]) -> Retriever:
        return Retriever([replace(entry, phrasings=entry.phrasings[:1]) for entry in entries])

    return replace(engine, searcher=searcher)


def _with(engine: Engine, parser: model.Model) -> Engine:
    return replace(engine, quick=parser, full=parser)


def _trained(module: ModuleType, load: Callable[..., Any]) -> model.Model:
    """Earful's model, trained where `load` of `module` is another: training takes no parts, it loads its own."""
    with patch.object(module, "load", load):
        return model.train(rasa_data.read(ASSISTANT))


lexicon_load, seeds_load = lexicon.load, seeds.load
_TURNS = NEGATES | STRENGTHENS | WEAKENS | CONTRASTS | CONCEDES | WISHES

VARIANTS: Mapping[str, Variant] = {
    "no judging words": words_changed(lambda word: word._replace(weight=0.0)),
    "no negation, degree, contrast": words_changed(lambda word: word._replace(role=word.role & ~_TURNS)),
    "no topic words": words_changed(lambda word: word._replace(aspects=())),
    "no guards of urgency": words_changed(
        lambda word: word._replace(role=word.role & ~SUPPOSES, urgency=0 if word.urgency == IDIOM else word.urgency)
    ),
    "heads silent on sentiment": heads_without_sentiment,
    "half of the seeds": half_of_the_seeds,
    "one phrasing an entry": one_phrasing,
}
