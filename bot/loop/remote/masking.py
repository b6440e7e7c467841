"""Takes out of a text what tells who somebody is, before it leaves for a server that is not ours (R6.1).

Unlike `bot.contacts.masking`, which leaves a few signs for people to recognise their own, nothing stays: a placeholder
says what stood there. What no rule can see, a name in the middle of a sentence, it does not see either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.contacts.masking import mask
from nlu.understanding import Entity

PLACEHOLDERS = {
    "email": "[e-mail]",
    "phone": "[phone]",
    "order_number": "[order number]",
    "case_number": "[case number]",
    "name": "[name]",
    "place": "[place]",
}
"""Entities that do not leave."""

NUMBER = "[number]"
_LINK = re.compile(r"(?:https?://|www\.)[^\s\u3000-\u303f\uff00-\uffef]+", re.IGNORECASE)
_MAIL = re.compile(r"[^\s@＠<>()\[\]，。；：]+[@＠][^\s@＠<>()\[\]，。；：]+")
_LONG = re.compile(r"\d{5,}")
_LETTER = re.compile("[A-Za-z]")
_FIGURE = re.compile(r"[0-9A-Za-z零〇一二三四五六七八九幺 ().\u00a0\u3000\u200b-\u2015\u2060\ufeff-]")
"""What a number is made of that hides in part: figures, in digits or spelled, and what stands between them."""


def masked(text: str, entities: Iterable[Entity]) -> str:
    """`text` with the `entities` that identify (where they stand in it), mail addresses, links and every long number
    replaced."""
    pieces: list[str] = []
    place = 0
    known = (each for each in entities if each.entity in PLACEHOLDERS and 0 <= each.start < each.end <= len(text))
    for each in sorted(known, key=lambda entity: (entity.start, -entity.end)):
        if each.end > place:
            pieces += [text[place : max(place, each.start)], PLACEHOLDERS[each.entity]]
            place = each.end
    done = "".join([*pieces, text[place:]])
    done = _MAIL.sub(PLACEHOLDERS["email"], _LINK.sub("[link]", done))
    return _LONG.sub(NUMBER, _replaced(done, mask(done)))


def _replaced(text: str, hidden: str) -> str:
    """`text` with a placeholder for every number of which `hidden`, the same sign by sign, hides a part."""
    if len(text) != len(hidden):  # never, as no mail address is left; if ever, then better stars than numbers
        return hidden
    pieces: list[str] = []
    place = 0
    while place < len(text):
        if text[place] == hidden[place]:
            pieces.append(text[place])
            place += 1
            continue
        while pieces and _FIGURE.fullmatch(pieces[-1]) and not _LETTER.fullmatch(pieces[-1]):
            pieces.pop()
        pieces.append(f" {NUMBER} ")
        while place < len(text) and (text[place] != hidden[place] or _joined(text, place)):
            place += 1
    return "".join(pieces)


def _joined(text: str, place: int) -> bool:
    """Whether what stands at `place` belongs to the number before it: no word after a blank does."""
    sign = text[place]
    return bool(_FIGURE.fullmatch(sign)) and not (_LETTER.fullmatch(sign) and not text[place - 1].isalnum())
