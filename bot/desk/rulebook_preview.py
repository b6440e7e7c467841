"""What a change of the files that rule the house would mean: before and after, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from bot.cases.calendar import Calendar, is_open, moment_words, opens_at
from bot.cases.clocks import House
from bot.cases.deadlines import URGENCIES, Deadlines, promise
from bot.cases.departments import NATURES, Departments
from bot.cases.rules import SETTLED
from bot.desk import survey_preview
from bot.desk.rules import allowed, escalated, open_hours
from bot.desk.words import said
from bot.surveys.definitions import Surveys
from bot.takeover.assignment import Giving
from nlu.understanding import Language
from storage.sets import among
from storage.tables import canned_replies, case_tasks, cases, staff

MOST = 200
"""Changes that are listed."""


@dataclass(frozen=True, slots=True)
class Change:
    """`old` and `new` in words; None: there was none, or there will be none."""

    what: str
    old: str | None
    new: str | None


def changes(old: House, new: House, now: datetime, language: Language) -> list[Change]:
    """What would be otherwise, in the order of the files; empty where nothing would."""
    found = _deadlines(old.deadlines, new.deadlines, language)
    found += _calendar(old.calendar, new.calendar, language)
    found += _own_hours(old, new, language)
    found += _departments(old.departments, new.departments, language)
    found += _surveys(old.surveys, new.surveys, language)
    if not found:
        return []
    before, after = (_tried(each, now, language) for each in (old, new))
    return (found + [Change(what, before[what], each) for what, each in after.items() if before[what] != each])[:MOST]


def in_use(connection: Connection, old: Departments, new: Departments) -> list[tuple[str, dict[str, int]]]:
    """The departments that would be gone though they are needed, with how many of what needs them."""
    found = []
    for key in old.names:
        if key in new.names:
            continue
        open_cases = (cases.c.department == key, ~among(cases.c.state, *sorted(SETTLED)))
        waiting = (case_tasks.c.department == key, among(case_tasks.c.state, "waiting", "acknowledged"))
        counts: dict[str, Any] = {
            "people": select(func.count()).where(staff.c.department == key, staff.c.disabled_at.is_(None)),
            "cases": select(func.count()).where(*open_cases),
            "tasks": select(func.count()).where(*waiting),
            "replies": select(func.count()).where(canned_replies.c.department == key),
        }
        needed = {name: int(connection.execute(each).scalar_one()) for name, each in counts.items()}
        if any(needed.values()):
            found.append((key, {name: count for name, count in needed.items() if count}))
    return found


def nature_words(nature: str, language: Language) -> str:
    return said("rulebook.unclear", language) if nature == "none" else said(f"nature.{nature}", language)


def _tried(house: House, now: datetime, language: Language) -> dict[str, str]:
    """What a customer would be told now."""
    calendar = house.calendar
    opens = said("rulebook.open_now", language) if is_open(calendar, now) else ""
    found = {said("rulebook.opens", language): opens or moment_words(calendar, opens_at(calendar, now), now, language)}
    for urgency in URGENCIES:
        what = said("rulebook.told", language, urgency=said(f"urgency.{urgency}", language))
        found[what] = promise(house.deadlines, calendar, urgency, now, language)
    return found


def _deadlines(old: Deadlines, new: Deadlines, language: Language) -> list[Change]:
    def shown(ruled: Deadlines) -> dict[str, str]:
        first = said("task.first_response", language)
        found = {
            f"{first} · {said(f'urgency.{urgency}', language)}": allowed(each, language)
            for urgency, each in ruled.first_response.items()
        }
        for urgency, each in ruled.first_response.items():
            if each.promise is not None:
                what = said("rulebook.promise", language, urgency=said(f"urgency.{urgency}", language))
                found[what] = f"{each.promise.zh} / {each.promise.en}"
        found |= {said(f"task.{task}", language): allowed(each, language) for task, each in ruled.others.items()}
        found[said("rulebook.warn", language)] = f"{100 * ruled.warn_at:.0f} %"
        found[said("rulebook.close", language)] = f"{ruled.close_from:.0f}"
        steps = [escalated(said(f"role.{each.to}", language), each.after, language) for each in ruled.escalation]
        found[said("rulebook.escalation", language)] = " ".join(steps) or "–"
        return found

    return _differing(shown(old), shown(new))


def _calendar(old: Calendar, new: Calendar, language: Language, whose: str = "") -> list[Change]:
    shut = said("house.shut", language)

    def shown(calendar: Calendar) -> dict[str, str]:
        found = {whose + said("rulebook.zone", language): str(calendar.zone)}
        found[whose + said("rulebook.say_zone", language)] = ", ".join(calendar.named.values()) or "–"
        for day, hours in enumerate(calendar.weekly):
            found[whose + said(f"day.{day}", language)] = open_hours(hours) or shut
        return found

    return _differing(shown(old), shown(new)) + _special(old, new, language, whose)


def _special(old: Calendar, new: Calendar, language: Language, whose: str) -> list[Change]:
    """Days that follow each other and change alike are one change."""
    usual, shut = said("rulebook.as_usual", language), said("house.shut", language)

    def shown(calendar: Calendar, day: date) -> str:
        return (open_hours(calendar.special[day]) or shut) if day in calendar.special else usual

    runs: list[tuple[date, date, str, str]] = []
    for day in sorted({*old.special, *new.special}):
        before, after = shown(old, day), shown(new, day)
        if before == after:
            continue
        if runs and day - runs[-1][1] == timedelta(days=1) and runs[-1][2:] == (before, after):
            runs[-1] = (runs[-1][0], day, before, after)
        else:
            runs.append((day, day, before, after))
    return [
        Change(whose + (f"{first} – {last}" if first != last else f"{first}"), before, after)
        for first, last, before, after in runs
    ]


def _own_hours(old: House, new: House, language: Language) -> list[Change]:
    found: list[Change] = []
    for key in {**old.calendar.departments, **new.calendar.departments}:
        words = new.departments.names.get(key) or old.departments.names.get(key)
        whose = f"{words.said(language) if words else key} · "
        before, after = old.calendar.departments.get(key), new.calendar.departments.get(key)
        if (before is None) != (after is None):
            house, own = said("rulebook.as_house", language), said("rulebook.own", language)
            found.append(Change(whose[:-3], house if before is None else own, house if after is None else own))
        elif before is not None and after is not None:
            found += _calendar(before, after, language, whose)
    return found


def _departments(old: Departments, new: Departments, language: Language) -> list[Change]:
    def named(ruled: Departments, key: str) -> str:
        words = ruled.names.get(key)
        return words.said(language) if words else key

    names = _differing(
        {key: f"{words.zh} / {words.en}" for key, words in old.names.items()},
        {key: f"{words.zh} / {words.en}" for key, words in new.names.items()},
    )

    def roles(ruled: Departments) -> dict[str, str]:
        found: dict[str, str] = {}
        for nature in NATURES:
            if old.by_nature[nature] != new.by_nature[nature]:
                what = said("rulebook.takes", language, nature=nature_words(nature, language))
                found[what] = named(ruled, ruled.by_nature[nature])
        if old.giving != new.giving:
            found[said("team.rule", language)] = _given(ruled.giving, language)
        if old.hub != new.hub:
            found[said("rulebook.hub", language)] = named(ruled, ruled.hub)
        if old.coordinator != new.coordinator:
            found[said("rulebook.coordinator", language)] = named(ruled, ruled.coordinator)
        return found

    return names + _differing(roles(old), roles(new))


def _given(giving: Giving | None, language: Language) -> str:
    """How waiting conversations are given out."""
    if giving is None:
        return said("rulebook.rule_settings", language)
    return said(f"team.rule_{giving.rule}", language, most=giving.most)


def _surveys(old: Surveys, new: Surveys, language: Language) -> list[Change]:
    """One that is new, or gone, is a change of one line."""
    before, after = (survey_preview.told(each, language) for each in (old, new))
    found: list[Change] = []
    for key in {**before, **after}:
        if key in before and key in after:
            whose = f"{key} · " if key else ""
            found += [Change(whose + each.what, each.old, each.new) for each in _differing(before[key], after[key])]
        else:
            told = [next(iter(each[key].values())) if key in each else None for each in (before, after)]
            found.append(Change(key, *told))
    return found


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    return [Change(key, old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)]
