"""Webhooks: verify, parse, commit, answer. Written once; adapters bring their differences."""

from __future__ import annotations

from typing import Any

import structlog
from aiohttp import web

from bot.loop.intake import Overloaded
from bot.service import SERVICE, Service
from channels.base import Adapter, Answer, Forged, Malformed, Request
from storage.database import is_outage

log = structlog.get_logger()

routes = web.RouteTableDef()


@routes.get("/hooks/{channel}/{account}", allow_head=False)
async def handshake(request: web.Request) -> web.Response:
    """How a platform makes sure, once, that the address is ours."""
    service, adapter = _found(request)
    try:
        return _response(adapter.handshake(_request(service, request, b"")))
    except Forged:
        service.count(f"hook_forged.{adapter.channel}")
        raise web.HTTPUnauthorized(text="the verify token is wrong") from None


@routes.post("/hooks/{channel}/{account}")
async def hear(request: web.Request) -> web.Response:
    """Where platforms call. A 2xx means that every event is committed."""
    service, adapter = _found(request)
    body = await request.read()
    try:
        adapter.verify(_request(service, request, body))
    except Forged:
        service.count(f"hook_forged.{adapter.channel}")
        raise web.HTTPUnauthorized(text="the signature is wrong") from None
    try:
        events = adapter.parse(body)
        await service.intake.accept(adapter.channel, adapter.account, events)
    except Malformed as error:
        service.count(f"hook_malformed.{adapter.channel}")
        raise web.HTTPBadRequest(text=str(error)) from None
    except Overloaded:
        service.count(f"hook_refused.{adapter.channel}")
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "2"}, text="busy, send it again") from None
    except Exception as error:
        if not is_outage(error):
            raise
        service.count(f"hook_refused.{adapter.channel}")
        log.error("the database did not take an event", channel=adapter.channel, error=type(error).__name__)
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}, text="busy, send it again") from None
    service.count(f"hook_accepted.{adapter.channel}", len(events))
    return _response(adapter.acknowledge())


def _found(request: web.Request) -> tuple[Service, Adapter[Any]]:
    service = request.app[SERVICE]
    adapter = service.adapter(request.match_info["channel"], request.match_info["account"])
    if adapter is None:
        raise web.HTTPNotFound(text="no such channel account")
    return service, adapter


def _request(service: Service, request: web.Request, body: bytes) -> Request:
    return Request(
        method=request.method,
        url=service.settings.address + request.raw_path,
        body=body,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=dict(request.query) if "?" in request.raw_path else {},
    )


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)
