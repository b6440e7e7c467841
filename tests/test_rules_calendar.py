"""Office hours: open or not, until when, and arithmetic across changes of the clock."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bot
from bot.cases import calendar, calendar_reading, zones
from bot.cases.calendar import Calendar, Hours
from bot.errors import ContentError
from nlu.understanding import Language

SHIPPED = (Path(bot.__file__).parent / "assistant" / "calendar.yml").read_text(encoding="utf-8")
NINE_TO_SIX = (Hours(time(9), time(12)), Hours(time(13, 30), time(18)))
HOLIDAY, MOVED = date(2026, 11, 26), date(2026, 11, 28)  # a Thursday off, a Saturday at work


def office(zone: str = "Asia/Shanghai") -> Calendar:
    return Calendar(ZoneInfo(zone), (NINE_TO_SIX,) * 5 + ((),) * 2, {HOLIDAY: (), MOVED: NINE_TO_SIX})


def at(text: str, zone: str = "Asia/Shanghai") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-25 09:00", "2026-11-25 09:00"),
        ("2026-11-25 11:59:59", "2026-11-25 11:59:59"),
        ("2026-11-25 12:00", "2026-11-25 13:30"),
        ("2026-11-25 08:00", "2026-11-25 09:00"),
        ("2026-11-25 18:00", "2026-11-27 09:00"),
        ("2026-11-26 10:00", "2026-11-27 09:00"),
        ("2026-11-28 10:00", "2026-11-28 10:00"),
        ("2026-11-28 18:00", "2026-11-30 09:00"),
    ],
)
def test_the_office_opens_when_the_calendar_says(now: str, opens: str) -> None:
    """Split hours, a holiday, a workday moved to Saturday, the weekend; closing time is closed."""
    assert calendar.opens_at(office(), at(now)) == at(opens)
    assert calendar.is_open(office(), at(now)) is (now == opens)


def test_office_time_runs_only_while_the_office_is_open() -> None:
    """Two hours from 11:30 end at 15:00; what fills a span exactly ends with it."""
    assert calendar.add_office_time(office(), at("2026-11-25 11:30"), timedelta(hours=2)) == at("2026-11-25 15:00")
    assert calendar.add_office_time(office(), at("2026-11-25 09:00"), timedelta(hours=3)) == at("2026-11-25 12:00")
    assert calendar.add_office_time(office(), at("2026-11-25 17:59"), timedelta(minutes=2)) == at("2026-11-27 09:01")
    assert calendar.add_office_time(office(), at("2026-11-25 23:00"), timedelta(0)) == at("2026-11-25 23:00")


def test_workday_time_runs_by_the_clock_and_skips_closed_days() -> None:
    """24 hours from Wednesday evening skip the Thursday off, and never end while the office is closed."""
    assert calendar.add_workday_time(office(), at("2026-11-24 10:00"), timedelta(hours=24)) == at("2026-11-25 10:00")
    assert calendar.add_workday_time(office(), at("2026-11-25 17:00"), timedelta(hours=24)) == at("2026-11-27 17:00")
    assert calendar.add_workday_time(office(), at("2026-11-25 20:00"), timedelta(hours=24)) == at("2026-11-28 09:00")
    assert calendar.add_workday_time(office(), at("2026-11-29 03:00"), timedelta(hours=2)) == at("2026-11-30 09:00")


def test_an_hour_is_an_hour_when_the_clocks_change_at_night() -> None:
    """In New York the hour from 1:00 comes twice on 1 November 2026, and that from 2:00 never on 14 March 2027."""
    nights = Calendar(ZoneInfo("America/New_York"), ((Hours(time(0), time(0)),),) * 7, {})
    new_york = "America/New_York"
    for start, end in (("2026-11-01 00:00", "2026-11-01 05:00"), ("2027-03-14 00:00", "2027-03-14 07:00")):
        assert calendar.add_office_time(nights, at(start, new_york), timedelta(hours=6)) == at(end, new_york)
    early = Calendar(ZoneInfo(new_york), ((Hours(time(1), time(3)),),) * 7, {})
    assert calendar.office_time_between(
        early, at("2026-11-01 00:00", new_york), at("2026-11-01 12:00", new_york)
    ) == timedelta(hours=3)
    assert calendar.office_time_between(
        early, at("2027-03-14 00:00", new_york), at("2027-03-14 12:00", new_york)
    ) == timedelta(hours=1)


def test_hours_that_the_clocks_skip_are_passed_over() -> None:
    """Open from 2:15 to 2:45 only: on the night when these do not exist, the next day's count."""
    tiny = Calendar(ZoneInfo("America/New_York"), ((Hours(time(2, 15), time(2, 45)),),) * 7, {})
    opens = calendar.opens_at(tiny, at("2027-03-14 01:00", "America/New_York"))
    assert calendar.is_open(tiny, opens)
    assert calendar.office_time_between(tiny, opens, opens + timedelta(days=1)) <= timedelta(hours=1)


