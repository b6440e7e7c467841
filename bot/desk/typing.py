"""The customer is shown that an agent writes to them, where their channel can, for some seconds; nothing is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from aiohttp import web
from sqlalchemy import select

from bot.desk.guard import Problem, api
from bot.desk.request import id_of
from bot.desk.room import Room
from bot.desk.table import routes
from bot.staff.sessions import Member
from bot.web.limits import LIMITS, Rate
from bot.web.live import typing
from channels.base import ChannelError, RetryAfter
from storage.tables import addresses, conversations

log = structlog.get_logger()

A_CONVERSATION = Rate(burst=1, per_second=0.25)
"""However fast a page asks: what is shown lasts about five seconds."""

AN_ACCOUNT = Rate(burst=5, per_second=5)
"""Of what its platform lets us send, replies have the rest."""


@routes.post("/desk/api/conversations/{id}/typing")
@api
async def write(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`{"shown"}`: whether the customer sees it. Only who has the conversation is seen writing in it."""
    which, service, now = id_of(request, "id"), room.service, room.service.clock.now()
    talks = conversations.c
    statement = (
        select(talks.lane, talks.channel, talks.account, talks.thread, talks.owner, talks.agent_id)
        .add_columns(addresses.c.stopped_at, addresses.c.blocked_at)
        .join(addresses, addresses.c.id == talks.address_id)
        .where(talks.id == which)
    )
    row = await service.database.read(lambda connection: connection.execute(statement).first())
    if row is None:
        raise Problem(404, "no_conversation")
    adapter = service.adapter(row.channel, row.account)
    theirs = (row.owner, row.agent_id) == ("agent", member.id) and not (row.stopped_at or row.blocked_at)
    if not theirs or adapter is None or not adapter.capabilities.typing:
        return {"shown": False}
    account = f"{row.channel}:{row.account}"
    limits = request.app[LIMITS]
    if limits.take({("typing", row.lane): A_CONVERSATION, ("typing-on", account): AN_ACCOUNT}, now) > 0:
        return {"shown": False}
    if adapter.capabilities.own_files:  # our own chat: its open sockets are told, wherever they are
        service.router.changed([typing("agent", row.lane)])
        return {"shown": True}
    try:
        await adapter.show_typing(row.thread)
    except RetryAfter as held:
        # The platform asks for quiet: nothing of this kind until then.
        limits.hold(("typing-on", account), now + timedelta(seconds=min(held.seconds, 3_600)), AN_ACCOUNT)
        return {"shown": False}
    except ChannelError as error:
        log.debug("that somebody writes was not shown", channel=row.channel, error=type(error).__name__)
        return {"shown": False}
    return {"shown": True}
