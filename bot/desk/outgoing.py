"""Whom pages reach by mail, and which systems listen: administration of what goes out."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from bot.cases.alerts import REPEAT
from bot.desk.room import Room
from bot.desk.sheets import back, done, sheet, show
from bot.desk.table import routes
from bot.desk.words import language_of, said
from bot.outgoing import events, posts
from bot.outgoing.mail import TEST
from bot.outgoing.service import WebhookRefused
from bot.settings_outgoing import ADDRESS
from bot.staff.service import record
from bot.staff.sessions import Member
from storage.tables import pagers, staff
from storage.tables import posts as post_rows

PAGING, WEBHOOKS = "/desk/admin/paging", "/desk/admin/webhooks"
MOST = 200
_SHOWN = 50
"""Posts of a webhook that are listed."""


# ---- who is paged ----


@routes.get(PAGING)
@sheet("admin")
async def paging(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    return await _paging(request, room, member, done=done(request))


@routes.post(PAGING)
@sheet("admin")
async def add_pager(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """One more address for those who are called so."""
    form, now = await request.post(), room.service.clock.now()
    audience, address, spoken = (str(form.get(key, "")).strip() for key in ("audience", "address", "language"))
    known = {key for key, _ in await _audiences(request, room)}
    if audience not in known or spoken not in ("zh", "en") or not ADDRESS.fullmatch(address):
        return await _paging(request, room, member, 422, said("paging.bad", language_of(request)))
    values = {"audience": audience, "address": address, "language": spoken, "created_at": now}

    def work(connection: Connection) -> bool:
        if len(connection.execute(select(pagers.c.id).limit(MOST)).all()) >= MOST:
            return False
        connection.execute(insert(pagers).values(values))
        return True

    try:
        added = await room.service.database.write(work)
    except IntegrityError:
        added = True  # it is there already
    if not added:
        return await _paging(request, room, member, 422, said("paging.many", language_of(request), most=MOST))
    await _note(room, member, "pager_added", f"pager:{audience}")
    raise back(request, PAGING, "saved")


@routes.post(PAGING + "/{id}/{act}")
@sheet("admin")
async def change_pager(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Take an address out, or send a test there."""
    id, act, now = _id(request), request.match_info["act"], room.service.clock.now()

    def work(connection: Connection) -> Any:
        found = connection.execute(select(pagers).where(pagers.c.id == id)).first()
        if found is not None and act == "remove":
            connection.execute(delete(pagers).where(pagers.c.id == id))
        elif found is not None and act == "test":
            row = posts.mail(found.address, None, TEST, {"language": found.language}, events.new_key(), now)
            posts.put(connection, [row])
        return found

    found = await room.service.database.write(work) if act in ("remove", "test") else None
    if found is None:
        raise web.HTTPNotFound
    await _note(room, member, "pager_removed" if act == "remove" else "pager_tested", f"pager:{found.audience}")
    raise back(request, PAGING, "removed" if act == "remove" else "mailed")


async def _paging(
    request: web.Request, room: Room, member: Member, status: int = 200, problem: str = "", **values: Any
) -> web.Response:
    audiences = await _audiences(request, room)
    names = dict(audiences)
    failed = (
        select(post_rows.c.address, post_rows.c.at, post_rows.c.reason)
        .where(post_rows.c.webhook_id.is_(None), post_rows.c.reason.is_not(None), post_rows.c.state != "dropped")
        .order_by(post_rows.c.id.desc())
        .limit(20)
    )

    def work(connection: Connection) -> tuple[Any, Any]:
        rows = connection.execute(select(pagers).order_by(pagers.c.audience, pagers.c.address)).all()
        return rows, connection.execute(failed).all()

    found, lost = await room.service.database.read(work)
    return show(
        request,
        member,
        "paging",
        status=status,
        problem=problem,
        audiences=audiences,
        pagers=[row._asdict() | {"name": names.get(row.audience, row.audience)} for row in found],
        failed=[row._asdict() | {"at": _time(room, row.at)} for row in lost],
        server=room.service.settings.smtp_host,
        minutes=int(REPEAT.total_seconds()) // 60,
        **values,
    )


