"""The terms of a text that linear heads weigh: characters and their neighbours where it is Chinese, words and their
neighbours where it is Latin, and the aspects that the word lists find in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import add

from nlu.lexicon import Hit


def terms(text: str, hits: Sequence[Hit] = ()) -> list[str]:
    """The terms of a normalised text, with repetitions. Every number is "0"; `hits` are what the word lists found."""
    if _DIGIT.search(text):
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
            found += map(add, pairs, run[2:])
            before = run[-1]
    for _, _, word in hits:
        for aspect in word.aspects:
            found.append(_ASPECTS[aspect])
    return found


_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'")
_RUN = re.compile(r"[a-z'][a-z'0]*|[^\sa-z']+")
_DIGIT = re.compile(r"\d")
_DIGITS = re.compile(r"\d+(?:\.\d+)?")
_ASPECTS = tuple(f"\x01{place}" for place in range(256))  # no text has \x01 followed by a number as one term
