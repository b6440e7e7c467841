"""Improvements at the desk: what many cases say of one thing, what is worth doing first, who does it by when, and
whether it helped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, cast, get_args

from aiohttp import web
from sqlalchemy import Connection, Select, func, select

from bot.cases import numbers
from bot.desk import case_scope
from bot.desk.case_acts import number_of
from bot.desk.case_timeline import state_name
from bot.desk.moments import stamp
from bot.desk.request import fields_of
from bot.desk.room import Room
from bot.desk.sheets import back, done, sheet, show
from bot.desk.table import routes
from bot.desk.transcript import without_keys
from bot.desk.words import language_of, named, said
from bot.improvements import rules, service
from bot.improvements.rules import ImprovementRefused, State
from bot.staff.sessions import Member
from nlu.understanding import Language
from storage.records import Improvement
from storage.tables import cases, improvement_cases, improvements, staff

HERE = "/desk/improvements"
ONE = HERE + r"/{id:\d{1,17}}"
_LATELY = timedelta(days=90)
_TOPICS = 30
_SHOWN = 200
_COLLECTED = 100
_LONGEST = {"title": 120, "measure": 2_000, "target": 300}


@routes.get(HERE)
@sheet("supervisor", "admin")
async def all_improvements(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """What is not done yet in its four quadrants, the first worth doing first; then what is over."""
    return await _list(request, room, member)


@routes.post(HERE)
@sheet("supervisor", "admin")
async def make_improvement(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    fields, by, now = await fields_of(request), f"staff:{member.id}", room.service.clock.now()
    try:
        values = await _values(room, fields)
    except ValueError as wrong:
        problem = said(f"improve.{wrong}", language_of(request))
        return await _list(request, room, member, 422, problem, given=fields)
    since = now - _LATELY if "collect" in fields else None

    def work(connection: Connection) -> int:
        made = service.make(connection, values, by, now)
        if since is not None:
            service.collect(connection, made, [], [], by, now, since=since)
        return made

    made = await room.service.database.write(work)
    raise back(request, f"{HERE}/{made}", "saved")


@routes.get(ONE)
@sheet("supervisor", "admin")
async def improvement(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """One with its cases, and its topic's figures before and after."""
    return await _one(request, room, member)


