"""An address as the selection of surveys looks at it."""

from __future__ import annotations

from bot.surveys.selection import Reach
from channels.base import Capabilities
from storage.records import Address


def reach_of(address: Address, capabilities: Capabilities | None) -> Reach:
    """An address as the selection looks at it; `capabilities` are None where its account is gone."""
    return Reach(
        address_id=address.id,
        channel=address.channel,
        stopped=address.stopped_at is not None,
        blocked=address.blocked_at is not None,
        heard_at=address.heard_at,
        window=capabilities.window if capabilities else None,
        starts_conversations=bool(capabilities and capabilities.starts_conversations),
    )
