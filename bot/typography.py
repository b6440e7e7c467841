"""Chinese beside Latin letters: a value that comes into a sentence stands apart by a space (Alice 来为您服务)."""

from __future__ import annotations

import re

from bot.yamlfile import Words
from nlu.understanding import Language

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_HAN = r"\u3400-\u9fff\uf900-\ufaff"
_BEFORE, _AFTER = re.compile(rf"[{_HAN}]$"), re.compile(rf"^[{_HAN}]")
_LATIN_FIRST, _LATIN_LAST = re.compile(r"^[A-Za-z0-9\u00c0-\u024f]"), re.compile(r"[A-Za-z0-9\u00c0-\u024f]$")


def said(words: Words, language: Language, **values: object) -> str:
    """As `words.said`, with the spaces that Chinese wants around Latin words and figures filled into it."""
    if language != "zh" or not values:
        return words.said(language, **values)
    text = words.zh

    def filled(found: re.Match[str]) -> str:
        value = str(values.get(found[1], found[0]))
        before = " " if _BEFORE.search(text[: found.start()]) and _LATIN_FIRST.search(value) else ""
        after = " " if _AFTER.search(text[found.end() :]) and _LATIN_LAST.search(value) else ""
        return f"{before}{value}{after}"

    return _PLACEHOLDER.sub(filled, text)


def within(name: str, language: Language) -> str:
    """A name that stands between Chinese characters, apart from them where it is Latin."""
    if language != "zh":
        return name
    return f"{' ' if _LATIN_FIRST.search(name) else ''}{name}{' ' if _LATIN_LAST.search(name) else ''}"
