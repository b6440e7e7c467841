"""The files that rule the house as forms: fields out of what holds now, and the file's text out of what was filled in.

Only the parts that a form shows are written anew; everything else of a file, its comments too, stays as it was.
Surveys, of which a form shows words here and there, have `survey_forms`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from bot.cases.calendar import WEEKDAYS, Hours
from bot.cases.calendar_reading import hours_of
from bot.cases.clocks import House
from bot.cases.deadlines import TASKS, URGENCIES, Allowance
from bot.cases.departments import MOST, NATURES
from bot.cases.rulebook import File
from bot.desk import survey_forms
from bot.takeover.assignment import RULES

Fields = Mapping[str, str]
STEPS = 3
"""Steps of escalation that the form offers."""

OWN = ("time_zone", *(f"day{day}" for day in range(7)), "holidays", "workdays")
"""What a department may have otherwise than the house; left empty, it has not."""

ROOM = 2
"""Empty rows for new departments."""

_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TOP = re.compile(r"[^\s#-]")
_DATES = re.compile(r"(\d{4}-\d\d-\d\d)(?:\s*(?:\.\.|~|至|到)\s*(\d{4}-\d\d-\d\d))?\s*(.*)")


class Wrong(ValueError):
    """A field that cannot be so. `key` names the text `rulebook.<key>` that says what to write."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


def fields_of(file: File, house: House, text: str) -> dict[str, str]:
    """What the form shows of a house; `text` is its file, for what is said beside dates."""
    if file == "surveys.yml":
        return survey_forms.fields_of(text)
    return {"deadlines.yml": _of_deadlines, "calendar.yml": _of_calendar, "departments.yml": _of_departments}[file](
        house, text
    )


def text_of(file: File, text: str, fields: Fields) -> str:
    """The file's `text` with what was filled in. Raises Wrong."""
    if file == "surveys.yml":
        return survey_forms.text_of(text, fields)
    make: Callable[[Fields], dict[str, list[str]]] = {
        "deadlines.yml": _deadlines,
        "calendar.yml": _calendar,
        "departments.yml": _departments,
    }[file]
    for key, block in make(fields).items():
        text = _with(text, key, block)
    return text


# ---- calendar.yml ----


def _of_calendar(house: House, text: str) -> dict[str, str]:
    calendar = house.calendar
    found = {f"day{day}": _spans(hours) for day, hours in enumerate(calendar.weekly)}
    found |= {"time_zone": str(calendar.zone)} | {f"say_{each}": "1" for each in calendar.named}
    beside = _beside(text)
    found |= _of_special(calendar.special, beside)
    for key, own in calendar.departments.items():
        theirs = {day: hours for day, hours in own.special.items() if calendar.special.get(day) != hours}
        filled = _of_special(theirs, beside) | {"time_zone": str(own.zone) if own.zone != calendar.zone else ""}
        if own.weekly != calendar.weekly:
            filled |= {f"day{day}": _spans(hours) for day, hours in enumerate(own.weekly)}
        found |= {f"own_{key}_{name}": value for name, value in filled.items()}
    return found


def _of_special(special: Mapping[date, Sequence[Hours]], beside: Mapping[str, str]) -> dict[str, str]:
    lines = []
    for first, last in _runs(sorted(day for day, hours in special.items() if not hours), beside):
        span = f"{first}" if first == last else f"{first}..{last}"
        lines.append(f"{span} {beside.get(str(first), '')}".strip())
    moved = sorted((day, hours) for day, hours in special.items() if hours)
    days = [f"{day} {_spans(hours)} {beside.get(str(day), '')}".strip() for day, hours in moved]
    return {"holidays": "\n".join(lines), "workdays": "\n".join(days)}


def _calendar(fields: Fields) -> dict[str, list[str]]:
    zone, weekly = _zone(fields.get("time_zone", "")), _weekly(fields)
    if not weekly:
        raise Wrong("never_open")
    off, moved = _special(fields)
    said = ", ".join(each for each in ("zh", "en") if f"say_{each}" in fields)
    return {
        "time_zone": [f"time_zone: {zone}"],
        "say_time_zone": [f"say_time_zone: [{said}]"],
        "weekly": ["weekly:", *weekly],
        "holidays": ["holidays:", *off],
        "workdays": ["workdays:", *moved],
        "departments": ["departments:", *_own(fields)],
    }


def _own(fields: Fields) -> Iterator[str]:
    """The departments whose hours are not the house's; of each, what it says."""
    for name in fields:
        if not (name.startswith("own_") and name.endswith("_time_zone")):
            continue
        key = name.removeprefix("own_").removesuffix("_time_zone")
        given = {part: fields.get(f"own_{key}_{part}", "") for part in OWN}
        if not any(given.values()):
            continue
        off, moved = _special(given)
        yield f"  {key if _KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)}:"
        if given["time_zone"]:
            yield f"    time_zone: {_zone(given['time_zone'])}"
        for part, lines in (("weekly", _weekly(given)), ("holidays", off), ("workdays", moved)):
            if lines:
                yield f"    {part}:"
                yield from (f"    {line}" for line in lines)


