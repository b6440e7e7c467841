"""The list of cases: mine, my department's, all; the urgent, the late; whoever waits longest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import ColumnElement, Connection, func, select

from bot.cases import filters, numbers, views
from bot.cases.filters import Wanted as Kept
from bot.cases.rules import SETTLED, STATES
from bot.desk import case_scope
from bot.desk.case_acts import number_of
from bot.desk.case_dues import Coming, upcoming
from bot.desk.case_sheet import Reader
from bot.desk.case_timeline import state_name
from bot.desk.moments import length
from bot.desk.request import fields_of
from bot.desk.room import Room
from bot.desk.sheets import back, done, sheet, show, ticking
from bot.desk.table import routes
from bot.desk.transcript import without_keys
from bot.desk.words import language_of, said
from bot.staff.service import record
from bot.staff.sessions import Member
from storage.sets import among
from storage.tables import cases, contacts, deadlines, staff

CASES = "/desk/cases"
PAGE = 40
_NAME = 60
_OPEN = sorted(set(STATES) - SETTLED)
_c, _d = cases.c, deadlines.c

Whose = Literal["mine", "department", "nobody", "all", "settled"]
Order = Literal["waiting", "due", "new"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list. `group`: the cases of one matter that many told. `page` counts from 0."""

    whose: Whose
    order: Order
    department: str
    urgent: bool
    breached: bool
    group: int | None
    page: int
    view: str = ""
    kept: Kept | None = None
    """The filters of the saved view of this name, which the others narrow."""


