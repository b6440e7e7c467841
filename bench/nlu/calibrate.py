"""`python -m bench.nlu.calibrate`: what the scores of the search by meaning should be, on questions that were written
for it: bench/nlu/questions.jsonl of the shipped knowledge base, and bench/nlu/pools.jsonl of two more, an airline's and
a telephone company's, in which each entry has three phrasings and questions that share few words with them.

Each question is asked with its entry and without; those of nobody's entry once. Prints how often the first hit is
right, the weights for `nlu.hybrid.FIT`, and how often the first hit is right at each score, by halves: fitted on one
half of the entries, counted on the other.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bot.assistant.content import read_knowledge
from bot.settings import ASSISTANT
from nlu.calibration import Numbers, logistic, sigmoid
from nlu.encoders import available
from nlu.hybrid import Hybrid, evidence
from nlu.retrieval import Entry
from nlu.understanding import Language

QUESTIONS = Path(__file__).parent / "questions.jsonl"
POOLS = Path(__file__).parent / "pools.jsonl"
PENALTY = 0.1
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class Base(NamedTuple):
    """A knowledge base, and questions by the key of their entry ("": they have none)."""

    name: str
    entries: list[Entry]
    questions: list[tuple[str, list[str]]]


def knowledge() -> list[Entry]:
    """The shipped entries, both languages of one under one key."""
    return [
        Entry(entry.key, language, (words.question, *words.phrasings))
        for entry in read_knowledge(ASSISTANT / "knowledge")
        for language, words in entry.languages.items()
    ]


def bases() -> Iterator[Base]:
    """The shipped one, and those of the other trades."""
    shipped = [(line["key"], line["queries"]) for line in map(json.loads, QUESTIONS.open(encoding="utf-8"))]
    yield Base("shipped", knowledge(), shipped)
    pools = map(json.loads, POOLS.open(encoding="utf-8"))
    for name, found in groupby(pools, key=lambda line: line["pool"]):
        lines = list(found)
        language: Language = "en" if "".join(lines[0]["phrasings"]).isascii() else "zh"
        entries = [Entry(line["entry"], language, tuple(line["phrasings"])) for line in lines]
        yield Base(name, entries, [(line["entry"], line["queries"]) for line in lines])


def trials(search: Hybrid, questions: Sequence[tuple[str, list[str]]]) -> Iterator[tuple[int, Numbers, bool, bool]]:
    """(the half, the first hit's evidence, whether it is right, whether its entry is there) of each time that a
    question is asked."""
    for number, (key, queries) in enumerate(questions):
        for place, text in enumerate(queries):
            found = search.found(text)
            if found is None:
                continue
            half = number % 2 if key else place % 2
            for without in (False, True) if key else (True,):
                rank = found.rank.copy()
                if without and key:
                    rank[search.keys.index(key)] = -1.0
                order = np.argsort(-rank, kind="stable")[:2]
                yield half, evidence(found, order)[0], search.keys[order[0]] == key and not without, not without


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.nlu.calibrate")
    parser.add_argument("--models", type=Path, help="where encoded sentences are kept; by default nowhere")
    models = parser.parse_args().models
    asked = []
    for base in bases():
        some = list(trials(Hybrid(base.entries, available(), models), base.questions))
        first = [right for _, _, right, there in some if there]
        print(f"{base.name}: {sum(first)} of {len(first)} found first")
        asked += some
    halves, rows, right, _ = zip(*asked, strict=True)
    told, truth, half = np.array(rows), np.array(right), np.array(halves)
    chances = np.zeros(len(truth))
    for part in (0, 1):
        *weights, constant = logistic(told[half != part], truth[half != part], PENALTY)
        chances[half == part] = sigmoid(told[half == part] @ np.array(weights) + constant)
    print(f"FIT = ({', '.join(f'{weight:.2f}' for weight in logistic(told, truth, PENALTY))})")
    for line in reliability(chances, truth):
        print(line)


def reliability(chances: Numbers, truth: Numbers) -> Sequence[str]:
    """A line for each range of scores: how many, what they say on average, and how many are right."""
    lines = []
    for low, high in pairwise(EDGES):
        inside = (chances >= low) & (chances < high + (high == 1))
        if inside.any():
            said, was = chances[inside].mean(), truth[inside].mean()
            lines.append(f"{low:.1f} to {high:.1f}: {inside.sum():4} times, said {said:.2f}, right {was:.2f}")
    return lines


if __name__ == "__main__":
    main()
