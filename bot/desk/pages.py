"""The desk's pages: sign in, change the password, the console."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import orjson
from aiohttp import web
from markupsafe import Markup
from sqlalchemy import select

from bot.desk import guard
from bot.desk.guard import minutes, same_origin
from bot.desk.room import Room, room
from bot.desk.table import routes
from bot.desk.version import version
from bot.desk.words import language_of, said, texts
from bot.staff.door import TooManyAttempts, WrongCredentials
from bot.staff.passwords import LONGEST, SHORTEST, WeakPassword
from bot.staff.service import NAME_LONGEST, AccountError, called, rename
from bot.staff.sessions import Member
from bot.web.language import remember
from bot.web.limits import sender
from bot.web.rendering import environment
from nlu.understanding import Language
from storage.tables import staff

_PAGES = Path(__file__).parent / "pages"
_DOORS = ("sign_in", "password", "name")
_ELSEWHERE = frozenset(
    (
        "dead",
        *("account", "admin", "channels", "day", "entry", "figures", "house", "name", "password", "replies", "sheet"),
        *("surveys", "counted", "task", "tokens", "unasked", "unasked_why", "offline", "cases", "calls", "call_why"),
        *("case", "case_act", "case_why", "case_event", "case_actor", "task_kind", "task_state", "task_act"),
        *("rulebook", "improve", "alerts", "paging", "webhooks", "remedy", "remedy_state", "remedy_act"),
    )
)
"""Sections that the console never says."""

_FACES = ("/desk", "/insights")
"""Where signing in may lead: the faces that staff use."""


@routes.get("/desk")
async def console(request: web.Request) -> web.StreamResponse:
    member = await guard.member_of(request)
    if member is None:
        raise web.HTTPSeeOther("/desk/sign-in")
    if member.must_change:
        raise web.HTTPSeeOther("/desk/password")
    language, here = language_of(request), room(request)
    own = select(staff.c.department, staff.c.away).where(staff.c.id == member.id)
    row = await here.service.database.read(lambda connection: connection.execute(own).one())
    start = _start(here, member, language)
    start["me"] |= {"department": row.department, "away": bool(row.away)}
    return page(request, "console", language, data=embedded(start))


@routes.get("/desk/sign-in")
async def sign_in_page(request: web.Request) -> web.StreamResponse:
    if await guard.member_of(request) is not None:
        raise web.HTTPSeeOther(_following(request.query.get("next", "")))
    return _sign_in(request)


@routes.post("/desk/sign-in")
async def sign_in(request: web.Request) -> web.StreamResponse:
    language = language_of(request)
    if not same_origin(request):
        return _sign_in(request, 403, said("error.origin", language))
    form = await request.post()
    login, password = form.get("login", ""), form.get("password", "")
    if not isinstance(login, str) or not isinstance(password, str):
        return _sign_in(request, 400, said("error.bad_request", language))
    try:
        member, token = await room(request).door.sign_in(login, password, sender(request))
    except WrongCredentials:
        return _sign_in(request, 401, said("sign_in.wrong", language), login)
    except TooManyAttempts as many:
        words = said("sign_in.too_many", language, minutes=minutes(many.wait))
        response = _sign_in(request, 429, words, login)
        response.headers["Retry-After"] = str(int(many.wait.total_seconds()) + 1)
        return response
    following = _following(str(form.get("next", "")))
    found = web.HTTPSeeOther("/desk/password" if member.must_change else following)
    guard.set_cookie(request, found, token)
    raise found


@routes.post("/desk/sign-out")
async def sign_out(request: web.Request) -> web.StreamResponse:
    if not same_origin(request):
        raise web.HTTPForbidden(text=said("error.origin", language_of(request)))
    member, token = await guard.member_of(request), guard.token_of(request)
    if member is not None and token is not None:
        await room(request).door.sign_out(member, token)
    found = web.HTTPSeeOther("/desk/sign-in")
    guard.drop_cookie(found)
    raise found


@routes.get("/desk/password")
async def password_page(request: web.Request) -> web.StreamResponse:
    return _password(request, await _signed_in(request))


@routes.post("/desk/password")
async def change_password(request: web.Request) -> web.StreamResponse:
    member, language = await _signed_in(request), language_of(request)
    if not same_origin(request):
        return _password(request, member, 403, said("error.origin", language))
    form = await request.post()
    old, new, again = (form.get(name, "") for name in ("old", "new", "again"))
    if not (isinstance(old, str) and isinstance(new, str) and isinstance(again, str)):
        return _password(request, member, 400, said("error.bad_request", language))
    if new != again:
        return _password(request, member, 422, said("password.differ", language))
    try:
        await room(request).door.change_password(member, guard.token_of(request) or "", old, new, sender(request))
    except WeakPassword as weak:
        words = said(f"password.{weak.code}", language, shortest=SHORTEST, longest=LONGEST)
        return _password(request, member, 422, words)
    except WrongCredentials:
        return _password(request, member, 422, said("password.wrong", language))
    except TooManyAttempts as many:
        words = said("sign_in.too_many", language, minutes=minutes(many.wait))
        return _password(request, member, 429, words)
    raise web.HTTPSeeOther("/desk")


@routes.get("/desk/name")
async def name_page(request: web.Request) -> web.StreamResponse:
    member = await _settled(request)
    return _name(request, member.name)


@routes.post("/desk/name")
async def change_name(request: web.Request) -> web.StreamResponse:
    """The member's own name, as customers and colleagues see it from now on."""
    member, language, here = await _settled(request), language_of(request), room(request)
    if not same_origin(request):
        return _name(request, member.name, 403, said("error.origin", language))
    given = str((await request.post()).get("name", ""))
    try:
        await rename(here.service.database, here.service.clock, member.login, given, by=f"staff:{member.id}")
    except AccountError:
        return _name(request, given[:NAME_LONGEST], 422, said("name.bad", language, longest=NAME_LONGEST))
    raise web.HTTPSeeOther("/desk")


