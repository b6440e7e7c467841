"""What the customer's channel allows, for whoever writes: how long, and until when."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from bot.loop.reach import ENTERED
from bot.service import Service
from storage.tables import addresses, conversations


def of(connection: Connection, conversation: int, service: Service) -> dict[str, Any]:
    """`limit` of one message, in characters or `bytes`; more goes out in parts. `files`: bytes of the largest file that
    can be sent here, 0 where none can. `closes_at`: after it nothing may be written until the customer writes again,
    None where they may always be written to. `stopped`, `blocked`: they do not hear us at all. `gone`: the account is
    no longer set up. `entered`: nobody reads here."""
    row = connection.execute(
        select(conversations.c.channel, conversations.c.account, conversations.c.thread, addresses.c.heard_at)
        .add_columns(addresses.c.stopped_at, addresses.c.blocked_at)
        .join(addresses, addresses.c.id == conversations.c.address_id)
        .where(conversations.c.id == conversation)
    ).one()
    adapter = service.adapter(row.channel, row.account)
    if adapter is None:
        return {"limit": None, "gone": True, "files": 0}
    can, entered = adapter.capabilities, row.thread.startswith(ENTERED)
    return {
        "limit": can.text_limit,
        "bytes": can.limit_in_bytes,
        "files": 0 if entered else min(can.file_limit, service.settings.attachment_limit),
        "closes_at": row.heard_at + can.window if can.window and row.heard_at else None,
        "stopped": row.stopped_at is not None,
        "blocked": row.blocked_at is not None,
        "entered": entered,
    }
