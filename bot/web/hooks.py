"""Webhooks: verify, parse, commit, answer. Written once; adapters bring their differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import structlog
from aiohttp import web

from bot.loop.intake import Overloaded
from bot.service import SERVICE, Service
from channels.base import Adapter, Answer, Forged, Malformed, Request
from storage.database import is_outage

log = structlog.get_logger()

routes = web.RouteTableDef()


class Reply(NamedTuple):
    """What a platform is told, with headers of its own where it needs any."""

    answer: Answer
    headers: Mapping[str, str] = {}


NOBODY = Reply(Answer(status=404, body=b"no such channel account"))
_LATER = Answer(status=503, body=b"busy, send it again")


async def hear(service: Service, adapter: Adapter[Any], request: Request) -> Reply:
    """A call at the webhook of an account. A 2xx means that every event is committed."""
    try:
        adapter.verify(request)
    except Forged:
        service.count(f"hook_forged.{adapter.channel}")
        return Reply(Answer(status=401, body=b"the signature is wrong"))
    try:
        events = adapter.parse(request.body)
        await service.intake.accept(adapter.channel, adapter.account, events)
    except Malformed as error:
        service.count(f"hook_malformed.{adapter.channel}")
        return Reply(Answer(status=400, body=str(error).encode("utf-8", "replace")))
    except Overloaded:
        service.count(f"hook_refused.{adapter.channel}")
        return Reply(_LATER, {"Retry-After": "2"})
    except Exception as error:
        if not is_outage(error):
            raise
        service.count(f"hook_refused.{adapter.channel}")
        log.error("the database did not take an event", channel=adapter.channel, error=type(error).__name__)
        return Reply(_LATER, {"Retry-After": "5"})
    service.count(f"hook_accepted.{adapter.channel}", len(events))
    return Reply(adapter.acknowledge())


@routes.post("/hooks/{channel}/{account}")
async def call(request: web.Request) -> web.Response:
    """Where platforms call, as far as `front` does not answer them."""
    service, adapter = _found(request)
    if adapter is None:
        return _response(NOBODY)
    return _response(await hear(service, adapter, _request(service, request, await request.read())))


@routes.get("/hooks/{channel}/{account}", allow_head=False)
async def handshake(request: web.Request) -> web.Response:
    """How a platform makes sure, once, that the address is ours."""
    service, adapter = _found(request)
    if adapter is None:
        raise web.HTTPNotFound(text="no such channel account")
    try:
        return _response(Reply(adapter.handshake(_request(service, request, b""))))
    except Forged:
        service.count(f"hook_forged.{adapter.channel}")
        raise web.HTTPUnauthorized(text="the verify token is wrong") from None


def _found(request: web.Request) -> tuple[Service, Adapter[Any] | None]:
    service = request.app[SERVICE]
    return service, service.adapter(request.match_info["channel"], request.match_info["account"])


def _request(service: Service, request: web.Request, body: bytes) -> Request:
    return Request(
        method=request.method,
        url=service.settings.address + request.raw_path,
        body=body,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=dict(request.query),
    )


def _response(reply: Reply) -> web.Response:
    answer, headers = reply
    return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type, headers=headers)
