"""All of /api/v1 as routes: the operations of each resource, what they say of themselves, and refusals for the rest."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import hdrs, web

from bot.api import (
    call_backs,
    case_lists,
    case_views,
    cases,
    casework,
    contacts,
    conversations,
    episodes,
    feedback,
    improvements,
    insights,
    knowledge,
    openapi,
    remedies,
    surveys,
    webhooks,
)
from bot.api.operation import Operation
from bot.api.problems import METHOD_NOT_ALLOWED, NOT_FOUND, Problem
from bot.service import SERVICE
from bot.web.server import Handler

__all__ = ["OPERATIONS", "PREFIX", "routes"]

PREFIX = "/api/v1"
OPERATIONS: tuple[Operation, ...] = tuple(
    operation
    for resource in (
        episodes,
        feedback,
        surveys,
        cases,
        casework,
        case_lists,
        call_backs,
        remedies,
        improvements,
        case_views,
        contacts,
        conversations,
        knowledge,
        insights,
        webhooks,
    )
    for operation in resource.operations.all
)


def _table(operations: Sequence[Operation]) -> web.RouteTableDef:
    table = web.RouteTableDef()
    paths = list(dict.fromkeys(operation.path for operation in operations))
    for path in paths:  # each path's methods side by side, then what it does not know
        here = [operation for operation in operations if operation.path == path]
        for operation in here:
            table.route(operation.method, PREFIX + path)(operation.serve)
        table.route(hdrs.METH_ANY, PREFIX + path)(_only(*(operation.method for operation in here)))
    table.route(hdrs.METH_GET, f"{PREFIX}/openapi.json")(_describe)
    table.route(hdrs.METH_ANY, f"{PREFIX}/openapi.json")(_only(hdrs.METH_GET))
    for path in (PREFIX, PREFIX + "/{rest:.*}"):
        table.route(hdrs.METH_ANY, path)(_nothing)
    return table


def _only(*methods: str) -> Handler:
    async def refuse(request: web.Request) -> web.Response:
        allowed = ", ".join(methods)
        return Problem(METHOD_NOT_ALLOWED, f"Here is only {allowed}.", headers={"Allow": allowed}).response()

    return refuse


async def _describe(request: web.Request) -> web.Response:
    return web.json_response(openapi.document(OPERATIONS, request.app[SERVICE].settings.address))


async def _nothing(request: web.Request) -> web.Response:
    return Problem(NOT_FOUND, f"There is nothing here. What there is stands at {PREFIX}/openapi.json.").response()


routes = _table(OPERATIONS)