def _zone(name: str) -> str:
    try:
        return str(ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        raise Wrong("bad_zone", zone=name) from None


def _weekly(fields: Fields) -> list[str]:
    """The week; empty where nobody is ever there."""
    week = [f"  {day}: {_listed(fields.get(f'day{n}', ''), n)}" for n, day in enumerate(WEEKDAYS)]
    return [] if all(line.endswith("[]") for line in week) else week


def _special(fields: Fields) -> tuple[list[str], list[str]]:
    off = [_holiday(line) for line in _lines(fields.get("holidays", ""))]
    moved = [_workday(line) for line in _lines(fields.get("workdays", ""))]
    for day, _ in moved:
        if any(first <= day <= last for first, last, _ in off):
            raise Wrong("both", date=day)
    return [line for *_, line in off], [line for _, line in moved]


def _holiday(line: str) -> tuple[date, date, str]:
    """Its first and last day, and the line of the file: `2027-02-06..2027-02-12 Spring Festival` is a span with a
    comment."""
    found = _DATES.fullmatch(line)
    if found is None:
        raise Wrong("bad_holiday", text=line[:60])
    first, last = _day(found[1], line), _day(found[2] or found[1], line)
    if not timedelta(0) <= last - first <= timedelta(days=366):
        raise Wrong("bad_holiday", text=line[:60])
    span = f"{first}" if first == last else f"{first}..{last}"
    return first, last, f"  - {span}" + _comment(found[3])


def _workday(line: str) -> tuple[date, str]:
    found = _DATES.fullmatch(line)
    if found is None or found[2]:
        raise Wrong("bad_workday", text=line[:60])
    hours, _, beside = found[3].partition("#")
    if not hours.strip():
        raise Wrong("bad_workday", text=line[:60])
    day = _day(found[1], line)
    return day, f"  - {{date: {day}, hours: {_listed(hours, None, line)}}}" + _comment(beside)


def _day(text: str, line: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Wrong("bad_holiday", text=line[:60]) from None


def _comment(words: str) -> str:
    said = words.strip().lstrip("#").strip()
    return f"  # {said[:80]}" if said else ""


def _listed(text: str, day: int | None, line: str = "") -> str:
    """Spans as the file writes them. Raises Wrong, which names the day or the line."""
    spans = [each.strip() for each in re.split(r"[,，、;；]", text) if each.strip()]
    if hours_of(spans) is None:
        raise Wrong("bad_hours" if day is not None else "bad_workday", day=day, text=(line or text)[:60])
    return "[" + ", ".join(json.dumps(each, ensure_ascii=False) for each in spans) + "]"


def _spans(hours: Sequence[Hours]) -> str:
    return ", ".join(f"{_clock(each.start)}-{_clock(each.end, ends=True)}" for each in hours)


def _clock(at: object, *, ends: bool = False) -> str:
    words = f"{at:%H:%M}"
    return "24:00" if ends and words == "00:00" else words.removeprefix("0") if words != "00:00" else "0:00"


def _runs(days: Iterable[date], named: Mapping[str, str]) -> list[tuple[date, date]]:
    """Days that follow each other, as their first and last; one that is `named` begins anew."""
    runs: list[tuple[date, date]] = []
    for day in days:
        if runs and day - runs[-1][1] == timedelta(days=1) and str(day) not in named:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def _beside(text: str) -> dict[str, str]:
    """What is said beside a date in the file: `# New Year`."""
    found = re.finditer(r"^\s*-.*?(\d{4}-\d\d-\d\d).*?\s(#.*)$", text, re.MULTILINE)
    return {each[1]: each[2].strip() for each in found}


# ---- deadlines.yml ----


def _of_deadlines(house: House, text: str) -> dict[str, str]:
    ruled = house.deadlines
    found: dict[str, str] = {"warn": f"{100 * ruled.warn_at:.0f}", "close": f"{ruled.close_from:.0f}"}
    for urgency, allowed in ruled.first_response.items():
        found |= _of_allowance(urgency, allowed)
        if allowed.promise is not None:
            found |= {f"{urgency}_zh": allowed.promise.zh, f"{urgency}_en": allowed.promise.en}
    for task, allowed in ruled.others.items():
        found |= _of_allowance(task, allowed)
    for n, step in enumerate(ruled.escalation):
        found |= {f"to{n}": step.to, f"after{n}": f"{step.after.total_seconds() / 3_600:.0f}"}
    return found


def _of_allowance(name: str, allowed: Allowance) -> dict[str, str]:
    hours = round(allowed.within.total_seconds() / 3_600)
    days = hours % 24 == 0 and hours >= 48
    return {
        f"{name}_amount": str(hours // 24 if days else hours),
        f"{name}_unit": "days" if days else "hours",
        f"{name}_counted": allowed.counted,
    }


def _deadlines(fields: Fields) -> dict[str, list[str]]:
    blocks = {"first_response": ["first_response:"]}
    for urgency in URGENCIES:
        words = {each: " ".join(fields.get(f"{urgency}_{each}", "").split()) for each in ("zh", "en")}
        if not all(words.values()):
            raise Wrong("no_promise")
        if fields.get(f"{urgency}_counted") != "clock" and not all("{by}" in each for each in words.values()):
            raise Wrong("no_by")
        said = ", ".join(f"{each}: {json.dumps(text, ensure_ascii=False)}" for each, text in words.items())
        allowed = [f"  {line}" for line in _allowance(fields, urgency)]
        blocks["first_response"] += [f"  {urgency}:", *allowed, f"    promise: {{{said}}}"]
    for task in TASKS[1:]:
        blocks[task] = [f"{task}:", *_allowance(fields, task)]
    steps: list[str] = []
    least = -1
    for n in range(STEPS):
        if not (to := fields.get(f"to{n}", "")):
            continue
        after = _number(fields.get(f"after{n}", ""), "bad_step", 0, 24 * 365)
        if to not in ("supervisor", "admin") or after <= least:
            raise Wrong("bad_step")
        least = after
        steps.append(f"  - {{to: {to}, after_hours: {after}}}")
    blocks["escalation"] = ["escalation:", *steps] if steps else ["escalation: []"]
    blocks["warn_at_percent"] = [f"warn_at_percent: {_number(fields.get('warn', ''), 'bad_warn', 1, 99)}"]
    blocks["close_from"] = [f"close_from: {_number(fields.get('close', ''), 'bad_close', 1, 100)}"]
    return blocks


def _allowance(fields: Fields, name: str) -> list[str]:
    unit, counted = fields.get(f"{name}_unit", ""), fields.get(f"{name}_counted", "")
    if unit not in ("hours", "days") or counted not in ("clock", "workdays", "office"):
        raise Wrong("bad_amount")
    amount = _number(fields.get(f"{name}_amount", ""), "bad_amount", 1, 24 * 365 if unit == "hours" else 365)
    return [f"  {unit}: {amount}", f"  counted: {counted}"]


def _number(text: str, key: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 6 or not least <= int(text) <= most:
        raise Wrong(key, least=least, most=most)
    return int(text)


# ---- departments.yml ----


def _of_departments(house: House, text: str) -> dict[str, str]:
    ruled = house.departments
    found: dict[str, str] = {"hub": ruled.hub, "coordinator": ruled.coordinator}
    for n, (key, words) in enumerate(ruled.names.items()):
        found |= {f"key{n}": key, f"zh{n}": words.zh, f"en{n}": words.en}
    if ruled.giving is not None:
        found |= {"rule": ruled.giving.rule, "most": str(ruled.giving.most)}
    return found | {f"nature_{nature}": department for nature, department in ruled.by_nature.items()}


def _departments(fields: Fields) -> dict[str, list[str]]:
    named: dict[str, str] = {}
    for n in range(1 + max((int(name[3:]) for name in fields if re.fullmatch(r"key\d{1,3}", name)), default=-1)):
        key, zh, en = (" ".join(fields.get(f"{part}{n}", "").split()) for part in ("key", "zh", "en"))
        if f"gone{n}" in fields or not (key or zh or en):
            continue
        if not _KEY.fullmatch(key) or key in named or not (zh and en) or max(len(zh), len(en)) > 60:
            raise Wrong("bad_department", text=(key or zh or en)[:60])
        named[key] = f"  {key}: {{zh: {json.dumps(zh, ensure_ascii=False)}, en: {json.dumps(en, ensure_ascii=False)}}}"
    chosen = {f"nature_{nature}": fields.get(f"nature_{nature}", "") for nature in NATURES}
    chosen |= {each: fields.get(each, "") for each in ("hub", "coordinator")}
    for name, department in chosen.items():
        if department not in named:
            raise Wrong("gone", name=name.removeprefix("nature_"), department=department)
    natures = [f"  {nature}: {chosen[f'nature_{nature}']}" for nature in NATURES]
    giving: list[str] = []
    if rule := fields.get("rule", ""):
        if rule not in RULES:
            raise Wrong("bad_rule")
        giving = [f"assignment: {{rule: {rule}, most: {_number(fields.get('most', ''), 'bad_most', 1, MOST)}}}"]
    return {
        "departments": ["departments:", *named.values()],
        "natures": ["natures:", *natures],
        "hub": [f"hub: {chosen['hub']}"],
        "coordinator": [f"coordinator: {chosen['coordinator']}"],
        "assignment": giving,
    }


# ---- the text of a file ----


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _with(text: str, key: str, block: Sequence[str]) -> str:
    """The text with this block in place of what stands under the top-level `key` (none: without it); comments inside
    stay, at its end."""
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if re.match(rf"{re.escape(key)}\s*:", line)), None)
    if start is None and not block:
        return text
    if start is None:
        return "\n".join([*lines, "", *block]).rstrip() + "\n"
    end = next((n for n in range(start + 1, len(lines)) if _TOP.match(lines[n])), len(lines))
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1  # what introduces the next one
    remarks = [line for line in lines[start + 1 : end] if re.match(r"\s+#", line)]
    return "\n".join([*lines[:start], *block, *remarks, *lines[end:]]).rstrip() + "\n"
