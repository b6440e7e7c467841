"""Hides what identifies a person, before text goes to a log, an export or anybody outside (R6.1).

It errs on the side of hiding: a figure of seven digits and more is taken for personal unless it is a date. Every
pattern is linear in the length of the text.
"""

from __future__ import annotations

import re

_LOCAL = r"[A-Za-z0-9._%+*-]"
_EMAIL = re.compile(rf"(?<!{_LOCAL})({_LOCAL}){_LOCAL}*+[@＠]((?:[A-Za-z0-9-]++\.)++[A-Za-z0-9-]++)")
_DATE = r"(?<!\d)(?:19|20)\d\d([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])(?![-/.]?\d)"
# Digits with the signs that people put between them, seen or not, and the X that ends an identity card's number.
_FIGURE = r"\d(?:[ \u00a0\u3000().\u200b-\u2015\u2060\ufeff-]{0,3}\d){6,}+[xX]?"
_SPELLED = "[零〇一二三四五六七八九幺]{7,}+"
# An order number such as ORD-2041-AB77: letters and digits in one word.
_WORD = r"(?<![A-Za-z0-9])[A-Za-z0-9]++(?:[-_][A-Za-z0-9]++)*+"
_FIGURES = re.compile(f"{_DATE}|(?P<hide>{_FIGURE}|{_SPELLED})")
_WORDS = re.compile(f"{_DATE}|(?P<hide>{_WORD})")


def mask(text: str) -> str:
    """`text` with phone, e-mail, identity-card, bank-card and order numbers hidden but for a few signs at the ends.

    Signs are replaced one by one, so that the length stays (but for e-mail addresses). Masking twice changes nothing.
    """
    # Hiding one thing may show that its neighbour is another: until nothing more is found.
    while (masked := _WORDS.sub(_word, _FIGURES.sub(_figure, _EMAIL.sub(r"\1***@\2", text)))) != text:
        text = masked
    return text


def _figure(found: re.Match[str]) -> str:
    figure = found["hide"]
    if figure is None:
        return found[0]  # a date
    length = sum(sign.isalnum() for sign in figure)
    # Enough to recognise one's own: 138****5678. A short number shows no more than its end.
    return _hidden(figure, 3, length - 4) if length >= 11 else _hidden(figure, 0, length - 3)


def _word(found: re.Match[str]) -> str:
    word = found["hide"]
    if word is None or len(word) < 8 or sum(sign.isdigit() for sign in word) < 5:
        return found[0]
    return _hidden(word, 0, sum(sign.isalnum() for sign in word) - 3)


def _hidden(text: str, start: int, end: int) -> str:
    """The letters and digits from place `start` to `end`, counting nothing else, become stars."""
    place = 0
    signs: list[str] = []
    for sign in text:
        if sign.isalnum():
            signs.append("*" if start <= place < end else sign)
            place += 1
        else:
            signs.append(sign)
    return "".join(signs)
