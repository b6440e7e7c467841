"""Moments and lengths of time in words, as the desk's pages say them."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from bot.desk.words import said
from nlu.understanding import Language

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def length(time: timedelta, language: Language) -> str:
    """A length of time in words."""
    minutes = max(0, int(time.total_seconds()) // 60)
    if minutes < 1:
        return said("time.seconds", language, count=max(0, int(time.total_seconds())))
    if minutes < 60:
        return said("time.minutes", language, count=minutes)
    hours = minutes // 60
    if hours < 24:
        return said("time.hours_minutes", language, hours=hours, minutes=minutes % 60)
    return said("time.days_hours", language, days=hours // 24, hours=hours % 24)


def span(length: timedelta, language: Language) -> str:
    """A length of time that is ruled, to the minute: days where they are whole and more than one."""
    hours = length.total_seconds() / 3_600
    if hours >= 48 and hours % 24 == 0:
        return said("time.days", language, count=int(hours // 24))
    if hours >= 1:
        return said("time.hours", language, count=f"{hours:g}")
    return said("time.minutes", language, count=f"{hours * 60:g}")


def stamp(at: datetime, now: datetime, zone: tzinfo, language: Language) -> str:
    """A moment of a list: 今天 10:00, "5 Mar 10:00", with the year where it is not this one."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    clock = f"{local:%H:%M}"
    for days, key in ((-1, "time.yesterday"), (0, "time.today"), (1, "time.tomorrow")):
        if local.date() == today + timedelta(days=days):
            return f"{said(key, language)} {clock}"
    same = local.year == today.year
    if language == "zh":
        return f"{'' if same else f'{local.year}年'}{local.month}月{local.day}日 {clock}"
    return f"{local.day} {_MONTHS[local.month - 1]}{'' if same else f' {local.year}'} {clock}"
