"""Channels in memory, each with the capabilities of the real one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from channels.base import (
    AccountSettings,
    Adapter,
    AnyEvent,
    Blocked,
    Button,
    ChannelError,
    Misconfigured,
    OutcomeUnknown,
    Outgoing,
    Rejected,
    Request,
    RetryAfter,
    Sent,
    Unavailable,
    option_numbers,
)
from channels.registry import ADAPTERS, adapter_class

FAULTS: dict[str, Callable[[], ChannelError]] = {
    "unavailable": lambda: Unavailable("the platform is down"),
    "lost": lambda: OutcomeUnknown("no answer came"),
    "blocked": lambda: Blocked("they blocked us"),
    "rejected": lambda: Rejected("it will not be taken"),
    "slow_down": lambda: RetryAfter("too fast", 5.0),
    "misconfigured": lambda: Misconfigured("the token is wrong"),
}


class MemoryChannel(Adapter[AccountSettings]):
    """Keeps what is sent; `faults` are raised by the next sends, one each."""

    channel = "memory"
    Settings = AccountSettings

    def __init__(self, channel: str) -> None:
        self.channel = channel  # type: ignore[misc] # an instance for each channel there is
        self.account = "main" if channel != "web" else "default"
        self.capabilities = adapter_class(channel).capabilities  # type: ignore[misc] # those of the real one
        self.sent: list[Outgoing] = []
        self.faults: list[ChannelError] = []

    def verify(self, request: Request) -> None:
        return None

    def parse(self, body: bytes) -> list[AnyEvent]:
        return []

    async def send(self, outgoing: Outgoing) -> Sent:
        if self.faults:
            raise self.faults.pop(0)
        self.sent.append(outgoing)
        return Sent(f"{self.channel}-{len(self.sent)}")

    def button(self, address: str, title: str) -> tuple[Button, str, int] | None:
        """The newest button at an address whose title holds these words, the id of its message, and the number that
        is typed for it where there are no buttons."""
        for place in range(len(self.sent) - 1, -1, -1):
            outgoing = self.sent[place]
            if outgoing.address != address:
                continue
            for button, number in zip(outgoing.buttons, option_numbers(outgoing.buttons), strict=True):
                if title in button.title:
                    return button, f"{self.channel}-{place + 1}", number
        return None


def all_channels() -> dict[tuple[str, str], Adapter[Any]]:
    made = [MemoryChannel(channel) for channel in ADAPTERS]
    return {(each.channel, each.account): each for each in made}