async def _audiences(request: web.Request, room: Room) -> list[tuple[str, str]]:
    """Who can be called: roles, departments, people."""
    language = language_of(request)
    rows = select(staff.c.id, staff.c.name).where(staff.c.disabled_at.is_(None)).order_by(staff.c.name)
    people = await room.service.database.read(lambda connection: connection.execute(rows).all())
    departments = room.service.content.departments.names
    return [
        *((role, said(f"role.{role}", language)) for role in ("supervisor", "admin")),
        *((f"department:{key}", words.said(language)) for key, words in departments.items()),
        *((f"staff:{row.id}", row.name) for row in people),
    ]


# ---- webhooks ----


@routes.get(WEBHOOKS)
@sheet("admin")
async def all_webhooks(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    return await _webhooks(request, room, member, done=done(request))


@routes.post(WEBHOOKS)
@sheet("admin")
async def make_webhook(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """A new webhook; its secret is shown this once."""
    form = await request.post()
    name, url = (str(form.get(key, "")).strip() for key in ("name", "url"))
    kinds = [str(each) for each in form.getall("kind", [])]
    try:
        _, secret = await room.service.webhooks.create(name, url, kinds, f"staff:{member.id}")
    except WebhookRefused as refused:
        given = {"name": name[:100], "url": url[:500], "kinds": kinds}
        return await _webhooks(request, room, member, 422, refused.said(language_of(request)), given=given)
    return await _webhooks(request, room, member, secret=secret, secret_of=name)


@routes.get(WEBHOOKS + "/{id}")
@sheet("admin")
async def one_webhook(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Its last posts, dead letters first."""
    id = _id(request)
    found = next((each for each in await room.service.webhooks.all() if each.id == id), None)
    if found is None:
        raise web.HTTPNotFound
    row = post_rows.c
    statement = (
        select(row.id, row.kind, row.state, row.attempts, row.status, row.reason, row.at, row.next_at)
        .where(row.webhook_id == id)
        .order_by((row.state == "dead").desc(), row.id.desc())
        .limit(_SHOWN)
    )
    rows = await room.service.database.read(lambda connection: connection.execute(statement).all())
    listed = [each._asdict() | {"at": _time(room, each.at), "next_at": _time(room, each.next_at)} for each in rows]
    return show(request, member, "webhook", hook=found, posts=listed, done=done(request), live=10)


@routes.post(WEBHOOKS + "/{id}/{act}")
@sheet("admin")
async def change_webhook(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """On or off, another secret, a test, another try for what was given up, or away with it."""
    id, act, by, service = _id(request), request.match_info["act"], f"staff:{member.id}", room.service.webhooks
    here = f"{WEBHOOKS}/{id}"
    try:
        match act:
            case "on" | "off":
                await service.change(id, by, on=act == "on")
                raise back(request, here, "saved")
            case "secret":
                secret, name = await service.rotate(id, by), (await service.one(id)).name
                return await _webhooks(request, room, member, secret=secret, secret_of=name)
            case "test":
                await service.test(id)
                raise back(request, here, "posted")
            case "replay":
                given = [str(each) for each in (await request.post()).getall("post", [])]
                wanted = [int(each) for each in given if each.isascii() and each.isdecimal() and len(each) < 18]
                await service.replay(id, wanted[:1_000] if given else None, by)
                raise back(request, here, "resent")
            case "remove":
                await service.remove(id, by)
                raise back(request, WEBHOOKS, "removed")
    except WebhookRefused:
        raise web.HTTPNotFound from None
    raise web.HTTPNotFound


async def _webhooks(
    request: web.Request, room: Room, member: Member, status: int = 200, problem: str = "", **values: Any
) -> web.Response:
    found = await room.service.webhooks.all()
    given = {"secret": None, "secret_of": "", "given": {}} | values
    kinds = events.KINDS
    return show(request, member, "webhooks", status=status, problem=problem, hooks=found, kinds=kinds, **given)


def _id(request: web.Request) -> int:
    wanted = request.match_info["id"]
    if not wanted.isascii() or not wanted.isdecimal() or len(wanted) > 17:
        raise web.HTTPNotFound
    return int(wanted)


def _time(room: Room, moment: Any) -> str:
    return f"{moment.astimezone(room.service.settings.zone):%Y-%m-%d %H:%M:%S}"


async def _note(room: Room, member: Member, action: str, subject: str) -> None:
    await record(room.service.database, room.service.clock, f"staff:{member.id}", action, subject[:100])
