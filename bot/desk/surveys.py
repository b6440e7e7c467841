"""Who was not asked and why, beside how many were and how many of them answered: for those who answer for it.

Nothing here tells of an answer, so that it does not matter whom a survey judges.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import Connection, and_, or_, select

from bot.cases import numbers
from bot.desk.room import Room
from bot.desk.sheets import sheet, show
from bot.desk.table import routes
from bot.desk.words import language_of, said, texts
from bot.indicators import coverage as covered
from bot.indicators.coverage import NOT_PUT
from bot.indicators.statistics import Estimate
from bot.staff.sessions import Member
from nlu.understanding import Language
from storage.tables import addresses, cases, contacts, episodes, surveys
from storage.types import EPOCH, clean

HERE = "/desk/surveys"
SPANS = (7, 30, 90, 365)
"""Days to look back."""
USUALLY = 30
PAGE = 40
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked at. `before` is where the page before ended: (microseconds since 1970, id)."""

    days: int = USUALLY
    survey: str = ""
    reason: str = ""
    before: tuple[int, int] | None = None

    def link(self, **changes: object) -> str:
        """The same with these changed."""
        given = {"days": self.days, "survey": self.survey, "reason": self.reason} | changes
        return f"{HERE}?{urlencode({name: value for name, value in given.items() if value})}"


@routes.get(HERE)
@sheet("supervisor", "admin")
async def not_asked(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Suppressed surveys with their reasons, and coverage."""
    language, service, wanted = language_of(request), room.service, _wanted(request)
    since = service.clock.now() - timedelta(days=wanted.days)
    definitions = service.content.surveys.definitions
    volunteered = [key for key, each in definitions.items() if each.trigger == "volunteered"]
    zone = service.content.calendar.zone

    def work(connection: Connection) -> tuple[Any, list[Any]]:
        found = covered.coverage(connection, since, None, volunteered)
        return found, unasked(connection, wanted, since, volunteered)

    groups, rows = await service.database.read(work)
    shown = {group: line for group, line in groups.items() if wanted.survey in ("", group.definition)}
    whole = covered.total(shown.values())
    further = rows[PAGE - 1] if len(rows) > PAGE else None
    return show(
        request,
        member,
        "surveys",
        wanted=wanted,
        spans=SPANS,
        keys=sorted({*definitions, *(group.definition for group in groups)} - set(volunteered)),
        reasons=_reasons(whole.reasons, wanted, language),
        whole=whole,
        groups=[
            (group, line)
            for group, line in sorted(
                shown.items(), key=lambda each: (each[0].definition, each[0].channel or "", each[0].segment or "")
            )
        ],
        rows=[_row(row, zone, language) for row in rows[:PAGE]],
        further=wanted.link(before=f"{_microseconds(further.created_at)}.{further.id}") if further else None,
        percent=_percent,
        named=lambda name: _named(name, language),
        zone=str(zone),
    )


def _wanted(request: web.Request) -> Wanted:
    """What the address asks for; what makes no sense is left out."""
    days, survey, reason, before = (request.query.get(name, "") for name in ("days", "survey", "reason", "before"))
    when, _, last = before.partition(".")
    known = all(part.isascii() and part.isdecimal() and len(part) < 18 for part in (when, last))
    return Wanted(
        days=int(days) if days in {str(span) for span in SPANS} else USUALLY,
        survey=clean(survey)[:_LONGEST],
        reason=clean(reason)[:_LONGEST],
        before=(int(when), int(last)) if known else None,
    )


# ---- the records ----


def unasked(connection: Connection, wanted: Wanted, since: datetime, volunteered: list[str]) -> list[Any]:
    """Those that were not put, the latest first; one more than a page, to know whether there are others."""
    s = surveys.c
    where = [NOT_PUT, s.created_at >= since, s.definition.not_in(volunteered)]
    if wanted.survey:
        where.append(s.definition == wanted.survey)
    if wanted.reason:
        where.append(s.reason == wanted.reason)
    if wanted.before:
        when, last = EPOCH + timedelta(microseconds=wanted.before[0]), wanted.before[1]
        where.append(and_(s.created_at <= when, or_(s.created_at < when, s.id < last)))
    columns = (
        s.id,
        s.created_at,
        s.definition,
        s.reason,
        s.case_id,
        s.conversation_id,
        s.period,
        contacts.c.name,
        contacts.c.external_id.label("customer"),
        contacts.c.segment,
        episodes.c.external_id.label("episode"),
        episodes.c.touchpoint,
        addresses.c.channel,
        cases.c.conversation_id.label("case_conversation"),
    )
    joined = (
        surveys.join(contacts, contacts.c.id == s.contact_id)
        .outerjoin(episodes, episodes.c.id == s.episode_id)
        .outerjoin(addresses, addresses.c.id == s.address_id)
        .outerjoin(cases, cases.c.id == s.case_id)
    )
    statement = select(*columns).select_from(joined).where(*where).order_by(s.created_at.desc(), s.id.desc())
    return list(connection.execute(statement.limit(PAGE + 1)).all())


def _row(row: Any, zone: ZoneInfo, language: Language) -> dict[str, Any]:
    talk = row.conversation_id or row.case_conversation
    if row.case_id is not None:
        about = f"#{numbers.number(row.case_id)}"
    elif row.episode is not None:
        about = f"{row.touchpoint.replace('_', ' ')} · {row.episode}"
    elif row.period is not None:
        about = row.period
    else:
        about = said("surveys.conversation", language) if talk else ""
    return {
        "at": row.created_at.astimezone(zone).strftime("%Y-%m-%d %H:%M"),
        "moment": row.created_at.isoformat(),
        "customer": row.name or row.customer or said("about.visitor", language),
        "customer_id": row.customer if row.name else None,
        "segment": _named(f"segment.{row.segment}", language) if row.segment else "",
        "survey": row.definition,
        "about": about,
        "conversation": talk,
        "channel": _named(f"channel.{row.channel}", language) if row.channel else "",
        "reason": _named(f"unasked.{row.reason}", language),
    }


# ---- the figures ----


def _reasons(counted: Counter[str], wanted: Wanted, language: Language) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "words": _named(f"unasked.{key}", language),
            "remedy": said(f"unasked_why.{key}", language) if f"unasked_why.{key}" in texts() else "",
            "count": count,
            "link": wanted.link(reason="" if key == wanted.reason else key) + "#list",
        }
        for key, count in sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    ]


def _percent(found: Estimate | None) -> str:
    """In whole percent; a dash where there is nothing to divide by."""
    return "–" if found is None else f"{found.value:.0f} %"


def _named(name: str, language: Language) -> str:
    """What the house calls it; its own key where the operator made it up."""
    return said(name, language) if name in texts() else name.partition(".")[2].replace("_", " ")


def _microseconds(when: datetime) -> int:
    whole = when - EPOCH
    return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds
