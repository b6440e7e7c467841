"""Which of the two languages a message is in."""

from __future__ import annotations

import re

from nlu.understanding import Language


def detect(text: str, hint: Language | None = None) -> Language:
    """The language that most of a normalised text is in; one Latin word weighs as much as one Chinese
    character. Numbers, codes, addresses and signs do not count. Where nothing counts, or only a word of up to three
    letters ("ok", "vip"), it is `hint`; without one, a text with no letters is "zh", the language of the house."""
    chinese = 0 if text.isascii() else len(_CHINESE.findall(text))
    if chinese and not _LATIN.search(text):
        return "zh"
    words = _WORD.findall(_CODE.sub(" ", text) if _CODE_SIGN.search(text) else text)
    if not chinese:
        if not words:
            return hint or "zh"
        return hint if hint and len(words) == 1 and len(words[0]) <= 3 else "en"
    return "zh" if chinese >= len(words) else "en"


_CHINESE = re.compile(r"[㐀-鿿豈-﫿぀-ヿ가-힯𠀀-𪛟]")
_WORD = re.compile(r"[^\W\d_㐀-鿿豈-﫿぀-ヿ가-힯𠀀-𪛟]+(?:'[a-z]+)?")
_LATIN = re.compile(r"[a-z]")
_CODE_SIGN = re.compile(r"[\d@/_]")
_CODE = re.compile(r"\S*[@/_]\S*|[a-z-]*\d[a-z\d-]*")
