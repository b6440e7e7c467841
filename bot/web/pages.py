"""Pages for people without an account: the start page, and those behind signed links."""

from __future__ import annotations

from aiohttp import web

from bot.service import SERVICE
from bot.web import case_page, form_page, rating_page, trial
from bot.web.language import language_of
from bot.web.manners import CSP
from bot.web.rendering import page

_own = web.RouteTableDef()


@_own.get("/")
async def start(request: web.Request) -> web.Response:
    """Where somebody who has just started the service looks first."""
    service = request.app[SERVICE]
    language = language_of(request, service.settings.language)
    offered = await trial.offered(service)
    response = page(request, "start", language, address=service.settings.address, trial=offered)
    response.headers["Content-Security-Policy"] = f"{CSP}; frame-src 'self'"  # the widget opens the chat on it
    return response


routes: list[web.AbstractRouteDef] = [*_own, *rating_page.routes, *case_page.routes, *form_page.routes, *trial.routes]
