"""Plain HTML forms as they arrive: with or without JavaScript, from anybody."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from bot.service import SERVICE
from bot.tokens import BadToken, ExpiredToken
from bot.web.language import language_of
from bot.web.rendering import page
from storage.types import clean


async def fields(request: web.Request) -> Mapping[str, str]:
    """The fields of a posted form, cleaned and stripped; of one that comes twice the first. Raises HTTPException
    for what no form of ours sends."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPUnsupportedMediaType(text="this page takes what its own form sends")
    try:
        posted = await request.post()
    except (ValueError, LookupError):
        raise web.HTTPBadRequest(text="the form cannot be read") from None
    found: dict[str, str] = {}
    for name, value in posted.items():
        if isinstance(value, str):
            found.setdefault(name, clean(value).replace("\r\n", "\n").strip())
    return found


def not_valid(request: web.Request, error: BadToken | ExpiredToken) -> web.Response:
    """The page for a link that is forged, cut off or too old. It tells nothing of what it might have led to."""
    language = language_of(request, request.app[SERVICE].settings.language)
    expired = isinstance(error, ExpiredToken)
    return page(request, "link", language, status=410 if expired else 404, expired=expired)


def back_to(request: web.Request, **query: str) -> web.Response:
    """See the page again after a POST: a reload repeats nothing."""
    kept = {name: value for name, value in request.query.items() if name == "lang"}
    return web.Response(status=303, headers={"Location": str(request.rel_url.with_query(kept | query))})
