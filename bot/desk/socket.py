"""The one socket of an open desk. It says which conversations changed, never what was said: the page reads that."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from bot.desk.guard import Problem, admitted, member_of, same_origin
from bot.desk.pages import own
from bot.desk.room import Room, room
from bot.desk.table import routes
from bot.desk.version import version
from bot.desk.words import language_of, said
from bot.web.server import CLOSING

TICK = 20.0
"""Seconds between two signs of life. With each the session is looked at again."""

HEARTBEAT = 30.0
"""Seconds between two pings: whoever does not answer is gone."""

SIGNED_OUT = 4401
"""Close code: the session has ended, sign in again. (4000 to 4999 are an application's own.)"""


@routes.get("/desk/ws")
async def watch(request: web.Request) -> web.StreamResponse:
    """Tells `{"type": "hello", "version"}`, `{"type": "tick", "me"}`, `{"type": "changed", "conversations", "all"}`,
    and `{"type": "typing", "conversation"}` of a customer of theirs who writes."""
    try:
        if not same_origin(request):
            raise Problem(403, "origin")
        member = await admitted(request)
    except Problem as problem:
        return web.Response(status=problem.status, text=said(f"error.{problem.code}", language_of(request)))
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=4_096)
    await socket.prepare(request)
    here = room(request)
    tasks = [
        asyncio.create_task(_tell(request, here, socket, member.id), name="desk-socket"),
        asyncio.create_task(_closing(request, socket), name="desk-closing"),
    ]
    try:
        async for message in socket:  # the page says nothing; reading is how its end is noticed
            if message.type is WSMsgType.ERROR:
                break
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return socket


async def _closing(request: web.Request, socket: web.WebSocketResponse) -> None:
    await request.app[CLOSING].wait()
    await socket.close(code=WSCloseCode.GOING_AWAY)


async def _tell(request: web.Request, here: Room, socket: web.WebSocketResponse, member: int) -> None:
    clock = asyncio.get_running_loop().time
    with contextlib.suppress(ConnectionError):
        async with here.board.seat(member) as seat:
            await _send(socket, {"type": "hello", "version": version()})
            looked = clock()
            while not socket.closed:
                news = await seat.news(max(0.0, looked + TICK - clock()))
                if news is not None:
                    changed, missed = news
                    if changed or missed:
                        await _send(socket, {"type": "changed", "conversations": changed, "all": missed})
                    for conversation in seat.typing():
                        await _send(socket, {"type": "typing", "conversation": conversation})
                if clock() < looked + TICK:
                    continue
                looked = clock()
                still = await member_of(request, renew=False)
                if still is None or still.must_change:
                    await socket.close(code=SIGNED_OUT)
                    return
                # Whoever was given another name, or another role, sees it without loading the page anew.
                await _send(socket, {"type": "tick", "me": own(still)})


async def _send(socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
    await socket.send_str(orjson.dumps(message).decode())
