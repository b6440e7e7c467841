"""`python -m bench.nlu.calibrate`: what the scores of the search by meaning should be, from bench/nlu/questions.jsonl.

Each question is asked of the shipped knowledge base, and of one without its entry; those of nobody's entry once. Prints
the weights for `nlu.hybrid.FIT`, and how often the first hit is right at each score, by halves: fitted on one half of
the entries, counted on the other.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from bot.assistant.content import read_knowledge
from bot.settings import ASSISTANT
from nlu.calibration import Numbers, logistic, sigmoid
from nlu.encoders import available
from nlu.hybrid import Hybrid, evidence
from nlu.retrieval import Entry

QUESTIONS = Path(__file__).parent / "questions.jsonl"
PENALTY = 0.1
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def knowledge() -> list[Entry]:
    """The shipped entries, both languages of one under one key."""
    return [
        Entry(entry.key, language, (words.question, *words.phrasings))
        for entry in read_knowledge(ASSISTANT / "knowledge")
        for language, words in entry.languages.items()
    ]


def trials(search: Hybrid) -> Iterator[tuple[int, Numbers, bool]]:
    """(the half, the first hit's evidence, whether it is right) of each time that a question is asked."""
    for number, line in enumerate(QUESTIONS.read_text(encoding="utf-8").splitlines()):
        given = json.loads(line)
        for place, text in enumerate(given["queries"]):
            rank = search.ranked(text)
            if rank is None:
                continue
            half = number % 2 if given["key"] else place % 2
            for without in (False, True) if given["key"] else (False,):
                some = rank.copy()
                if without:
                    some[search.keys.index(given["key"])] = -1.0
                order = np.argsort(-some, kind="stable")[:2]
                yield half, evidence(some[order])[0], search.keys[order[0]] == given["key"] and not without


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.nlu.calibrate")
    parser.add_argument("--models", type=Path, help="where encoded sentences are kept; by default nowhere")
    search = Hybrid(knowledge(), available(), parser.parse_args().models)
    halves, rows, right = zip(*trials(search), strict=True)
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
