"""The adapters there are: one line each. Their modules are imported when an account first needs them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from channels.base import Adapter

ADAPTERS: Mapping[str, str] = {
    "meta": "channels.meta.adapter:MetaAdapter",
    "telegram": "channels.telegram.adapter:TelegramAdapter",
    "twilio": "channels.twilio.adapter:TwilioAdapter",
    "web": "channels.web.adapter:WebAdapter",
}


def adapter_class(channel: str) -> type[Adapter[Any]]:
    """The adapter for `[channels.<channel>.<account>]`. Raises ValueError, naming those there are, if it is none."""
    place = ADAPTERS.get(channel)
    if place is None:
        raise ValueError(f"there is no channel {channel!r}; there are {', '.join(sorted(ADAPTERS))}")
    module, _, name = place.partition(":")
    found: type[Adapter[Any]] = getattr(import_module(module), name)
    return found
