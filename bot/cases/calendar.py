"""When the office is open, and arithmetic on it. `calendar_reading` reads it from `calendar.yml`.

Instants are UTC; days and hours are those of the calendar's time zone. Durations are real time: where the clocks change
inside office hours, an hour is still an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.cases import zones
from nlu.understanding import Language

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ZH_DAYS = "一二三四五六日"
_MONTHS = "January,February,March,April,May,June,July,August,September,October,November,December"
_MIDNIGHT = time(0)
_DAY = timedelta(days=1)
_DAYS_KEPT = 400

Span = tuple[datetime, datetime]
"""From one instant until another, in UTC."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Open from `start` until `end` of one day; an `end` of 0:00 is the midnight that ends it."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Calendar:
    """`weekly` has seven days from Monday, each with its hours in order. `special` replaces the hours of a date: none
    on a holiday, some on a workday moved to a weekend (调休). `named` has the zone's name in the languages in which a
    promise says it. `departments` keep hours of their own. Raises ValueError if no week has an hour."""

    zone: ZoneInfo
    weekly: tuple[tuple[Hours, ...], ...]
    special: Mapping[date, tuple[Hours, ...]]
    named: Mapping[Language, str] = field(default_factory=dict)
    departments: Mapping[str, Calendar] = field(default_factory=dict)
    _counted: dict[date, tuple[Span, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.weekly) != 7 or not any(self.weekly):
            raise ValueError("a calendar needs seven days, and hours on at least one of them")

    def of(self, department: str | None) -> Calendar:
        """The hours that a department keeps: its own, else the house's."""
        return self.departments.get(department or "", self)

    def hours(self, day: date) -> tuple[Hours, ...]:
        return self.special.get(day, self.weekly[day.weekday()])

    def spans(self, day: date) -> tuple[Span, ...]:
        """The hours of a day as instants. The same few days are counted through for every case: they are kept."""
        known = self._counted.get(day)
        if known is None:
            if len(self._counted) > _DAYS_KEPT:
                self._counted.clear()
            known = self._counted[day] = tuple(
                (
                    _instant(self, day, hours.start),
                    _instant(self, day + _DAY if hours.end == _MIDNIGHT else day, hours.end),
                )
                for hours in self.hours(day)
            )
        return known


def is_open(calendar: Calendar, now: datetime) -> bool:
    """Whether the office is open; at its closing time it is not."""
    return opens_at(calendar, now) == now


def opens_at(calendar: Calendar, now: datetime) -> datetime:
    """When the office is open next: `now` if it is."""
    start, _ = next(_spans(calendar, now))
    return start


def add_office_time(calendar: Calendar, start: datetime, duration: timedelta) -> datetime:
    """The instant at which `duration` of office time has passed since `start`; `start` itself for none."""
    if duration <= timedelta(0):
        return start
    for opens, closes in _spans(calendar, start):
        if duration <= closes - opens:
            return opens + duration
        duration -= closes - opens
    raise AssertionError("a calendar with hours never ends")


def office_time_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """The office time from `start` to `end`; zero if they are the other way round."""
    total = timedelta(0)
    for opens, closes in _spans(calendar, start):
        if opens >= end:
            break
        total += min(closes, end) - opens
    return total


def add_workday_time(calendar: Calendar, start: datetime, duration: timedelta) -> datetime:
    """`duration` by the clock, leaving out days without any office hours; what ends while the office is closed ends
    when it opens. "Within 24 hours" said on a Friday evening means Monday."""
    moment = start
    while True:
        day = moment.astimezone(calendar.zone).date()
        midnight = _instant(calendar, day + _DAY, _MIDNIGHT)
        if calendar.hours(day):
            if duration < midnight - moment:
                return opens_at(calendar, moment + duration)
            duration -= midnight - moment
        moment = midnight


def workday_time_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """The time by the clock from `start` to `end` on days with office hours: what `add_workday_time` counts."""
    total, moment = timedelta(0), start
    while moment < end:
        day = moment.astimezone(calendar.zone).date()
        midnight = _instant(calendar, day + _DAY, _MIDNIGHT)
        if calendar.hours(day):
            total += min(midnight, end) - moment
        moment = midnight
    return total


def moment_words(
    calendar: Calendar,
    moment: datetime,
    now: datetime,
    language: Language,
    *,
    clock_first: bool = False,
    zoned: bool = True,
) -> str:
    """`moment` as people say it in the office's time: 明天 9:00, "tomorrow at 9:00", "Thursday at 9:00".

    `clock_first` is the English that follows "by" and "until": "9:00 tomorrow", "9:00 on Thursday". `zoned`: with the
    zone where the calendar says it in this language, "tomorrow at 9:00 (Beijing time)"; without for what stands under
    `zone_words` once.
    """
    local, today = moment.astimezone(calendar.zone), now.astimezone(calendar.zone).date()
    clock, day = f"{local.hour}:{local.minute:02}", local.date()
    ahead = (day - today).days
    zone = calendar.named.get(language, "") if zoned else ""
    if language == "zh":
        return f"{zone}{_day_zh(day, today, ahead)} {clock}"
    said = _day_en(day, today, ahead)
    words = f"{said} at {clock}"
    if clock_first:
        words = f"{clock} {said}" if -1 <= ahead <= 1 else f"{clock} on {said}"
    return f"{words} ({zone})" if zone else words


def stamp_words(calendar: Calendar, moment: datetime, now: datetime, language: Language) -> str:
    """`moment` as a line of a list bears it, in the office's time: 今天 09:05, "Today, 09:05", "18 November, 09:05"."""
    local, today = moment.astimezone(calendar.zone), now.astimezone(calendar.zone).date()
    day, clock = local.date(), f"{local.hour:02}:{local.minute:02}"
    ahead = (day - today).days
    if language == "zh":
        return f"{_day_zh(day, today, ahead)} {clock}"
    said = _day_en(day, today, ahead)
    return f"{said[0].upper()}{said[1:]}, {clock}"


def zone_words(calendar: Calendar, language: Language) -> str:
    """What people call the office's time: 北京时间, "Beijing time"."""
    return zones.name(calendar.zone, language)


def _day_zh(day: date, today: date, ahead: int) -> str:
    if ahead in (-1, 0, 1, 2):
        return ("昨天", "今天", "明天", "后天")[ahead + 1]
    week = day.isocalendar()[:2]
    if ahead > 0 and week == today.isocalendar()[:2]:
        return f"周{_ZH_DAYS[day.weekday()]}"
    if ahead > 0 and week == (today + timedelta(days=7)).isocalendar()[:2]:
        return f"下周{_ZH_DAYS[day.weekday()]}"
    year = f"{day.year}年" if abs(ahead) > 180 else ""
    return f"{year}{day.month}月{day.day}日"


def _day_en(day: date, today: date, ahead: int) -> str:
    if ahead in (-1, 0, 1):
        return ("yesterday", "today", "tomorrow")[ahead + 1]
    if 0 < ahead < 7:
        return WEEKDAYS[day.weekday()].capitalize()
    year = f" {day.year}" if abs(ahead) > 180 else ""
    return f"{day.day} {_MONTHS.split(',')[day.month - 1]}{year}"


def _spans(calendar: Calendar, since: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The open spans that end after `since`, in order, the first cut to it; without end."""
    # A day early, for the span of yesterday that a change of the clocks has pushed on.
    day = since.astimezone(calendar.zone).date() - _DAY
    since = since.astimezone(UTC)
    while True:
        for opens, closes in calendar.spans(day):
            if since < closes:
                start, since = max(opens, since), closes
                yield start, closes
        day += _DAY


def _instant(calendar: Calendar, day: date, clock: time) -> datetime:
    """The UTC instant of a local time; one that the clocks skip is taken as they stood before."""
    return datetime.combine(day, clock, tzinfo=calendar.zone).astimezone(UTC)
