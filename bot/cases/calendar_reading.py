"""Reads `calendar.yml`: the house's hours, and those of departments that keep their own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

from bot.cases import zones
from bot.cases.calendar import WEEKDAYS, Calendar, Hours
from bot.errors import Problem
from bot.yamlfile import Item, Sheet
from nlu.understanding import Language

_DAY = timedelta(days=1)
_SPAN = re.compile(r"(\d{1,2}):(\d\d)\s*[-–—~至到]\s*(\d{1,2}):(\d\d)")


def load(path: Path, text: str | None = None) -> Calendar:
    """The calendar of a file, or of the `text` that it would hold. Raises ContentError with every problem found."""
    sheet = Sheet(path, text)
    zone = ZoneInfo("UTC")
    weekly: list[tuple[Hours, ...]] = [()] * 7
    special: dict[date, tuple[Hours, ...]] = {}
    own: dict[str, Mapping[str, Item]] = {}
    spoken: tuple[Language, ...] = get_args(Language)
    may = ("say_time_zone", "holidays", "workdays", "departments")
    with sheet.part():
        top = sheet.mapping(sheet.root, "calendar.yml", needs=("time_zone", "weekly"), may=may)
        with sheet.part():
            zone = _zone(sheet, top["time_zone"])
        with sheet.part():
            if "say_time_zone" in top:
                spoken = tuple(
                    sheet.choice(each, "a language of say_time_zone", get_args(Language))  # type: ignore[misc] # chosen of them
                    for each in _list(sheet, top, "say_time_zone")
                )
        with sheet.part():
            weekly = _weekly(sheet, top["weekly"], "the office")
        special = _special(sheet, top)
        if "departments" in top and top["departments"] != Item(top["departments"].line):
            for name, item in sheet.entries(top["departments"], "departments").items():
                with sheet.part():
                    own[name] = sheet.mapping(item, name, may=("time_zone", "weekly", "holidays", "workdays"))
    departments: dict[str, Calendar] = {}
    for name, given in own.items():
        with sheet.part():
            # What a department does not say is the house's.
            hours = _weekly(sheet, given["weekly"], name) if "weekly" in given else weekly
            theirs = special | _special(sheet, given)
            its_zone = _zone(sheet, given["time_zone"]) if "time_zone" in given else zone
            if not sheet.problems:
                departments[name] = Calendar(its_zone, tuple(hours), theirs)
    sheet.check()
    named = {language: zones.name(zone, language) for language in spoken}
    return Calendar(zone, tuple(weekly), special, named, departments)


def hours_of(texts: Sequence[str]) -> tuple[Hours, ...] | None:
    """The hours of a day out of spans such as 9:00-12:00, in order; None where they are none."""
    spans: list[Hours] = []
    last = 0
    for text in texts:
        found = _SPAN.fullmatch(text)
        if found is None:
            return None
        start_hour, start_minute, end_hour, end_minute = (int(part) for part in found.groups())
        start, end = 60 * start_hour + start_minute, 60 * end_hour + end_minute
        if max(start_minute, end_minute) > 59 or not last <= start < end <= 24 * 60:
            return None
        last = end
        spans.append(Hours(time(*divmod(start, 60)), time(*divmod(end % (24 * 60), 60))))
    return tuple(spans)


def strangers(calendar: Calendar, departments: Collection[str]) -> list[Problem]:
    """What is wrong with the departments that keep hours of their own: those that there are not."""
    remedy = "Name those of departments.yml, or add it there"
    return [
        Problem("calendar.yml", 1, f"there is no department '{name}'", remedy)
        for name in calendar.departments
        if name not in departments
    ]


def _weekly(sheet: Sheet, item: Item, whose: str) -> list[tuple[Hours, ...]]:
    weekly: list[tuple[Hours, ...]] = [()] * 7
    before = len(sheet.problems)
    for day, hours in sheet.mapping(item, "weekly", needs=WEEKDAYS).items():
        with sheet.part():
            weekly[WEEKDAYS.index(day)] = _hours(sheet, hours, day)
    if not any(weekly) and len(sheet.problems) == before:
        sheet.refuse(item, f"{whose} is never open", 'Give at least one day hours: ["9:00-18:00"]')
    return weekly


def _special(sheet: Sheet, top: Mapping[str, Item]) -> dict[date, tuple[Hours, ...]]:
    special: dict[date, tuple[Hours, ...]] = {}
    for item in _list(sheet, top, "holidays"):
        with sheet.part():
            for day_off in _days(sheet, item, "a holiday"):
                special[day_off] = ()
    for item in _list(sheet, top, "workdays"):
        with sheet.part():
            found = sheet.mapping(item, "a workday", needs=("date", "hours"))
            for workday in _days(sheet, found["date"], "the date of a workday"):
                if workday in special:
                    sheet.refuse(item, f"{workday} is both a holiday and a workday", "Keep one of the two")
                special[workday] = _hours(sheet, found["hours"], str(workday))
    return special


def _list(sheet: Sheet, top: Mapping[str, Item], name: str) -> tuple[Item, ...]:
    """An empty key, all of whose lines are commented out, is an empty list."""
    if name not in top or top[name] == Item(top[name].line):
        return ()
    return sheet.items(top[name], name)


def _zone(sheet: Sheet, item: Item) -> ZoneInfo:
    name = sheet.text(item, "time_zone")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a name at all, a directory of zones
        raise sheet.refuse(item, f"time_zone is '{name}'", "Write one such as Asia/Shanghai or Europe/London") from None


def _hours(sheet: Sheet, item: Item, day: str) -> tuple[Hours, ...]:
    remedy = 'Write spans in order, such as ["9:00-12:00", "13:30-18:00"]; [] for none; 24:00 for midnight'
    texts = [sheet.text(one, f"the hours of {day}") for one in sheet.items(item, f"the hours of {day}")]
    for n, one in enumerate(item.items or ()):
        if not _SPAN.fullmatch(texts[n]):
            raise sheet.refuse(one, f"the hours of {day} are '{texts[n]}'", remedy)
        if hours_of(texts[: n + 1]) is None:
            raise sheet.refuse(one, f"the hours of {day}, '{texts[n]}', end before they begin, or overlap", remedy)
    return hours_of(texts) or ()


def _days(sheet: Sheet, item: Item, what: str) -> Iterator[date]:
    """A date, or `first..last`."""
    text = sheet.text(item, what)
    first, dots, last = text.partition("..")
    try:
        day, end = date.fromisoformat(first.strip()), date.fromisoformat((last if dots else first).strip())
    except ValueError:
        raise sheet.refuse(item, f"{what} is '{text}'", "Write 2027-01-01, or 2027-02-06..2027-02-12") from None
    if not timedelta(0) <= end - day <= timedelta(days=366):
        raise sheet.refuse(item, f"{what}, '{text}', ends before it begins, or lasts over a year", "Check both dates")
    while day <= end:
        yield day
        day += _DAY
