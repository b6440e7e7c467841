"""The language of a page, and everything that our pages say (`texts.yml`, in both languages)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import get_args

from aiohttp import web

from bot import typography
from bot.yamlfile import Sheet, Words
from nlu.understanding import Language

LANGUAGES: tuple[Language, ...] = get_args(Language)
COOKIE = "earful_lang"
_YEAR = 365 * 24 * 3600


def language_of(request: web.Request, otherwise: str, spoken: str | None = None) -> Language:
    """Asked for in the address, chosen before, `spoken` with us so far, or the browser's; `otherwise` where none
    of them is one of ours."""
    for asked in (request.query.get("lang", ""), request.cookies.get(COOKIE, ""), spoken):
        if asked in LANGUAGES:
            return asked
    return _accepted(request.headers.get("Accept-Language", "")) or ("en" if otherwise == "en" else "zh")


def remember(response: web.StreamResponse, request: web.Request) -> None:
    """Keep the language that was asked for in the address."""
    asked = request.query.get("lang", "")
    if asked in LANGUAGES:
        response.set_cookie(COOKIE, asked, max_age=_YEAR, httponly=True, samesite="Lax", secure=request.secure)


def _accepted(header: str) -> Language | None:
    """The one of our languages that the browser likes best."""
    best: tuple[float, Language | None] = (0.0, None)
    for part in header[:500].split(","):
        name, _, parameters = part.strip().partition(";")
        language = name.strip().lower().partition("-")[0]
        if language in LANGUAGES:
            weight = _weight(parameters)
            if weight > best[0]:
                best = (weight, language)
    return best[1]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


@dataclass(frozen=True, slots=True)
class Texts:
    """What the pages say, by page and key."""

    pages: Mapping[str, Mapping[str, Words]]

    def said(self, page: str, key: str, language: Language, **values: object) -> str:
        return typography.said(self.pages[page][key], language, **values)

    def all(self, page: str, language: Language) -> dict[str, str]:
        """Every text of a page, its placeholders unfilled: for a script."""
        return {key: words.said(language) for key, words in self.pages[page].items()}


@cache
def texts() -> Texts:
    """The texts of the file beside this module. Raises ContentError with every problem found."""
    return read(Path(__file__).with_name("texts.yml"))


def read(path: Path) -> Texts:
    """`{page: {key: {zh, en}}}`, both languages with the same placeholders. Raises ContentError."""
    sheet = Sheet(path)
    pages: dict[str, dict[str, Words]] = {}
    with sheet.part():
        for page, entries in sheet.entries(sheet.root, "texts.yml").items():
            with sheet.part():
                pages[page] = {}
                for key, item in sheet.entries(entries, page).items():
                    with sheet.part():
                        what = f"{page}.{key}"
                        english = sheet.entries(item, what).get("en")
                        names = _placeholders(english.raw if english is not None and english.raw else "")
                        words = sheet.words(item, what, may=names)
                        if set(_placeholders(words.zh)) != set(names):
                            raise sheet.refuse(item, f"{what} fills in other values in Chinese", "Use the same {names}")
                        pages[page][key] = words
    sheet.check()
    return Texts(pages)


def _placeholders(text: str) -> tuple[str, ...]:
    try:
        return tuple(name for _, name, _, _ in Formatter().parse(text) if name)
    except ValueError:
        return ()  # a lone brace: `Sheet.words` says so
