"""The terms of a text that linear heads weigh: characters and their neighbours where it is Chinese, words and their
neighbours where it is Latin, and the aspects that the word lists find in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from operator import add

from nlu.lexicon import Hit


def terms(text: str, hits: Sequence[Hit], things: Iterable[str]) -> list[str]:
    """The terms of a normalised text, with repetitions. Every number is "0"; `hits` are what the word lists found,
    `things` the names of what the rules found (order_number, rating)."""
    if _DIGIT.search(text):
        if (number := text.strip(_AROUND)).isdigit() and len(number) < _SHORT:
            return [f"={number}", *_marks(things)]  # 88 says goodbye, and says nothing of 5
        text = _DIGITS.sub("0", text)
    found: list[str] = []
    before = "^"
    for run in _RUN.findall(text):
        if run[0] in _LETTERS:
            found.append(run)
            found.append(f"{before} {run}")
            if len(run) > 5:
                found.append(run[:5] + "-")
            before = run
        else:
            pairs = list(map(add, run, run[1:]))
            found += run
            found += pairs
            before = run[-1]
    if found:
        # How a short message begins, ends, and how long it is, tells "no" from "no signal" and a name from a story.
        edges = text.strip(_AROUND)
        latin = edges.isascii()
        found.append("^" + (edges.split(" ", 1)[0] if latin else edges[:1]))
        found.append((edges.rsplit(" ", 1)[-1] if latin else edges[-1:]) + "$")
        if len(edges) < _SHORT:
            found.append(f"={edges}")
        found.append(LENGTHS[len(edges).bit_length()])
    for _, _, word in hits:
        for aspect in word.aspects:
            found.append(_ASPECTS[aspect])
        if word.urgency:
            found.append(_REASONS[word.urgency])
    found += _marks(things)
    return found


def _marks(things: Iterable[str]) -> list[str]:
    return [f"\x02{thing}" for thing in things]


LENGTHS = tuple(f"\x03{bits}" for bits in range(20))
"""The terms that stand for a text's length, by powers of two."""
SHAPES = "\x02\x03\x04"
"""Terms that begin with these tell the shape of a text (its length, what the rules found, which words of alarm it has),
not its words."""

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'")
_RUN = re.compile(r"[a-z'][a-z'0]*|[^\sa-z']+")
_DIGIT = re.compile(r"\d")
_DIGITS = re.compile(r"\d+(?:\.\d+)?")
_AROUND = " \t\n!?.,;~。、"
_SHORT = 8
_REASONS = {reason: f"\x04{reason}" for reason in range(-9, 10)}
_ASPECTS = tuple(f"\x01{place}" for place in range(256))  # no text has \x01 followed by a number as one term
