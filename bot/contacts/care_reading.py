"""Reads `care.yml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from bot.contacts.care import OCCASIONS, RISKS, Calls, Care, CareMessage, Occasion, Risks, Shares
from bot.surveys.reading import read_quiet_hours
from bot.yamlfile import Item, Sheet, Words

_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LONGEST = 1000
_WHYS = (*RISKS, "high_value")


def load(path: Path) -> Care:
    """The customer care of a file. Raises ContentError with every problem found."""
    sheet = Sheet(path)
    shares, risks, calls = Shares(), Risks(), Calls({})
    cooldown, footer, quiet = 30, Words("", ""), None
    messages: list[CareMessage] = []
    with sheet.part():
        top = sheet.mapping(sheet.root, "care.yml", needs=("segments", "risk", "call_backs", "messages"))
        with sheet.part():
            shares = _shares(sheet, top["segments"])
        with sheet.part():
            risks = _risks(sheet, top["risk"])
        with sheet.part():
            calls = _calls(sheet, top["call_backs"])
        with sheet.part():
            found = sheet.mapping(
                top["messages"], "messages", needs=("cooldown_days", "footer", "send"), may=("quiet_hours",)
            )
            with sheet.part():
                cooldown = sheet.integer(found["cooldown_days"], "cooldown_days", 1, 365)
            with sheet.part():
                footer = sheet.words(found["footer"], "the footer", limit=_LONGEST)
            if "quiet_hours" in found:
                with sheet.part():
                    quiet = read_quiet_hours(sheet, found["quiet_hours"], "messages")
            for item in sheet.items(found["send"], "send"):
                with sheet.part():
                    messages.append(_message(sheet, item, {each.key for each in messages}))
    sheet.check()
    return Care(
        calls=calls,
        footer=footer,
        shares=shares,
        risks=risks,
        cooldown=timedelta(days=cooldown),
        quiet=quiet,
        messages=tuple(messages),
    )


def _shares(sheet: Sheet, item: Item) -> Shares:
    found = sheet.mapping(item, "segments", needs=("high_value_percent", "medium_percent"))
    high = sheet.integer(found["high_value_percent"], "high_value_percent", 1, 99)
    medium = sheet.integer(found["medium_percent"], "medium_percent", 0, 99)
    if high + medium > 100:
        raise sheet.refuse(
            found["medium_percent"],
            f"high_value_percent and medium_percent are {high + medium} together",
            f"Let medium_percent be at most {100 - high}",
        )
    return Shares(high, medium)


def _risks(sheet: Sheet, item: Item) -> Risks:
    limits = {
        "low_below": (1, 100),
        "ratings_in_a_row": (1, 20),
        "complaints": (1, 100),
        "within_days": (1, 3650),
        "silent_days": (1, 3650),
    }
    found = sheet.mapping(item, "risk", needs=tuple(limits))
    low, in_a_row, complaints, within, silent = (
        sheet.integer(found[name], name, *between) for name, between in limits.items()
    )
    return Risks(float(low), in_a_row, complaints, timedelta(days=within), timedelta(days=silent))


def _calls(sheet: Sheet, item: Item) -> Calls:
    found = sheet.mapping(item, "call_backs", needs=("tries", *_WHYS))
    tries = sheet.integer(found["tries"], "tries", 1, 20)
    say: dict[str, Words] = {}
    every = per_day = 0
    for why in _WHYS:
        what = f"{why} of call_backs"
        more = ("every_days", "per_day") if why == "high_value" else ()
        said = sheet.mapping(found[why], what, needs=("say", *more))
        say[why] = sheet.words(said["say"], f"say of {what}", limit=_LONGEST)
        if more:
            every = sheet.integer(said["every_days"], f"every_days of {what}", 1, 3650)
            per_day = sheet.integer(said["per_day"], f"per_day of {what}", 0, 10_000)
    return Calls(say, timedelta(days=every), per_day, tries)


def _message(sheet: Sheet, item: Item, seen: set[str]) -> CareMessage:
    may = ("segments", "touchpoints", "products", "after_days")
    found = sheet.mapping(item, "a message", needs=("key", "occasion", "text"), may=may)
    key = sheet.text(found["key"], "the key of a message")
    if not _KEY.fullmatch(key):
        raise sheet.refuse(found["key"], f"the key of a message is '{key[:80]}'", "Write small letters, digits and _")
    if key in seen:
        raise sheet.refuse(found["key"], f"the message '{key}' stands here twice", "Give each its own key")
    occasion: Occasion = sheet.choice(found["occasion"], f"the occasion of '{key}'", OCCASIONS)  # type: ignore[assignment] # chosen of them
    for name in ("touchpoints", "products"):
        if name in found and occasion != "service":
            sheet.refuse(
                found[name], f"'{key}' has {name}, but no service", f"Remove {name}, or let occasion be service"
            )
    after = sheet.integer(found["after_days"], f"after_days of '{key}'", 0, 365) if "after_days" in found else 0
    if after and occasion == "birthday":
        sheet.refuse(found["after_days"], f"'{key}' comes {after} days after the birthday", "Remove after_days")
    return CareMessage(
        key=key,
        occasion=occasion,
        text=sheet.words(found["text"], f"the text of '{key}'", may=("company",), limit=_LONGEST),
        segments=_texts(sheet, found, "segments", key),
        touchpoints=_texts(sheet, found, "touchpoints", key),
        products=_texts(sheet, found, "products", key),
        after=timedelta(days=after),
    )


def _texts(sheet: Sheet, found: Mapping[str, Item], name: str, key: str) -> tuple[str, ...]:
    item = found.get(name)
    if item is None:
        return ()
    return tuple(sheet.text(each, f"one of the {name} of '{key}'") for each in sheet.items(item, f"{name} of '{key}'"))
