"""The desk's routes, gathered from its modules. `bot.desk.routes` is where they are complete."""

from __future__ import annotations

from aiohttp import web

routes = web.RouteTableDef()
