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
from nlu import lexicon, model, rasa_data, seeds
from nlu.lexicon import CONCEDES, CONTRASTS, IDIOM, NEGATES, STRENGTHENS, SUPPOSES, WEAKENS, WISHES, Lexicon, Word
from nlu.retrieval import Entry, Retriever
from nlu.seeds import Seed

Variant = Callable[[Engine], Engine]


def ablated(engine: Engine, shared: Path, variants: Mapping[str, Variant] | None = None) -> Iterator[str]:
    """A Markdown table: figures of the whole, then for each of `variants` (by default Earful's own parts) how far each
    figure moves without that part. First what is going on, then the table."""
    chosen = VARIANTS if variants is None else variants
    whole = quality.rows(engine, shared)
    columns: list[list[Row]] = []
    for name, variant in chosen.items():
        yield f"… {name}"
        columns.append(quality.rows(variant(engine), shared))
    lines: list[Sequence[str]] = [("task", "whole", *chosen)]
    for place, row in enumerate(whole):
        moved = [column[place].figure - row.figure for column in columns]
        cells = ["" if abs(by) < 0.0005 else f"{by:+.{row.places}f}" for by in moved]
        lines.append((row.task, f"{row.figure:.{row.places}f}", *cells))
    yield markdown(lines)


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

VARIANTS: dict[str, Variant] = {
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
