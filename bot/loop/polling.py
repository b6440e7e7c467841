"""Platforms that are asked instead of calling: for people without a public address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import structlog

from bot.loop.intake import Intake, Overloaded
from channels.base import AnyEvent, ChannelError, Malformed, RetryAfter

log = structlog.get_logger()

PAUSE = 5.0
LOOK = 1.0


@runtime_checkable
class Polled(Protocol):
    """An adapter that can ask for events. `polls`: it is set to do so."""

    channel: str
    account: str

    @property
    def polls(self) -> bool: ...

    async def poll(self, offset: int | None) -> tuple[list[bytes], int | None]: ...

    def parse(self, body: bytes) -> list[AnyEvent]: ...


async def poll(adapter: Polled, intake: Intake, may: Callable[[], bool] = lambda: True) -> None:
    """Ask for events until cancelled. The platform is told that it may forget them only after they are committed.
    While another process asks, `may` says no."""
    offset: int | None = None
    while True:
        if not may():
            offset = None  # the other one goes on from where the platform is
            await asyncio.sleep(LOOK)
            continue
        try:
            bodies, following = await adapter.poll(offset)
            for body in bodies:
                try:
                    await intake.accept(adapter.channel, adapter.account, adapter.parse(body))
                except Malformed as error:
                    log.warning("a polled update cannot be read", channel=adapter.channel, why=str(error))
            offset = following
        except RetryAfter as error:
            await asyncio.sleep(error.seconds)
        except Overloaded:
            await asyncio.sleep(PAUSE)
        except ChannelError as error:
            log.error("polling failed; it is tried again", channel=adapter.channel, why=str(error))
            await asyncio.sleep(PAUSE)
        except Exception as error:
            log.error("polling failed; it is tried again", channel=adapter.channel, error=type(error).__name__)
            await asyncio.sleep(PAUSE)
