"""Where a customer may be written to."""

from __future__ import annotations

from datetime import datetime

from channels.base import Capabilities
from storage.records import Address

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
