"""What is promised, and by when: `deadlines.yml` (R4.1, R4.2, R4.5).

How the hours are counted: `clock` runs day and night; `workdays` runs by the clock but skips days without office hours,
and never ends while the office is closed; `office` runs only while the office is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from bot.cases.calendar import (
    Calendar,
    add_office_time,
    add_workday_time,
    moment_words,
    office_time_between,
    workday_time_between,
)
from bot.yamlfile import Item, Sheet, Words
from nlu.understanding import Language, Urgency

Counted = Literal["clock", "workdays", "office"]
Task = Literal["first_response", "plan", "execution", "follow_up", "call_back", "remedy", "task"]
Upwards = Literal["supervisor", "admin"]
TASKS: tuple[Task, ...] = get_args(Task)
URGENCIES: tuple[Urgency, ...] = get_args(Urgency)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How long a task may take. `promise` is what the customer is told, {by} being the instant in words."""

    within: timedelta
    counted: Counted
    promise: Words | None = None


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is told of a deadline that was not kept, `after` so long of its own counting."""

    to: Upwards
    after: timedelta


@dataclass(frozen=True, slots=True)
class Deadlines:
    """`warn_at` is the share of an allowance after which a warning is due; `close_from` the score of 0 to 100 from
    which the follow-up closes a case."""

    first_response: Mapping[Urgency, Allowance]
    others: Mapping[Task, Allowance]
    warn_at: float
    close_from: float
    escalation: tuple[Escalation, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """Instants in UTC."""

    warn_at: datetime
    due_at: datetime


def due(deadlines: Deadlines, calendar: Calendar, task: Task, start: datetime, urgency: Urgency = "normal") -> Due:
    """When a task begun at `start` is due, and when to warn. Only the first response depends on the urgency."""
    allowed = allowance(deadlines, task, urgency)
    due_at = after(calendar, start, allowed.within, allowed.counted)
    warn_at = after(calendar, start, allowed.within * deadlines.warn_at, allowed.counted)
    return Due(min(warn_at, due_at), due_at)


def promise(deadlines: Deadlines, calendar: Calendar, urgency: Urgency, start: datetime, language: Language) -> str:
    """The first response's deadline as told at `start`: "within 2 hours", 明天 9:00 前. It is the deadline kept."""
    due_at = due(deadlines, calendar, "first_response", start, urgency).due_at
    words = deadlines.first_response[urgency].promise
    by = moment_words(calendar, due_at, start, language, clock_first=True)
    return by if words is None else words.said(language, by=by)


def allowance(deadlines: Deadlines, task: Task, urgency: Urgency = "normal") -> Allowance:
    """How long this task may take."""
    return deadlines.first_response[urgency] if task == "first_response" else deadlines.others[task]


def after(calendar: Calendar, start: datetime, within: timedelta, counted: Counted) -> datetime:
    """The instant `within` of this counting after `start`."""
    if counted == "clock":
        return start + within
    return (add_office_time if counted == "office" else add_workday_time)(calendar, start, within)


def between(calendar: Calendar, start: datetime, end: datetime, counted: Counted) -> timedelta:
    """How much of this counting lies between two instants; below zero the other way round."""
    if end < start:
        return -between(calendar, end, start, counted)
    if counted == "clock":
        return end - start
    return (office_time_between if counted == "office" else workday_time_between)(calendar, start, end)


# ---- deadlines.yml ----


def load(path: Path, text: str | None = None) -> Deadlines:
    """The deadlines of a file, or of the `text` that it would hold. Raises ContentError with every problem found."""
    sheet = Sheet(path, text)
    responses: dict[Urgency, Allowance] = {}
    others: dict[Task, Allowance] = dict(_DEFAULTS)
    escalation: tuple[Escalation, ...] = _ESCALATION
    warn_at = close_from = 0
    needs = ("first_response", "plan", "follow_up", "warn_at_percent", "close_from")
    with sheet.part():
        top = sheet.mapping(sheet.root, "deadlines.yml", needs=needs, may=(*_DEFAULTS, "execution", "escalation"))
        with sheet.part():
            for urgency, item in sheet.mapping(top["first_response"], "first_response", needs=URGENCIES).items():
                with sheet.part():
                    responses[urgency] = _read(sheet, item, f"first_response, {urgency},", True)  # type: ignore[index] # one of URGENCIES
        for task in TASKS[1:]:
            with sheet.part():
                if task in top:
                    others[task] = _read(sheet, top[task], task, False)
        if "execution" not in top and "plan" in others:
            others["execution"] = others["plan"]
        with sheet.part():
            warn_at = sheet.integer(top["warn_at_percent"], "warn_at_percent", 1, 99)
        with sheet.part():
            close_from = sheet.integer(top["close_from"], "close_from", 1, 100)
        if "escalation" in top:
            with sheet.part():
                escalation = _escalation(sheet, top["escalation"])
    sheet.check()
    return Deadlines(responses, others, warn_at / 100, float(close_from), escalation)


_DEFAULTS: Mapping[Task, Allowance] = {
    "call_back": Allowance(timedelta(hours=24), "workdays"),
    "remedy": Allowance(timedelta(hours=24), "clock"),
    "task": Allowance(timedelta(days=2), "workdays"),
}
_ESCALATION = (Escalation("supervisor", timedelta(0)), Escalation("admin", timedelta(hours=24)))


def _escalation(sheet: Sheet, item: Item) -> tuple[Escalation, ...]:
    found: list[Escalation] = []
    for step in sheet.items(item, "escalation"):
        with sheet.part():
            said = sheet.mapping(step, "a step of escalation", needs=("to", "after_hours"))
            to: Upwards = sheet.choice(said["to"], "to", get_args(Upwards))  # type: ignore[assignment] # chosen of them
            hours = timedelta(hours=sheet.integer(said["after_hours"], "after_hours", 0, 24 * 365))
            if found and hours <= found[-1].after:
                sheet.refuse(step, "a step of escalation is not later than the one before", "Put them in order")
            found.append(Escalation(to, hours))
    return tuple(found)


def _read(sheet: Sheet, item: Item, what: str, promised: bool) -> Allowance:
    needs = ("counted", "promise") if promised else ("counted",)
    found = sheet.mapping(item, what, needs=needs, may=("hours", "days"))
    if ("hours" in found) == ("days" in found):
        raise sheet.refuse(item, f"{what} needs either `hours` or `days`", "Write one of the two")
    within = (
        timedelta(hours=sheet.integer(found["hours"], f"hours of {what}", 1, 24 * 365))
        if "hours" in found
        else timedelta(days=sheet.integer(found["days"], f"days of {what}", 1, 365))
    )
    counted: Counted = sheet.choice(found["counted"], f"counted of {what}", get_args(Counted))  # type: ignore[assignment] # chosen of them
    words = sheet.words(found["promise"], f"the promise of {what}", may=("by",)) if promised else None
    if words is not None and counted != "clock" and not ("{by}" in words.zh and "{by}" in words.en):
        sheet.refuse(
            found["promise"],
            f"the promise of {what} names no {{by}}, though its hours are counted by {counted}",
            "Say {by}, the instant itself: nobody can tell from hours alone when the office's hours are over",
        )
    return Allowance(within, counted, words)
