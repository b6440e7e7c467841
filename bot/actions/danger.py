"""Whether somebody may be hurt: what is urgent for their safety, and not for money or for our name (R2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from nlu import lexicon
from nlu.lexicon import SAFETY, Lexicon
from nlu.normalise import normalise


def in_danger(evidence: Sequence[str]) -> bool:
    """Whether one of the words that decided is a word of danger. `evidence` is as understanding gives it."""
    words = _lexicon()
    found = (words.words.get(normalise(each, words.table)) for each in evidence)
    return any(word is not None and abs(word.urgency) == SAFETY for word in found)


@cache
def _lexicon() -> Lexicon:
    return lexicon.load()
