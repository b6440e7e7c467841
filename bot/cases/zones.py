"""What people call a time zone: 北京时间, "Beijing time" (`zones.yml`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.yamlfile import Sheet, Words
from nlu.understanding import Language


def name(zone: ZoneInfo, language: Language) -> str:
    """The zone's name; of one that the file does not know, that of the city it is called after."""
    known = _names().get(zone.key)
    if known is not None:
        return known.said(language)
    city = zone.key.rpartition("/")[2].replace("_", " ")
    return f"{city} 时间" if language == "zh" else f"{city} time"


@cache
def _names() -> Mapping[str, Words]:
    """Raises ContentError."""
    sheet = Sheet(Path(__file__).with_name("zones.yml"))
    found: dict[str, Words] = {}
    with sheet.part():
        for key, item in sheet.entries(sheet.root, "zones.yml").items():
            with sheet.part():
                found[key] = sheet.words(item, key, limit=40)
    sheet.check()
    return found
