"""What the desk says (`texts.yml`, in both languages), and which of the two a browser wants."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from aiohttp import web

from bot import typography
from bot.service import SERVICE
from bot.web import language
from bot.yamlfile import Words
from nlu.understanding import Language


@cache
def texts() -> dict[str, Words]:
    """Every text of the desk, as `section.key`. Raises ContentError."""
    found = language.read(Path(__file__).with_name("texts.yml"))
    return {f"{section}.{key}": words for section, entries in found.pages.items() for key, words in entries.items()}


def said(key: str, spoken: Language, **values: object) -> str:
    """A text. Raises KeyError for one that is not there."""
    return typography.said(texts()[key], spoken, **values)


def named(key: str, spoken: Language, **values: object) -> str:
    """A text, or nothing where what it names is newer than the texts."""
    return said(key, spoken, **values) if key in texts() else ""


def language_of(request: web.Request) -> Language:
    """The language of whoever looks."""
    return language.language_of(request, request.app[SERVICE].settings.language)