def test_a_span_that_a_change_of_the_clocks_pushes_past_midnight_is_not_lost() -> None:
    """In Nuuk the hour before midnight of 27 March 2027 does not exist: open until 23:30 is half an hour of the next
    day."""
    nuuk = "America/Nuuk"
    evenings = Calendar(ZoneInfo(nuuk), ((Hours(time(22), time(23, 30)),),) * 7, {})
    assert calendar.is_open(evenings, at("2027-03-28 00:10", nuuk))
    assert not calendar.is_open(evenings, at("2027-03-28 00:30", nuuk))


spans = st.lists(st.integers(0, 24 * 4), min_size=0, max_size=6, unique=True).map(
    lambda cuts: tuple(
        Hours(time(*divmod(15 * start, 60)), time(*divmod(15 * end % 1440, 60)))
        for start, end in zip(sorted(cuts)[::2], sorted(cuts)[1::2], strict=False)
    )
)
calendars = st.builds(
    Calendar,
    st.sampled_from(
        ["Asia/Shanghai", "America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Nuuk", "UTC"]
    ).map(ZoneInfo),
    st.lists(spans, min_size=7, max_size=7).filter(any).map(tuple),
    st.dictionaries(st.dates(date(2026, 10, 1), date(2027, 4, 30)), st.just(()) | spans, max_size=10),
)
instants = st.timedeltas(timedelta(0), timedelta(days=210)).map(lambda later: datetime(2026, 10, 1, tzinfo=UTC) + later)
durations = st.timedeltas(timedelta(0), timedelta(days=10))


@settings(deadline=None)
@given(calendars, instants, durations)
def test_the_office_time_added_is_the_office_time_that_passes(
    days: Calendar, start: datetime, duration: timedelta
) -> None:
    """For any hours, holidays and zone, through changes of the clock: add and count agree, to the microsecond."""
    end = calendar.add_office_time(days, start, duration)
    assert end >= start
    assert calendar.office_time_between(days, start, end) == duration


@settings(deadline=None)
@given(calendars, instants, durations, durations)
def test_office_time_adds_up(days: Calendar, start: datetime, one: timedelta, other: timedelta) -> None:
    """Adding in two steps, or in one, ends at the same instant; more time never ends earlier."""
    twice = calendar.add_office_time(days, calendar.add_office_time(days, start, one), other)
    once = calendar.add_office_time(days, start, one + other)
    assert twice == once or calendar.office_time_between(days, min(twice, once), max(twice, once)) == timedelta(0)
    assert once >= calendar.add_office_time(days, start, one)


@settings(deadline=None)
@given(calendars, instants)
def test_the_office_is_open_when_it_opens_and_not_before(days: Calendar, now: datetime) -> None:
    """Nothing opens between now and the opening."""
    opens = calendar.opens_at(days, now)
    assert calendar.is_open(days, opens)
    assert opens >= now
    assert calendar.office_time_between(days, now, opens) == timedelta(0)
    assert calendar.is_open(days, now) is (opens == now)


