"""What content files and settings rule, shown at the desk: deadlines, calendar, surveys as customers get them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import get_args

from aiohttp import web

from bot.cases.calendar import Calendar, Hours
from bot.cases.deadlines import TASKS, Allowance
from bot.cases.departments import NATURES, Departments
from bot.desk.keeping import kept
from bot.desk.moments import span
from bot.desk.room import Room
from bot.desk.sheets import sheet, show
from bot.desk.survey_preview import as_asked
from bot.desk.table import routes
from bot.desk.words import language_of, said
from bot.settings import ASSISTANT
from bot.staff.sessions import Member
from nlu.understanding import Language, Urgency

HOLIDAYS = 20
"""Special days that are shown, from today on."""

_SHOWN = (
    *("company", "time_zone", "language", "public_url", "agent_patience_minutes"),
    *("attachment_limit", "attachments_a_day"),
)


@routes.get("/desk/admin/house")
@sheet("admin")
async def house(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """As it is now, with the file that rules each."""
    service, language = room.service, language_of(request)
    now, settings, content = service.clock.now(), service.settings, service.content
    urgencies: tuple[Urgency, ...] = get_args(Urgency)
    deadlines, calendar = content.deadlines, content.calendar
    listed = [
        {
            "name": f"{said('task.first_response', language)} · {said(f'urgency.{each}', language)}",
            "within": allowed(deadlines.first_response[each], language),
            "promise": service.policy.talking.desk.promise(each, now, language),
        }
        for each in urgencies
    ]
    listed += [
        {"name": said(f"task.{task}", language), "within": allowed(deadlines.others[task], language), "promise": ""}
        for task in TASKS
        if task in deadlines.others
    ]
    return show(
        request,
        member,
        "house",
        **await kept(service, language),
        folder=settings.assistant_dir if settings.assistant_dir != ASSISTANT else said("house.shipped", language),
        allowed=listed,
        warn=round(100 * deadlines.warn_at),
        close_from=round(deadlines.close_from),
        escalation=[
            escalated(said(f"role.{each.to}", language), each.after, language) for each in deadlines.escalation
        ],
        week=_week(calendar, language),
        special=_special(calendar, now, language),
        own=[
            (name.said(language), _week(calendar.departments[key], language))
            for key, name in content.departments.names.items()
            if key in calendar.departments
        ],
        zone=str(calendar.zone),
        giving=service.assigning.giving,
        houses=_houses(content.departments, language),
        surveys=[as_asked(service, each, language, now) for each in content.surveys.definitions.values()],
        settings=[(f"EARFUL_{name.upper()}", _shown(getattr(settings, name))) for name in _SHOWN],
    )


def _houses(departments: Departments, language: Language) -> list[tuple[str, str]]:
    """Each department, with what it takes and what it is."""
    found = []
    for key, name in departments.names.items():
        takes = [
            said(f"nature.{nature}", language)
            for nature in NATURES
            if nature != "none" and departments.by_nature[nature] == key
        ]
        takes += [
            said(f"rulebook.{role}", language) for role in ("hub", "coordinator") if getattr(departments, role) == key
        ]
        found.append((name.said(language), ("、" if language == "zh" else ", ").join(takes)))
    return found


def _shown(value: object) -> str:
    return "–" if value == "" else f"{value:,}" if isinstance(value, int) else str(value)


def allowed(allowance: Allowance, language: Language) -> str:
    """How long something may take, in words."""
    counted = said(f"counted.{allowance.counted}", language)
    return f"{span(allowance.within, language)} · {counted}"


def escalated(role: str, after: timedelta, language: Language) -> str:
    """Who is told of what is late, and when."""
    if not after:
        return said("house.escalated_at_once", language, role=role)
    return said("house.escalated", language, role=role, after=span(after, language))


def _week(calendar: Calendar, language: Language) -> list[tuple[str, str]]:
    return [(said(f"day.{day}", language), open_hours(hours)) for day, hours in enumerate(calendar.weekly)]


def open_hours(hours: Sequence[Hours]) -> str:
    """A day's hours; empty where nobody is there."""
    return ", ".join(f"{each.start:%H:%M}–{each.end:%H:%M}" for each in hours)


def _special(calendar: Calendar, now: datetime, language: Language) -> list[tuple[str, str]]:
    """Holidays, and workdays that were moved, from today on."""
    today: date = now.astimezone(calendar.zone).date()
    coming = sorted(day for day in calendar.special if day >= today)[:HOLIDAYS]
    return [
        (f"{day:%Y-%m-%d} {said(f'day.{day.weekday()}', language)}", open_hours(calendar.special[day]))
        for day in coming
    ]
