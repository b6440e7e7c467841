"""The text as the rules and heads read it: as long as what was written, so that places in one are places in the
other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from itertools import chain

HEAD, TAIL = 800, 400
"""Of a text longer than both together, only the first HEAD and the last TAIL characters are read."""


def clip(text: str) -> tuple[str, int]:
    """What is read of `text`, and how much further on in the text itself lies what stands behind the seam (HEAD)."""
    if len(text) <= HEAD + TAIL:
        return text, 0
    return f"{text[:HEAD]}\n{text[-TAIL:]}", len(text) - TAIL - HEAD - 1


def without_surrogates(text: str) -> str:
    """`text` with each lone surrogate replaced by U+FFFD: no encoder takes them."""
    return text if text.isascii() or not _SURROGATE.search(text) else _SURROGATE.sub("\ufffd", text)


def normalise(text: str, table: dict[int, int]) -> str:
    """Lower case, half width, straight quotes, simplified characters: each character by one. `table` is from
    `translation`."""
    return text.lower() if text.isascii() else text.translate(table)


def translation(simplified: Mapping[str, str]) -> dict[int, int]:
    """The table for `normalise`; `simplified` maps traditional characters to simplified ones."""
    table: dict[int, int] = {}
    for code in chain(*_FOLDED):
        plain = unicodedata.normalize("NFKC", chr(code)).lower()
        if len(plain) == 1 and ord(plain) != code:
            table[code] = ord(plain)
    for characters, plain in _SIGNS.items():
        table.update(dict.fromkeys(map(ord, characters), ord(plain)))
    table.update({ord(one): ord(other) for one, other in simplified.items()})
    return table


_SURROGATE = re.compile("[\ud800-\udfff]")
_FOLDED = (
    range(0x41, 0x250),  # Latin, with accents
    range(0x2460, 0x2474),  # ① ②
    range(0xFF01, 0xFF5F),  # full width
    range(0x1D400, 0x1D800),  # letters dressed up as mathematics
)
_SIGNS = {" ": "\u3000\u00a0\u200b\u200c\u200d\ufeff\ufe0f", "'": "‘’´`", '"': "“”", "-": "–—"}
_SIGNS = {written: plain for plain, written in _SIGNS.items()}