@settings(deadline=None)
@given(calendars, instants, durations)
def test_workday_time_ends_while_the_office_is_open_and_never_early(
    days: Calendar, start: datetime, duration: timedelta
) -> None:
    """Somebody is there at the deadline, and the customer's clock has run at least as long."""
    end = calendar.add_workday_time(days, start, duration)
    assert calendar.is_open(days, end)
    assert end - start >= duration


def test_a_calendar_without_any_hour_is_not_a_calendar() -> None:
    """Else a deadline would be sought for ever."""
    with pytest.raises(ValueError, match="on at least one"):
        Calendar(ZoneInfo("UTC"), ((),) * 7, {})


@pytest.mark.parametrize(
    ("moment", "zh", "en"),
    [
        ("2026-11-18 16:05", "今天 16:05", "today at 16:05"),
        ("2026-11-19 09:00", "明天 9:00", "tomorrow at 9:00"),
        ("2026-11-20 00:00", "后天 0:00", "Friday at 0:00"),
        ("2026-11-22 09:00", "周日 9:00", "Sunday at 9:00"),
        ("2026-11-23 09:00", "下周一 9:00", "Monday at 9:00"),
        ("2026-11-25 09:00", "下周三 9:00", "25 November at 9:00"),
        ("2026-11-30 09:00", "11月30日 9:00", "30 November at 9:00"),
        ("2027-06-01 09:00", "2027年6月1日 9:00", "1 June 2027 at 9:00"),
        ("2026-11-17 09:00", "昨天 9:00", "yesterday at 9:00"),
        ("2026-11-10 09:00", "11月10日 9:00", "10 November at 9:00"),
    ],
)
def test_a_moment_is_said_as_people_say_it(moment: str, zh: str, en: str) -> None:
    """Seen from Wednesday, 18 November 2026, at 23:30 in Shanghai, when it is still the same day in UTC."""
    now = at("2026-11-18 23:30")
    said = [calendar.moment_words(office(), at(moment), now, language) for language in ("zh", "en")]
    assert said == [zh, en]


@pytest.mark.parametrize(
    ("zone", "say", "zh", "en", "by"),
    [
        ("Asia/Shanghai", "[en]", "明天 9:00", "tomorrow at 9:00 (Beijing time)", "9:00 tomorrow (Beijing time)"),
        ("Asia/Shanghai", "[]", "明天 9:00", "tomorrow at 9:00", "9:00 tomorrow"),
        ("Asia/Shanghai", None, "北京时间明天 9:00", "tomorrow at 9:00 (Beijing time)", "9:00 tomorrow (Beijing time)"),
        ("Europe/London", "[zh]", "伦敦时间明天 9:00", "tomorrow at 9:00", "9:00 tomorrow"),
        ("Asia/Dhaka", None, "Dhaka 时间明天 9:00", "tomorrow at 9:00 (Dhaka time)", "9:00 tomorrow (Dhaka time)"),
    ],
)
def test_a_promise_names_the_zone_where_the_calendar_says_so(
    zone: str, say: str | None, zh: str, en: str, by: str, tmp_path: Path
) -> None:
    """For those who may be elsewhere; a list whose heading names it once does not repeat it."""
    path = tmp_path / "calendar.yml"
    line = "" if say is None else f"say_time_zone: {say}"
    path.write_text(SHIPPED.replace("say_time_zone: [en]", line).replace("Asia/Shanghai", zone), encoding="utf-8")
    found = calendar_reading.load(path)
    moment, now = at("2026-11-19 09:00", zone), at("2026-11-18 12:00", zone)
    assert calendar.moment_words(found, moment, now, "zh") == zh
    assert calendar.moment_words(found, moment, now, "en") == en
    assert calendar.moment_words(found, moment, now, "en", clock_first=True) == by
    assert calendar.moment_words(found, moment, now, "en", zoned=False) == "tomorrow at 9:00"


