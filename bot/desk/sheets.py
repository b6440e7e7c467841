"""Pages of the desk beside the console: who may see them, and what they share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from aiohttp import web

from bot.desk import guard
from bot.desk.guard import same_origin
from bot.desk.pages import embedded, page
from bot.desk.room import Room, room
from bot.desk.words import language_of, named, said, texts
from bot.staff.sessions import Member, Role

_PAGES = (
    ("/desk/cases", "cases", ("agent", "supervisor", "admin")),
    ("/desk/call-backs", "call_backs", ("agent", "supervisor", "admin")),
    ("/desk/entry", "offline", ("agent", "supervisor", "admin")),
    ("/desk/figures", "figures", ("agent", "supervisor", "admin")),
    ("/desk/alerts", "alerts", ("agent", "supervisor", "admin")),
    ("/desk/risk", "risk", ("agent", "supervisor", "admin")),
    ("/desk/improvements", "improvements", ("supervisor", "admin")),
    ("/desk/team", "team", ("supervisor", "admin")),
    ("/desk/surveys", "surveys", ("supervisor", "admin")),
    ("/desk/admin", "admin", ("admin",)),
    ("/desk/admin/channels", "channels", ("admin",)),
    ("/desk/admin/tokens", "tokens", ("admin",)),
    ("/desk/admin/dead-letters", "dead", ("admin",)),
    ("/desk/admin/paging", "paging", ("admin",)),
    ("/desk/admin/webhooks", "webhooks", ("admin",)),
    ("/desk/admin/replies", "replies", ("supervisor", "admin")),
    ("/desk/admin/knowledge", "knowledge", ("supervisor", "admin")),
    ("/desk/admin/house", "house", ("admin",)),
)

_WITHIN = {
    "case": "cases",
    "entry": "knowledge",
    "webhook": "webhooks",
    "rulebook": "house",
    "improvement": "improvements",
}
"""Sheets that are reached from another one."""

Sheet = Callable[[web.Request, Room, Member], Awaitable[web.StreamResponse]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def sheet(*roles: Role) -> Callable[[Sheet], Handler]:
    """For members of these roles. Who has not signed in goes to the door; a form of another site's is refused."""

    def guarded(handler: Sheet) -> Handler:
        @wraps(handler)
        async def answer(request: web.Request) -> web.StreamResponse:
            member, language = await guard.member_of(request), language_of(request)
            if member is None:
                raise web.HTTPSeeOther("/desk/sign-in")
            if member.must_change:
                raise web.HTTPSeeOther("/desk/password")
            if member.role not in roles:
                raise web.HTTPForbidden(text=said("sheet.not_yours", language))
            if request.method not in guard.SAFE and not same_origin(request):
                raise web.HTTPForbidden(text=said("error.origin", language))
            return await handler(request, room(request), member)

        return answer

    return guarded


def show(
    request: web.Request, member: Member, name: str, /, *, status: int = 200, problem: str = "", **values: Any
) -> web.Response:
    """The sheet `pages/<name>.html`, with the way to the others that this member may see."""
    pages = [(path, key) for path, key, roles in _PAGES if member.role in roles]
    here = next(path for path, key, _ in _PAGES if key == _WITHIN.get(name, name))
    departments = {
        key: words.said(language_of(request)) for key, words in room(request).service.content.departments.names.items()
    }
    given = {
        "pages": pages,
        "here": here,
        "own": request.path,
        "named": lambda key: named(key, language_of(request)),
        "data": None,
        "title": name,
        "live": 0,
        "done": "",
        "departments": departments,
        "given": {},
    }
    return page(request, name, language_of(request), status, problem, **(given | values))


def ticking(request: web.Request) -> Any:
    """What the clocks of a sheet need: the time of the service, and how it is said."""
    here, language = room(request), language_of(request)
    keys = [key for key in texts() if key.startswith("time.")] + ["about.left", "about.late"]
    return embedded(
        {
            "language": language,
            "zone": here.service.settings.time_zone,
            "now": here.service.clock.now(),
            "texts": {key: said(key, language) for key in keys},
        }
    )


def paths() -> list[str]:
    """Where the sheets are."""
    return [path for path, _, _ in _PAGES]


def back(request: web.Request, path: str, done: str) -> web.HTTPSeeOther:
    """To the sheet again, which says what was done."""
    return web.HTTPSeeOther(f"{path}?done={done}")


def done(request: web.Request) -> str:
    """What was done, if the sheet was come back to."""
    what = request.query.get("done", "")
    known = {"saved", "removed", "disabled", "sent", "replayed", "revoked"}
    known |= {"taken", "taken_before", "mailed", "posted", "resent"}
    return said(f"done.{what}", language_of(request)) if what in known else ""
