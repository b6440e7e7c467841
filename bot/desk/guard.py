"""Who may come in: the cookie, its session, and where an unsafe request was made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from aiohttp import web

from bot.desk.room import Room, room
from bot.desk.words import language_of, said
from bot.loop.people import NoConversation, Refused
from bot.service import SERVICE
from bot.staff import sessions
from bot.staff.sessions import LIFE, Member
from storage.database import Conflict, is_outage

log = structlog.get_logger()

COOKIE = "earful_staff"
BACKGROUND = "X-Background"
"""The header of what a page reads by itself."""

SAFE = frozenset({"GET", "HEAD"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ApiHandler = Callable[[web.Request, Room, Member], Awaitable[Any]]


class Problem(Exception):
    """A request that is refused. `code` names a text `error.<code>`, which tells the agent what to do."""

    def __init__(self, status: int, code: str, **values: object) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.values = values


def token_of(request: web.Request) -> str | None:
    return request.cookies.get(COOKIE)


async def member_of(request: web.Request, *, renew: bool = True) -> Member | None:
    """Whose session this request bears. What a page reads by itself does not keep a session alive: only people do."""
    here = room(request)
    renew = renew and BACKGROUND not in request.headers
    return await sessions.find(here.service.database, here.service.clock, token_of(request), renew=renew)


def same_origin(request: web.Request) -> bool:
    """Whether a page of ours made this request. Browsers name the origin with every unsafe request and with every
    WebSocket; what names none, or another one, is refused. SameSite=Strict is the other half of this."""
    origin = urlsplit(request.headers.get("Origin", ""))
    ours = {request.host, urlsplit(request.app[SERVICE].settings.address).netloc}
    return origin.scheme in ("http", "https") and origin.netloc in ours


def set_cookie(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """The session's secret, for this site only and out of reach of scripts. It lasts while the browser is open, and at
    most as long as the session."""
    response.set_cookie(
        COOKIE,
        token,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=request.app[SERVICE].settings.address.startswith("https://"),
    )


def drop_cookie(response: web.StreamResponse) -> None:
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")


def json(body: Any, status: int = 200) -> web.Response:
    """Times are written in UTC; nothing is kept by a browser or a proxy."""
    return web.Response(
        body=orjson.dumps(body),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def api(handler: ApiHandler) -> Handler:
    """For those who have signed in. What goes wrong is told in their language: `{"error": code, "message": words}`."""

    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        language = language_of(request)
        try:
            member = await admitted(request)
            result = await handler(request, room(request), member)
            return result if isinstance(result, web.StreamResponse) else json(result)
        except Problem as problem:
            return _told(problem.status, problem.code, said(f"error.{problem.code}", language, **problem.values))
        except Refused as refused:
            return _told(409, refused.code, refused.said(language))
        except NoConversation:
            return _told(404, "no_conversation", said("error.no_conversation", language))
        except Conflict:
            return _told(409, "busy", said("error.busy", language))
        except Exception as error:
            if not is_outage(error):
                raise
            log.error("the database did not answer the desk", error=type(error).__name__)
            return _told(503, "outage", said("error.outage", language))

    return answer


async def admitted(request: web.Request) -> Member:
    """The member who makes this request. Raises Problem."""
    if request.method not in SAFE and not same_origin(request):
        raise Problem(403, "origin")
    member = await member_of(request)
    if member is None:
        raise Problem(401, "signed_out")
    if member.must_change:
        raise Problem(403, "must_change")
    return member


def minutes(wait: timedelta) -> int:
    """A wait in whole minutes, at least one, for people."""
    return max(1, -(-int(wait.total_seconds()) // 60))


def _told(status: int, code: str, words: str) -> web.Response:
    return json({"error": code, "message": words}, status)


__all__ = [
    "COOKIE",
    "LIFE",
    "Problem",
    "admitted",
    "api",
    "drop_cookie",
    "json",
    "member_of",
    "minutes",
    "same_origin",
    "set_cookie",
    "token_of",
]