def test_every_zone_that_is_named_exists() -> None:
    """And has its name in both languages."""
    for key in zones._names():
        assert ZoneInfo(key).key == key


@settings(deadline=None)
@given(instants, instants, st.sampled_from(("zh", "en")))
def test_any_moment_can_be_said(moment: datetime, now: datetime, language: Language) -> None:
    """With its hour and minute, wherever it lies."""
    local = moment.astimezone(office().zone)
    assert calendar.moment_words(office(), moment, now, language).endswith(f"{local.hour}:{local.minute:02}")


def test_the_shipped_calendar_takes_holidays_and_moved_workdays(tmp_path: Path) -> None:
    """The lines that are commented out are right when they are put in."""
    path = tmp_path / "calendar.yml"
    path.write_text(SHIPPED.replace("  # - ", "  - "), encoding="utf-8")
    found = calendar_reading.load(path)
    assert found.hours(date(2027, 2, 6)) == found.hours(date(2027, 2, 12)) == ()
    assert found.hours(date(2027, 2, 13)) == (Hours(time(9), time(18)),)
    assert found.hours(date(2027, 2, 20)) == NINE_TO_SIX


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Asia/Shanghai", "Asia/Shangri-La", "time_zone is 'Asia/Shangri-La'"),
        ("Asia/Shanghai", "../../etc/passwd", "time_zone is"),
        ("Asia/Shanghai", "Asia", "time_zone is 'Asia'"),
        ('monday: ["9:00-21:00"]', 'monday: ["21:00-9:00"]', "end before they begin, or overlap"),
        ('monday: ["9:00-21:00"]', 'monday: ["9:00-12:00", "11:00-13:00"]', "end before they begin, or overlap"),
        ('monday: ["9:00-21:00"]', 'monday: ["9:00-24:01"]', "end before they begin, or overlap"),
        ('monday: ["9:00-21:00"]', 'monday: ["9:60-21:00"]', "end before they begin, or overlap"),
        ('monday: ["9:00-21:00"]', "monday: 9-21", "the hours of monday is not a list"),
        ('monday: ["9:00-21:00"]', "monday: [9am]", "the hours of monday are '9am'"),
        ("  monday:", "  moonday:", "unknown key 'moonday'"),
        ("  # - 2027-01-01", "  - 2027-13-01", "a holiday is '2027-13-01'"),
        ("  # - 2027-01-01", "  - 2027-01-05..2027-01-01", "ends before it begins"),
        ("  # - 2027-01-01", "  - 0001-01-01..9999-12-31", "lasts over a year"),
        ("  # - 2027-01-01", "  - 2027-02-20", "both a holiday and a workday"),
        ("time_zone: Asia/Shanghai", "", "lacks 'time_zone'"),
        ("say_time_zone: [en]", "say_time_zone: [fr]", "a language of say_time_zone is 'fr'"),
        ("say_time_zone: [en]", "say_time_zone: en", "say_time_zone is not a list"),
    ],
)
def test_a_mistake_in_the_calendar_is_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    """By what is wrong, with a remedy."""
    assert old in SHIPPED
    path = tmp_path / "calendar.yml"
    text = SHIPPED.replace(old, new, 1).replace("  # - {date", "  - {date")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContentError, match=re.escape(message)):
        calendar_reading.load(path)


def test_an_office_that_never_opens_is_refused(tmp_path: Path) -> None:
    """Seven empty days are a mistake, not a calendar."""
    path = tmp_path / "calendar.yml"
    path.write_text(re.sub(r"\[\"9:00-\d\d:00\"\]", "[]", SHIPPED), encoding="utf-8")
    with pytest.raises(ContentError, match="the office is never open"):
        calendar_reading.load(path)
