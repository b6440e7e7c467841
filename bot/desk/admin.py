"""Administration at the desk: people and tokens. Whatever is changed here stands in the audit with who changed it."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection, select

from bot.api import tokens
from bot.desk.room import Room
from bot.desk.sheets import back, done, sheet, show
from bot.desk.table import routes
from bot.desk.words import language_of, said
from bot.staff.passwords import WeakPassword
from bot.staff.service import ROLES, AccountError, add_user, disable, place, set_password
from bot.staff.sessions import Member
from storage.tables import staff

PEOPLE, TOKENS = "/desk/admin", "/desk/admin/tokens"


@routes.get(PEOPLE)
@sheet("admin")
async def people(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    return await _people(request, room, member)


@routes.post(PEOPLE)
@sheet("admin")
async def add(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """A new account; its one-time password is shown this once."""
    form = await request.post()
    login, name, role = (str(form.get(key, "")) for key in ("login", "name", "role"))
    service = room.service
    try:
        secret = await add_user(service.database, service.clock, login, name, role, by=f"staff:{member.id}")
    except (AccountError, WeakPassword) as error:
        problem = _said(request, error)
        return await _people(request, room, member, 422, problem, given={"login": login[:100], "name": name[:100]})
    return await _people(request, room, member, secret=secret, secret_of=name)


@routes.post(PEOPLE + "/people/{id}/{act}")
@sheet("admin")
async def change(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Another role or department, a new one-time password, or no more sign-in."""
    service, by, act = room.service, f"staff:{member.id}", request.match_info["act"]
    found = await _one(request, room)
    form = await request.post()
    try:
        if act == "change":
            department = str(form.get("department", "")) or None
            if department is not None and department not in service.content.departments.names:
                raise web.HTTPBadRequest(text=said("error.bad_request", language_of(request)))
            await place(service.database, service.clock, found.login, str(form.get("role", "")), department, by=by)
            raise back(request, PEOPLE, "saved")
        if act == "password":
            secret = await set_password(service.database, service.clock, found.login, by=by)
            return await _people(request, room, member, secret=secret, secret_of=found.name)
        if act == "disable":
            await disable(service.database, service.clock, found.login, by=by)
            raise back(request, PEOPLE, "disabled")
    except AccountError as error:
        return await _people(request, room, member, 422, _said(request, error))
    raise web.HTTPNotFound


@routes.get(TOKENS)
@sheet("admin")
async def all_tokens(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    return await _tokens(request, room, member)


@routes.post(TOKENS)
@sheet("admin")
async def make_token(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """A new token, shown this once."""
    form, service = await request.post(), room.service
    name, scopes = str(form.get("name", "")), [str(each) for each in form.getall("scope", [])]
    try:
        secret = await tokens.create(service.database, service.clock, name, scopes, by=f"staff:{member.id}")
    except tokens.TokenError:
        return await _tokens(request, room, member, 422, said("tokens.bad", language_of(request)))
    return await _tokens(request, room, member, secret=secret, secret_of=name)


@routes.post(TOKENS + "/revoke")
@sheet("admin")
async def revoke_token(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    name, service = str((await request.post()).get("name", "")), room.service
    try:
        await tokens.revoke(service.database, service.clock, name, by=f"staff:{member.id}")
    except tokens.TokenError:
        return await _tokens(request, room, member, 422, said("tokens.bad", language_of(request)))
    raise back(request, TOKENS, "revoked")


async def _one(request: web.Request, room: Room) -> Any:
    wanted = request.match_info["id"]
    if not wanted.isascii() or not wanted.isdecimal() or len(wanted) > 17:
        raise web.HTTPNotFound
    statement = select(staff.c.login, staff.c.name).where(staff.c.id == int(wanted))
    found = await room.service.database.read(lambda connection: connection.execute(statement).first())
    if found is None:
        raise web.HTTPNotFound
    return found


async def _people(
    request: web.Request, room: Room, member: Member, status: int = 200, problem: str = "", **values: Any
) -> web.Response:
    columns = (staff.c.id, staff.c.login, staff.c.name, staff.c.role, staff.c.department, staff.c.disabled_at)

    def work(connection: Connection) -> list[dict[str, Any]]:
        rows = connection.execute(select(*columns).order_by(staff.c.disabled_at.is_not(None), staff.c.name, staff.c.id))
        return [row._asdict() | {"disabled": row.disabled_at is not None} for row in rows]

    found = await room.service.database.read(work)
    given = {"secret": None, "secret_of": "", "done": done(request)} | values
    return show(request, member, "admin", status=status, problem=problem, people=found, roles=ROLES, **given)


async def _tokens(
    request: web.Request, room: Room, member: Member, status: int = 200, problem: str = "", **values: Any
) -> web.Response:
    found = await tokens.all_tokens(room.service.database)
    given = {"secret": None, "secret_of": "", "done": done(request)} | values
    return show(request, member, "tokens", status=status, problem=problem, tokens=found, scopes=tokens.SCOPES, **given)


def _said(request: web.Request, error: AccountError | WeakPassword) -> str:
    return said(f"account.{error.code}", language_of(request))
