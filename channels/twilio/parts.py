"""How many SMS a text is sent and billed as."""

from __future__ import annotations

from collections.abc import Iterable

# The GSM 7-bit default alphabet (3GPP TS 23.038, 6.2.1), and those that cost an escape before them (6.2.1.1).
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")


def count_parts(text: str) -> int:
    """Parts of a text: of 160 septets in the GSM 7-bit alphabet, or 153 each if there are several; with any other
    character in it, of 70 UTF-16 units, or 67 each. An escaped character or an emoji is never cut in two. At least 1.
    """
    if all(character in _BASIC or character in _EXTENDED for character in text):
        return _fill((2 if character in _EXTENDED else 1 for character in text), 160, 153)
    return _fill((2 if ord(character) > 0xFFFF else 1 for character in text), 70, 67)


def _fill(widths: Iterable[int], alone: int, each: int) -> int:
    parts, used, total = 1, 0, 0
    for width in widths:
        total += width
        if used + width > each:
            parts, used = parts + 1, 0
        used += width
    return 1 if total <= alone else parts
