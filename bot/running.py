"""What a service does by itself while it runs: turns, deliveries, timers, sweeps, and its share beside the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import structlog

from bot.loop.following import Following
from bot.loop.polling import Polled, poll
from bot.service import Service
from channels.base import Adapter
from storage.tasks import ended

log = structlog.get_logger()

TICK = 0.5
"""Seconds between two looks at the timers."""

RELEASE = 15.0
"""Seconds between two looks for customers whom their agent leaves waiting."""

ASSIGN = 1.0
"""Seconds between two looks for whom to give those who wait."""

FILES = 1.0
"""Seconds between two looks for files that platforms keep for us."""

RELATIONSHIPS = 5.0
"""Seconds between two batches of customers who are decided on for a scheduled survey."""

CONTENT = 2.0
"""Seconds between two looks for what staff changed of the content in another process."""

CARE = 60.0
"""Seconds between two looks at who is valuable, who may be lost and what to write them."""

RETENTION = 60.0
"""Seconds between two looks for what was kept for long enough, and for months that are to be prepared."""

SWEEP = 5.0
"""Seconds between two sweeps for what was left behind."""


@contextlib.asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    """The loop at work: turns, delivery, timers, sweeps. At the end what is under way is finished, and what others can
    go on with is given to them."""
    work: dict[str, Coroutine[Any, Any, None]] = {}
    work["content"] = _again(CONTENT, service.follow)
    last: list[asyncio.Task[None]] = []
    if not service.shares.all:
        work |= _together(service)
    if service.role != "gateway":
        work |= {
            "turns": service.turns.run(),
            "sweep-inbox": _sweep_inbox(service),
            "sweep-outbox": _again(SWEEP, service.delivery.sweep),
            "timers": _again(TICK, service.timers.fire),
            "deadlines": _again(TICK, service.ticking.tick),
            **({"second-look": service.second_look.run()} if service.second_look.closer else {}),
            **({"relearning": service.relearning.run()} if service.relearning else {}),
            "release": _again(RELEASE, _in_one(service, "release", service.passing.release)),
            "files": _again(FILES, _in_one(service, "files", service.fetching.step)),
            "assign": _again(ASSIGN, _in_one(service, "assign", service.assigning.look)),
            "paging": _again(TICK, service.paging.page),
            "courier": service.courier.run(),
            "care": _again(CARE, _in_one(service, "care", service.caring.run_all)),
            "retention": _again(RETENTION, _in_one(service, "retention", service.retention.look)),
            "relationships": _again(RELATIONSHIPS, service.relationships.run_due),
        }
        for name, adapter in polled(service.adapters).items():
            work[name] = poll(adapter, service.intake, partial(service.shares.only_me, name))
        last.append(asyncio.create_task(service.delivery.run(), name="delivery"))
    tasks = [asyncio.create_task(each, name=name) for name, each in work.items()]
    service.works = frozenset(work) | {task.get_name() for task in last}
    try:
        yield
    finally:
        await ended(tasks)
        service.delivery.stop()  # last: what turns said until now is still sent
        await asyncio.gather(*last, return_exceptions=True)


def _together(service: Service) -> dict[str, Coroutine[Any, Any, None]]:
    """What a process does to share its work with others."""
    stream, shares = service.router.stream, service.shares
    following = Following(
        service.database,
        service.turns,
        service.delivery,
        service.live.changed,
        lambda: stream is not None and stream.well,
        works=service.role != "gateway",
        faces=service.role != "worker",
    )

    def moved() -> None:
        service.lanes.keep(shares.mine)
        following.at_once()

    shares.moved = moved
    work = {"shares": shares.run(), "following": following.run()}
    if stream is not None:
        stream.came_back = following.at_once
        work["stream"] = stream.run()
    return work


def polling(channel: str, account: str) -> str:
    """What asking this account's platform is called among leases and tasks."""
    return f"poll:{channel}:{account}"


def polled(adapters: Mapping[tuple[str, str], Adapter[Any]]) -> dict[str, Polled]:
    """The accounts that are asked instead of calling, by what asking them is called."""
    return {polling(*key): each for key, each in adapters.items() if isinstance(each, Polled) and each.polls}


async def _sweep_inbox(service: Service) -> None:
    """On SQLite nobody else can be working on what is found at the start: it is taken up at once."""
    if service.database.url.startswith("sqlite"):
        with contextlib.suppress(Exception):  # the next sweep finds the same
            await service.turns.sweep(None)
    await _again(SWEEP, service.turns.sweep)


def _named(work: Callable[[], Any]) -> str:
    return getattr(work.func if isinstance(work, partial) else work, "__qualname__", "")


async def _again(seconds: float, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Do `work` now and every so many seconds. An outage of the database passes; it is logged and outlived."""
    while True:
        try:
            await work()
        except Exception as error:
            log.error("background work failed; it is tried again", work=_named(work), error=type(error).__name__)
        await asyncio.sleep(seconds)


def _in_one(
    service: Service, name: str, work: Callable[[], Coroutine[Any, Any, Any]]
) -> Callable[[], Coroutine[Any, Any, None]]:
    """`work`, where it is this process that does what is called `name`."""

    async def do() -> None:
        if service.shares.only_me(name):
            await work()

    return do