@routes.get(CASES)
@sheet("agent", "supervisor", "admin")
async def all_cases(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """The list; a case number typed into the search leads to its case."""
    service, language = room.service, language_of(request)
    reader = Reader(member, service.content, service.clock.now(), language)
    typed = request.query.get("number", "").strip()[:40]
    asked = number_of(typed) if typed else None
    if asked is not None and await service.database.read(lambda link: case_scope.visible(link, member, asked)):
        raise web.HTTPSeeOther(f"{CASES}/{numbers.number(asked)}")
    wanted = _wanted(request, service.content.departments.names)
    saved = await views.all_views(service.database)
    kept = next((each for each in saved if each.name == wanted.view), None)
    wanted = replace(wanted, kept=kept.wanted) if kept else replace(wanted, view="")

    def work(connection: Connection) -> tuple[str, list[dict[str, Any]], bool]:
        own = (
            case_scope.scope(connection, member, service.content.departments.hub).department
            or service.content.departments.hub
        )
        found, more = listed(connection, reader, wanted, own)
        return own, found, more

    own, found, more = await service.database.read(work)
    return show(
        request,
        member,
        "cases",
        live=20,
        data=ticking(request),
        problem=said("cases.no_such", language) if typed else "",
        cases=found,
        more=more,
        wanted=wanted,
        whose=get_args(Whose),
        orders=get_args(Order),
        own_department=reader.department(own),
        query={name: value for name, value in request.query.items() if name not in ("page", "number", "lang", "done")},
        typed=typed,
        done=done(request),
        views=[each.name for each in saved],
        longest=_NAME,
        me_supervisor=member.supervisor,
    )


@routes.post(CASES + "/views")
@sheet("supervisor", "admin")
async def save_view(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """What the query lists, kept under a `name` for everybody in the house, in place of what had that name; `remove`
    takes the name away."""
    service, form, language = room.service, await fields_of(request), language_of(request)
    name, by = " ".join(form.get("name", "").split()), f"staff:{member.id}"
    if not 1 <= len(name) <= _NAME:
        raise web.HTTPUnprocessableEntity(text=said("cases.view_bad", language, longest=_NAME))
    if "remove" in form:
        await views.remove(service.database, name)
        await record(service.database, service.clock, by, "view_removed", f"view:{name}")
        raise back(request, CASES, "removed")
    wanted = _wanted(request, service.content.departments.names)
    try:
        await views.save(service.database, name, _as_view(wanted, member), by, service.clock.now())
    except views.TooManyViews:
        raise web.HTTPConflict(text=said("cases.view_many", language, most=views.MOST)) from None
    await record(service.database, service.clock, by, "view_saved", f"view:{name}")
    raise web.HTTPSeeOther(f"{CASES}?{urlencode({'view': name, 'order': wanted.order, 'done': 'saved'})}")


def _as_view(wanted: Wanted, member: Member) -> Kept:
    """The same filters, as everybody may use them: what was "mine" is whoever's who saved it."""
    return Kept(
        open=wanted.whose != "settled",
        urgency="urgent" if wanted.urgent else None,
        department=wanted.department or None,
        owner=member.login if wanted.whose == "mine" else None,
        owned=False if wanted.whose == "nobody" else None,
        overdue=True if wanted.breached else None,
    )


def listed(connection: Connection, reader: Reader, wanted: Wanted, own: str) -> tuple[list[dict[str, Any]], bool]:
    """The cases of a page, and whether there are more. `own`: the member's department."""
    late = select(_d.id).where(_d.case_id == _c.id, _d.breached_at.is_not(None), among(_d.state, "running", "frozen"))
    where: list[ColumnElement[bool]] = [case_scope.shown_to(reader.member)]
    if wanted.kept is not None:
        where += filters.conditions(wanted.kept)
    if wanted.kept is None or wanted.whose == "settled":
        where.append(among(_c.state, *(sorted(SETTLED) if wanted.whose == "settled" else _OPEN)))
    if wanted.whose == "mine":
        where.append(_c.owner_id == reader.member.id)
    elif wanted.whose == "department":
        where.append(_c.department == own)
    elif wanted.whose == "nobody":
        where.append(_c.owner_id.is_(None))
    if wanted.department:
        where.append(_c.department == wanted.department)
    if wanted.group is not None:
        where.append(_c.group_id == wanted.group)
    if wanted.urgent:
        where.append(_c.urgency == "urgent")
    if wanted.breached:
        where.append(late.exists())
    due = (
        select(func.min(_d.due_at))
        .where(_d.case_id == _c.id, among(_d.state, "running"))
        .correlate(cases)
        .scalar_subquery()
    )
    orders: dict[Order, Sequence[Any]] = {
        "waiting": (func.coalesce(_c.handed_at, _c.opened_at), _c.id),
        "due": (due.is_(None), due, _c.id),
        "new": (_c.id.desc(),),
    }
    order = orders["new" if wanted.whose == "settled" else wanted.order]
    statement = (
        select(cases, contacts.c.name.label("customer"), staff.c.name.label("owner"))
        .join(contacts, contacts.c.id == _c.contact_id)
        .outerjoin(staff, staff.c.id == _c.owner_id)
        .where(*where)
        .order_by(*order)
        .limit(PAGE + 1)
        .offset(wanted.page * PAGE)
    )
    rows = connection.execute(statement).all()
    coming = upcoming(connection, [row.id for row in rows])
    return [_described(reader, row, coming) for row in rows[:PAGE]], len(rows) > PAGE


def _described(reader: Reader, row: Any, coming: dict[int, Coming]) -> dict[str, Any]:
    first, since = coming.get(row.id), row.handed_at or row.opened_at
    return {
        "number": numbers.number(row.id),
        "title": without_keys(row.title)[:160],
        "state_name": state_name(row.state, reader.language),
        "settled": row.state in SETTLED,
        "urgency": row.urgency,
        "nature": [],
        "department": reader.department(row.department),
        "owner": row.owner,
        "mine": row.owner_id == reader.member.id,
        "customer": row.customer,
        "contact": row.contact_id,
        "waits": length(reader.now - since, reader.language),
        "asked": row.waiting_since is not None,
        "kind": None if first is None else first.kind,
        "due_at": None if first is None else first.due_at,
        "due": None if first is None else reader.stamp(first.due_at),
        "late": first is not None and first.due_at < reader.now,
        "left": None if first is None else length(abs(first.due_at - reader.now), reader.language),
    }


def _wanted(request: web.Request, departments: Any) -> Wanted:
    query = request.query
    whose, order, page = query.get("whose", ""), query.get("order", ""), query.get("page", "0")
    group = query.get("group", "")
    return Wanted(
        whose=whose if whose in get_args(Whose) else "all",  # type: ignore[arg-type] # one of them
        order=order if order in get_args(Order) else "waiting",  # type: ignore[arg-type] # one of them
        department=query.get("department", "") if query.get("department", "") in departments else "",
        urgent=query.get("urgent") == "1",
        breached=query.get("breached") == "1",
        group=int(group) if group.isascii() and group.isdecimal() and len(group) < 18 else None,
        page=int(page) if page.isascii() and page.isdecimal() and len(page) < 5 else 0,
        view=query.get("view", "")[:_NAME],
    )
