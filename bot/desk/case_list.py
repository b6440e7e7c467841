"""The list of cases: mine, my department's, all; the urgent, the late; whoever waits longest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from aiohttp import web
from sqlalchemy import ColumnElement, Connection, func, select

from bot.cases import numbers
from bot.cases.rules import SETTLED, STATES
from bot.desk import case_scope
from bot.desk.case_acts import number_of
from bot.desk.case_dues import Coming, upcoming
from bot.desk.case_sheet import Reader
from bot.desk.case_timeline import state_name
from bot.desk.moments import length
from bot.desk.room import Room
from bot.desk.sheets import sheet, show, ticking
from bot.desk.table import routes
from bot.desk.transcript import without_keys
from bot.desk.words import language_of, said
from bot.staff.sessions import Member
from storage.sets import among
from storage.tables import cases, contacts, deadlines, staff

CASES = "/desk/cases"
PAGE = 40
_OPEN = sorted(set(STATES) - SETTLED)
_c, _d = cases.c, deadlines.c

Whose = Literal["mine", "department", "nobody", "all", "settled"]
Order = Literal["waiting", "due", "new"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list. `page` counts from 0."""

    whose: Whose
    order: Order
    department: str
    urgent: bool
    breached: bool
    page: int


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
        query={name: value for name, value in request.query.items() if name not in ("page", "number", "lang")},
        typed=typed,
    )


def listed(connection: Connection, reader: Reader, wanted: Wanted, own: str) -> tuple[list[dict[str, Any]], bool]:
    """The cases of a page, and whether there are more. `own`: the member's department."""
    late = select(_d.id).where(_d.case_id == _c.id, _d.breached_at.is_not(None), among(_d.state, "running", "frozen"))
    states = sorted(SETTLED) if wanted.whose == "settled" else _OPEN
    where: list[ColumnElement[bool]] = [among(_c.state, *states), case_scope.shown_to(reader.member)]
    if wanted.whose == "mine":
        where.append(_c.owner_id == reader.member.id)
    elif wanted.whose == "department":
        where.append(_c.department == own)
    elif wanted.whose == "nobody":
        where.append(_c.owner_id.is_(None))
    if wanted.department:
        where.append(_c.department == wanted.department)
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
    return Wanted(
        whose=whose if whose in get_args(Whose) else "all",  # type: ignore[arg-type] # one of them
        order=order if order in get_args(Order) else "waiting",  # type: ignore[arg-type] # one of them
        department=query.get("department", "") if query.get("department", "") in departments else "",
        urgent=query.get("urgent") == "1",
        breached=query.get("breached") == "1",
        page=int(page) if page.isascii() and page.isdecimal() and len(page) < 5 else 0,
    )
