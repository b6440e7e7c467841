"""The courier: takes posts that are due, sends them, notes what came of it. Any number of processes may have one.

A post is taken before it is sent and noted afterwards, so nothing is lost: whoever dies in between has sent it perhaps,
and another sends it again under the same key. A receiver that hangs holds up its own posts and no others.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy import Connection, func, select

from bot.clock import Clock
from bot.outgoing import posts
from bot.outgoing.posts import MAIL_DELAYS, WEBHOOK_DELAYS, Outcome, Post
from storage.database import Database
from storage.sets import among
from storage.tables import posts as table

log = structlog.get_logger()

TICK = 0.5
"""Seconds between two looks."""
TO_ONE = 4
"""Posts under way to one receiver at once."""
AT_ONCE = 32
FORGET_EVERY = timedelta(hours=1)
STOPS_WITHIN = 20.0


class Sends(Protocol):
    """A way out. Never raises but for a fault of ours."""

    async def send(self, post: Post) -> Outcome: ...


class Courier:
    """`ended` is called when it is closed. `counts`: what became of attempts, by (way, outcome)."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        webhooks: Sends,
        mail: Sends,
        ended: Callable[[], Awaitable[None]] | None = None,
        jitter: random.Random | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._webhooks = webhooks
        self._mail = mail
        self._jitter = jitter or random.Random()  # noqa: S311 - spreads retries, keeps no secret
        self._ended = ended
        self._under_way: dict[asyncio.Task[None], int | None] = {}
        self._forgot: datetime | None = None
        self.counts: Counter[tuple[str, str]] = Counter()

    async def run(self) -> None:
        """Send until cancelled; what is under way then is waited for a while."""
        try:
            while True:
                try:
                    await self.step()
                except Exception as error:
                    log.error("posts could not be taken; it is tried again", error=type(error).__name__)
                await asyncio.sleep(TICK)
        finally:
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=STOPS_WITHIN)
            for task in self._under_way:
                task.cancel()

    async def close(self) -> None:
        """Nothing more is sent."""
        if self._ended is not None:
            await self._ended()

    async def step(self) -> int:
        """Take what is due and there is room for, and begin to send it. The number taken."""
        now = self._clock.now()
        await self._forget(now)
        waiting = await self._database.read(lambda connection: posts.due(connection, now))
        room = self._room(waiting)
        if not room:
            return 0
        taken = await self._database.write(lambda connection: posts.claim(connection, room, now))
        for post in taken:
            task = asyncio.create_task(self._send(post), name=f"post-{post.id}")
            self._under_way[task] = post.webhook_id
            task.add_done_callback(lambda done: self._under_way.pop(done, None))
        return len(taken)

    async def settle(self) -> int:
        """Send everything that is due at the clock's present time. The number of attempts."""
        made = 0
        while (taken := await self.step()) or self._under_way:
            made += taken
            await asyncio.gather(*self._under_way)
        return made

    async def next_due(self) -> datetime | None:
        """When something is to be sent next."""
        statement = select(func.min(table.c.next_at)).where(among(table.c.state, "waiting"))
        return await self._database.read(lambda connection: connection.execute(statement).scalar())

    def _room(self, waiting: list[int | None]) -> Mapping[int | None, int]:
        """How many more may be under way to each, the emptiest first, so that no one takes every place."""
        busy = Counter(self._under_way.values())
        free = AT_ONCE - len(self._under_way)
        room: dict[int | None, int] = {}
        for receiver in sorted(waiting, key=lambda each: busy[each]):
            own = min(TO_ONE - busy[receiver], free)
            if own > 0:
                room[receiver] = own
                free -= own
        return room

    async def _send(self, post: Post) -> None:
        way, sends = ("mail", self._mail) if post.webhook_id is None else ("webhook", self._webhooks)
        try:
            outcome = await sends.send(post)
        except Exception as error:
            log.error("a post failed unexpectedly", post=post.id, error=type(error).__name__)
            outcome = Outcome(ok=False, reason=f"fault: {type(error).__name__}")
        delays = MAIL_DELAYS if post.webhook_id is None else WEBHOOK_DELAYS
        self.counts[way, "sent" if outcome.ok else "failed"] += 1
        if not outcome.ok:
            log.warning("a post did not arrive", post=post.id, way=way, attempt=post.attempts, status=outcome.status)
        now = self._clock.now()

        def work(connection: Connection) -> None:
            posts.record(connection, post, outcome, delays, self._jitter, now)

        try:
            await self._database.write(work)
        except Exception as error:  # it is taken for lost after a while, and sent again
            log.error("what came of a post could not be noted", post=post.id, error=type(error).__name__)

    async def _forget(self, now: datetime) -> None:
        if self._forgot is None or now - self._forgot >= FORGET_EVERY:
            gone = await self._database.write(lambda connection: posts.forget(connection, now))
            if gone < posts.FORGET:
                self._forgot = now