@routes.post(ONE + "/{act:change|move|collect|let_go|verify}")
@sheet("supervisor", "admin")
async def act_on_improvement(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Change what it says, move it on, collect cases or let one go, or look whether it helped."""
    fields, language, act = await fields_of(request), language_of(request), request.match_info["act"]
    id, by, now = int(request.match_info["id"]), f"staff:{member.id}", room.service.clock.now()
    version = fields.get("version", "")
    seen = int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else None
    try:
        work = await _work(room, member, act, fields, id, by, now, seen)
        await room.service.database.write(work)
    except ImprovementRefused as refused:
        if refused.code == "no_improvement":
            raise web.HTTPNotFound from None
        return await _one(request, room, member, 409, refused.said(language), given=fields)
    except ValueError as wrong:
        return await _one(request, room, member, 422, said(f"improve.{wrong}", language), given=fields)
    raise back(request, f"{HERE}/{id}", "saved")


async def _work(
    room: Room, member: Member, act: str, fields: Mapping[str, str], id: int, by: str, now: datetime, seen: int | None
) -> Callable[[Connection], Any]:
    """What the form asks for. Raises ValueError with the key of the text that says what to write."""
    if act == "change":
        values = await _values(room, fields)
        return lambda c: service.change(c, id, values, by, now, version=seen)
    if act == "move":
        to, reason = fields.get("to", ""), fields.get("reason", "")[:500]
        if to not in get_args(State):
            raise ValueError("no_move")
        return lambda c: service.change(c, id, {}, by, now, to=cast(State, to), reason=reason, version=seen)
    if act == "verify":
        return lambda c: service.verify(c, id, by, now, fields.get("note", "")[:500])
    if act == "let_go":
        gone = number_of(fields.get("number", ""))
        return lambda c: service.collect(c, id, [], [gone] if gone else [], by, now)
    if "all" in fields:
        return lambda c: service.collect(c, id, [], [], by, now, since=now - _LATELY)
    found = [number_of(each) for each in fields.get("numbers", "")[:2_000].replace(",", " ").replace("，", " ").split()]
    if not found or None in found:
        raise ValueError("no_numbers")
    wanted = [each for each in found if each is not None]

    def look(connection: Connection) -> bool:
        return all(case_scope.visible(connection, member, each) is not None for each in wanted)

    if not await room.service.database.read(look):
        raise ValueError("no_numbers")
    return lambda c: service.collect(c, id, wanted, [], by, now)


async def _values(room: Room, fields: Mapping[str, str]) -> dict[str, Any]:
    """What a form says of an improvement. Raises ValueError with the key of the text that says what to write."""
    values: dict[str, Any] = {name: fields.get(name, "")[:longest] for name, longest in _LONGEST.items()}
    if not values["title"] or not values["measure"]:
        raise ValueError("empty")
    nature, colon, aspect = fields.get("topic", "").partition(":")
    if not (nature and colon and aspect) or len(fields["topic"]) > 200:
        raise ValueError("no_topic")
    for name in ("impact", "difficulty"):
        if fields.get(name) not in ("1", "2", "3", "4", "5"):
            raise ValueError("no_grade")
        values[name] = int(fields[name])
    owner = fields.get("owner", "")
    if owner and not (owner.isascii() and owner.isdecimal() and len(owner) < 18):
        raise ValueError("no_owner")
    if owner:
        there = select(staff.c.id).where(staff.c.id == int(owner), staff.c.disabled_at.is_(None))
        if await room.service.database.read(lambda link: link.execute(there).first()) is None:
            raise ValueError("no_owner")
    try:
        day = datetime.fromisoformat(fields["due"]).date() if fields.get("due") else None
    except ValueError:
        raise ValueError("no_day") from None
    zone = room.service.content.calendar.zone
    due = datetime.combine(day, time(23, 59), tzinfo=zone).astimezone(UTC) if day and 2000 < day.year < 9000 else None
    return values | {"topic": fields["topic"], "owner_id": int(owner) if owner else None, "due_at": due}


# ---- what is shown ----


async def _list(
    request: web.Request, room: Room, member: Member, status: int = 200, problem: str = "", **values: Any
) -> web.Response:
    now, language, content = room.service.clock.now(), language_of(request), room.service.content

    def work(connection: Connection) -> tuple[list[Any], list[tuple[str, int]], list[Any]]:
        statement = _all().order_by(improvements.c.id.desc()).limit(_SHOWN)
        return list(connection.execute(statement)), _hot(connection, now), _people(connection)

    rows, hot, people = await room.service.database.read(work)
    shown = [_view(row, now, content, language) for row in rows]
    going = sorted((each for each in shown if each["going"]), key=lambda each: each["place"])
    return show(
        request,
        member,
        "improvements",
        status=status,
        problem=problem,
        done=done(request),
        quadrants=[(name, [each for each in going if each["quadrant"] == name]) for name in rules.QUADRANTS],
        any=bool(going),
        over=[each for each in shown if not each["going"]],
        topics=[(topic, _topic(topic, content, language), count) for topic, count in hot],
        people=people,
        **values,
    )


async def _one(
    request: web.Request, room: Room, member: Member, status: int = 200, problem: str = "", **values: Any
) -> web.Response:
    id, now = int(request.match_info["id"]), room.service.clock.now()
    language, content = language_of(request), room.service.content

    def work(connection: Connection) -> dict[str, Any] | None:
        row = connection.execute(_all().where(improvements.c.id == id)).first()
        known = Improvement.one(connection, improvements.c.id == id)
        if row is None or known is None:
            return None
        before, after = service.figures(connection, known, now)
        collected = (
            select(cases.c.id, cases.c.title, cases.c.state)
            .join(improvement_cases, improvement_cases.c.case_id == cases.c.id)
            .where(improvement_cases.c.improvement_id == id, case_scope.shown_to(member))
            .order_by(improvement_cases.c.id.desc())
            .limit(_COLLECTED)
        )
        found = [
            {
                "number": numbers.number(each.id),
                "title": without_keys(each.title),
                "state": state_name(each.state, language),
            }
            for each in connection.execute(collected)
        ]
        return {
            "one": (one := _view(row, now, content, language)),
            "one_fields": one | {"owner": row.owner_id or ""},
            "cases": found,
            "before": service.shown(before),
            "after": service.shown(after) if after else None,
            "verdict": rules.verdict(before, after) if after else None,
            "moves": rules.moves(cast(State, row.state)),
            "topics": [(topic, _topic(topic, content, language), n) for topic, n in _hot(connection, now)],
            "people": _people(connection),
        }

    found = await room.service.database.read(work)
    if found is None:
        raise web.HTTPNotFound
    days = rules.WINDOW.days
    return show(
        request, member, "improvement", status=status, problem=problem, done=done(request), days=days, **found | values
    )


def _all() -> Select[Any]:
    count = select(func.count()).where(improvement_cases.c.improvement_id == improvements.c.id).correlate(improvements)
    columns = (*improvements.c, staff.c.name.label("owner"), count.scalar_subquery().label("cases"))
    return select(*columns).outerjoin_from(improvements, staff, staff.c.id == improvements.c.owner_id)


def _view(row: Any, now: datetime, content: Any, language: Language) -> dict[str, Any]:
    zone = content.calendar.zone
    return {
        "id": row.id,
        "title": row.title,
        "topic": row.topic,
        "about": _topic(row.topic, content, language),
        "measure": row.measure,
        "target": row.target or "",
        "impact": row.impact,
        "difficulty": row.difficulty,
        "quadrant": rules.quadrant(row.impact, row.difficulty),
        "place": (rules.place(row.impact, row.difficulty), row.id),
        "owner": row.owner,
        "owner_id": row.owner_id,
        "due": row.due_at.astimezone(zone).date().isoformat() if row.due_at else "",
        "late": row.due_at is not None and row.due_at < now and row.state in ("open", "in_progress"),
        "state": row.state,
        "going": row.state in ("open", "in_progress", "done"),
        "reason": row.reason or "",
        "outcome": row.outcome,
        "made": stamp(row.made_at, now, zone, language),
        "cases": row.cases,
        "version": row.version,
    }


def _hot(connection: Connection, now: datetime) -> list[tuple[str, int]]:
    """What cases were about lately, the most told first."""
    count = func.count()
    statement = (
        select(cases.c.topic, count)
        .where(cases.c.topic.is_not(None), cases.c.opened_at >= now - _LATELY)
        .group_by(cases.c.topic)
        .order_by(count.desc(), cases.c.topic)
        .limit(_TOPICS)
    )
    return [(topic, n) for topic, n in connection.execute(statement)]


def _people(connection: Connection) -> list[Any]:
    statement = select(staff.c.id, staff.c.name).where(staff.c.disabled_at.is_(None)).order_by(staff.c.name)
    return list(connection.execute(statement))


def _topic(topic: str, content: Any, language: Language) -> str:
    nature, _, aspect = topic.partition(":")
    tree = content.taxonomy
    shown = named(f"nature.{nature}", language) or nature
    return f"{shown} · {tree.aspect(aspect, language) if tree else aspect}"
