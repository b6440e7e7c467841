"""Where a customer may be written to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, select

from bot.contacts.belongings import is_hollow
from bot.loop.events import chat_lane
from channels.base import Capabilities
from storage.records import Address
from storage.tables import addresses, cases, conversations

ENTERED = "api:"
"""How the addresses begin of what was said elsewhere and told to us: nobody reads there."""


def is_open(address: Address | None, can: Capabilities, now: datetime) -> bool:
    """Whether we may write there now."""
    if address is None or address.stopped_at is not None or address.blocked_at is not None:
        return False
    if address.address.startswith(ENTERED):
        return False
    if can.window is None:
        return address.heard_at is not None or can.starts_conversations
    return address.heard_at is not None and now < address.heard_at + can.window


def lane_for(
    connection: Connection, case_id: int, now: datetime, capabilities_of: Callable[[str, str], Capabilities | None]
) -> str | None:
    """The case's own conversation, or that of the next address that is open; its own, if there is none. None: there is
    no such case, or its customer was erased."""
    own = connection.execute(
        select(conversations.c.lane, conversations.c.address_id, cases.c.contact_id)
        .join(cases, cases.c.conversation_id == conversations.c.id)
        .where(cases.c.id == case_id)
    ).first()
    if own is None or is_hollow(own.lane.rpartition(":")[2]):
        return None
    found = Address.find(connection, addresses.c.contact_id == own.contact_id)
    found.sort(key=lambda each: each.id != own.address_id)
    lane = str(own.lane)
    for each in found:
        can, mine = capabilities_of(each.channel, each.account), each.id == own.address_id
        if can is None or not is_open(each, can, now) or each.address.startswith("author:"):
            continue
        if not (mine and "comment:" in lane):
            return lane if mine else chat_lane(each.channel, each.account, each.address)
    return lane