# ---- what a page is made of ----


async def _settled(request: web.Request) -> Member:
    member = await guard.member_of(request)
    if member is None:
        raise web.HTTPSeeOther("/desk/sign-in?next=/desk/name")
    if member.must_change:
        raise web.HTTPSeeOther("/desk/password")
    return member


async def _signed_in(request: web.Request) -> Member:
    member = await guard.member_of(request)
    if member is None:
        raise web.HTTPSeeOther("/desk/sign-in?next=/desk/password")
    return member


def _sign_in(request: web.Request, status: int = 200, problem: str = "", login: str = "") -> web.Response:
    following = _following(request.query.get("next", ""))
    return page(request, "sign_in", language_of(request), status, problem, login=login[:100], next=following)


def _password(request: web.Request, member: Member, status: int = 200, problem: str = "") -> web.Response:
    language = language_of(request)
    why = said("password.must" if member.must_change else "password.may", language, name=member.name)
    rule = said("password.rule", language, shortest=SHORTEST)
    values = {"why": why, "rule": rule, "login": member.login, "may_leave": not member.must_change}
    return page(request, "password", language, status, problem, **values)


def _name(request: web.Request, name: str, status: int = 200, problem: str = "") -> web.Response:
    return page(request, "name", language_of(request), status, problem, shown=name, longest=NAME_LONGEST)


def page(
    request: web.Request, name: str, language: Language, status: int = 200, problem: str = "", /, **values: object
) -> web.Response:
    """The page `pages/<name>.html` in a language. `said(key, ...)` in it is a text of `texts.yml`."""

    def spoken(key: str, **filled: object) -> str:
        return said(key, language, **filled)

    theme = request.cookies.get("earful_theme", "")
    given = {
        "section": name if name in _DOORS else "page",
        "said": spoken,
        "language": language,
        "gap": "" if language == "zh" else " ",  # between two sentences
        "other": "en" if language == "zh" else "zh",
        "theme": theme if theme in ("light", "dark") else "auto",
        "company": room(request).service.settings.company,
        "problem": problem,
    }
    response = web.Response(
        text=environment(_PAGES).get_template(f"{name}.html").render(given | values),
        status=status,
        content_type="text/html",
        # With no-referrer a browser sends `Origin: null` with our own forms, and we could not tell them from others'.
        headers={"Cache-Control": "no-store", "Referrer-Policy": "same-origin"},
    )
    remember(response, request)
    return response


def _start(here: Room, member: Member, language: Language) -> dict[str, Any]:
    """What the console needs before its first question to the service."""
    settings = here.service.settings
    return {
        "me": {"id": member.id} | own(member),
        "language": language,
        "zone": settings.time_zone,
        "company": settings.company,
        "channels": sorted({channel for channel, _ in here.service.adapters}),
        "departments": [
            {"key": key, "name": name.said(language)} for key, name in here.service.content.departments.names.items()
        ],
        "patience": settings.agent_patience_minutes,
        "version": version(),
        "now": here.service.clock.now(),
        "texts": {key: text.said(language) for key, text in texts().items() if key.partition(".")[0] not in _ELSEWHERE},
    }


def own(member: Member) -> dict[str, Any]:
    """What an open desk knows of its member, and is told anew: their name, also as customers of each language read it,
    and their role."""
    names = {language: called(member.name, language) for language in get_args(Language)}
    return {"name": member.name, "called": names, "role": member.role, "supervisor": member.supervisor}


def embedded(value: dict[str, Any]) -> Markup:
    """JSON inside a script element: nothing in it may end the element."""
    words = orjson.dumps(value).decode().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(words)  # noqa: S704 - it is JSON, made safe in the line before


def _following(wish: str) -> str:
    """Where to go after signing in: a face of ours, never another site."""
    path = wish.partition("?")[0].partition("#")[0]
    known = any(path == face or path.startswith(face + "/") for face in _FACES)
    return wish if known and "\\" not in wish and ".." not in wish and wish.isprintable() else "/desk"
