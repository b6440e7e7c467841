"""Whether a customer tells the same matter again, so that it joins the case that is open (R1.2). Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

WITHIN = timedelta(hours=24)
"""Since it was last told."""
ENOUGH = 4
"""Letters and figures that the same words must have, to say the same matter by themselves."""
SENTENCE = 24
"""Bytes of such letters and figures that make a sentence, eight signs in Chinese: who says it again with more at its
end, or less, says the same."""
CUT = 120
"""Characters of a case's title: a longer text is known by its beginning."""
_UNNAMED = frozenset({"none", "other", "complaint", "praise", "suggestion"})
"""Natures that name no matter."""


@dataclass(frozen=True, slots=True)
class Matter:
    """What was told, as far as it was understood. `order` is the number of an order."""

    words: str
    nature: Sequence[str] = ()
    aspect: Sequence[str] = ()
    urgency: str = "normal"
    order: str | None = None


def same(new: Matter, known: Matter, told_at: datetime, now: datetime) -> bool:
    """Whether `new` is the matter of a case that was last told at `told_at`.

    Two order numbers that differ are two matters, and what is urgent joins nothing that is not. Otherwise it is the
    same in the same words, or with more at their end; with the same nature and a common aspect; or with the same order
    and a common nature.
    """
    # Either way: a clock that was set back must not keep a case open to joining for ever.
    if abs(now - told_at) >= WITHIN or (new.urgency == "urgent" and known.urgency != "urgent"):
        return False
    if new.order and known.order and order_key(new.order) != order_key(known.order):
        return False
    said, before = _plain(new.words), _plain(known.words)
    if (len(before) >= ENOUGH and said == before) or _begins(said, before):
        return True
    mine, theirs = _named(new.nature), _named(known.nature)
    if new.order and known.order:
        return not mine or not theirs or bool(set(mine) & set(theirs))
    return mine[:1] == theirs[:1] != [] and bool(set(new.aspect) & set(known.aspect))


def _begins(one: str, other: str) -> bool:
    """Whether one is the other with something more at its end: an order's number, say, or what a title cut off."""
    short, long = sorted((one, other), key=len)
    return len(short.encode()) >= SENTENCE and long.startswith(short)


def find(new: Matter, known: Iterable[tuple[T, Matter, datetime]], now: datetime) -> T | None:
    """The first of `known`, each with its matter and when it was last told, that `new` is the same as."""
    return next((each for each, matter, told_at in known if same(new, matter, told_at, now)), None)


def order_key(number: str) -> str:
    """An order number without what people add or leave out."""
    plain = unicodedata.normalize("NFKC", number).casefold()
    return "".join(sign for sign in plain if sign.isalnum())


def _named(natures: Sequence[str]) -> list[str]:
    return [each for each in natures if each not in _UNNAMED]


def _plain(words: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKC", words).casefold() if sign.isalnum())
