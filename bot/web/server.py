"""The HTTP server: one application, the same manners for every face of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import structlog
from aiohttp import web

from bot.service import SERVICE, Service
from bot.web.front import FRONT, Front, Site
from bot.web.language import language_of
from bot.web.limits import LIMITS, Limits
from bot.web.manners import HEADERS, incident
from bot.web.rendering import page

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Table = Iterable[web.AbstractRouteDef]

CLOSING: web.AppKey[asyncio.Event] = web.AppKey("closing", asyncio.Event)
"""Set when the server is about to stop: whoever holds a request open (a socket, a long poll) ends it now."""


def application(service: Service, tables: Iterable[Table]) -> web.Application:
    """The application with the routes of every face."""
    app = web.Application(client_max_size=service.settings.body_limit, middlewares=[_manners])
    app[SERVICE] = service
    app[LIMITS] = Limits()
    app[CLOSING] = asyncio.Event()
    app.on_shutdown.append(_say_closing)
    for table in tables:
        app.add_routes(table)
    return app


async def _say_closing(app: web.Application) -> None:
    app[CLOSING].set()


def static(table: web.RouteTableDef, prefix: str, directory: Path) -> None:
    """Serve a package's own scripts and styles. They carry their version in the query, so they may be kept for long;
    an old tab still finds its files after a deploy, for the query is ignored."""
    files = {path.name: path for path in directory.iterdir() if path.suffix in _TYPES}

    @table.get(prefix + "/{name}")
    async def serve(request: web.Request) -> web.StreamResponse:
        path = files.get(request.match_info["name"])
        if path is None:
            raise web.HTTPNotFound(text="there is no such file")
        kept = "public, max-age=31536000, immutable" if request.query_string else "no-cache"
        return web.FileResponse(path, headers={"Content-Type": _TYPES[path.suffix], "Cache-Control": kept})


_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".png": "image/png",
}


@web.middleware
async def _manners(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Security headers, one line of log without query or body, and no traceback to anybody."""
    started = time.perf_counter()
    failed = False
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = _shown(request, error)
    except Exception as error:
        if isinstance(error, ConnectionResetError) and (request.transport is None or request.transport.is_closing()):
            raise  # they hung up: there is nobody to answer, and nothing went wrong here
        failed = True
        response = web.HTTPInternalServerError(text=incident(_route(request), error))
    if not response.prepared:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
    if failed or not _quiet(request):
        log.info(
            "request",
            method=request.method,
            path=_route(request),
            status=response.status,
            ms=round(1000 * (time.perf_counter() - started), 1),
        )
    if isinstance(response, web.HTTPException):
        raise response
    return response


def _shown(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    """What a person sees in a browser where there is nothing: a page that says what to do. Programs get the bare
    answer."""
    if (
        error.status not in (404, 405)
        or request.method != "GET"
        or "text/html" not in request.headers.get("Accept", "")
    ):
        return error
    language = language_of(request, request.app[SERVICE].settings.language)
    return page(request, "missing", language, status=error.status)


def _route(request: web.Request) -> str:
    """The route, not the path: a path may hold a signed link."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "none"


def _quiet(request: web.Request) -> bool:
    return request.path.startswith(("/hooks/", "/healthz", "/readyz", "/metrics")) or "/static/" in request.path


def put_before(app: web.Application, front: Front) -> None:
    """Platforms' calls are answered by `front` as far as it does."""
    app[FRONT] = front

    async def close(_: web.Application) -> None:
        await front.close()

    app.on_shutdown.append(close)


async def serve(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Listen; the runner to clean up, and the port (given 0, the one that was free)."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=5.0)
    await runner.setup()
    front = app.get(FRONT)
    site = web.TCPSite(runner, host, port) if front is None else Site(runner, front, host, port)
    await site.start()
    address = runner.addresses[0]
    return runner, int(address[1])
