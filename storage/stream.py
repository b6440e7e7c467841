"""The wake-up stream: hints between processes over Redis. Nothing in it is ever needed.

Wake-ups go to a stream for each part of the lanes, read through one consumer group, so that whoever takes over a part
reads on where the last one stopped; news for open desks and chats goes to everybody by pub/sub. Everything that a hint
speaks of stands in the database, where it is looked for while Redis does not answer, and after it came back empty.
Entries are therefore not acknowledged one by one, and a full queue drops the oldest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from storage.tasks import ended

log = structlog.get_logger()

ENTRIES = 2_000
"""Entries kept in a part's stream; each may name many lanes."""
WAITING = 20_000
"""Hints that wait to be sent; more than that, and the receivers find the rest for themselves."""
BLOCK = 1.0
PATIENCE = 2.0
"""Seconds that Redis may take to answer."""
PAUSE = 0.5
_GROUP = "turns"
_FAILURES = (RedisError, OSError, TimeoutError, ValueError)

Hint = tuple[str, ...]
"""What is handed on; what it means is the receiver's matter."""


def client(url: str) -> Redis:
    """A client that does not try again by itself, nor wait for long: its callers know what to do instead."""
    return Redis.from_url(
        url,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=BLOCK + PATIENCE,
        socket_connect_timeout=PATIENCE,
        health_check_interval=0,
        client_name="earful",
    )


class Stream:
    """`space` keeps the installations apart that share a Redis; `me` is this process. `woken` hears the hints of the
    parts that `parts` names, `told` hears all news, or nobody if None."""

    def __init__(
        self,
        redis: Redis,
        space: str,
        me: str,
        parts: Callable[[], Collection[int]],
        woken: Callable[[Iterable[Hint]], None],
        told: Callable[[Iterable[str]], None] | None,
    ) -> None:
        self._redis = redis
        self._space = f"earful:{space}"
        self._me = me
        self._parts = parts
        self._woken = woken
        self._told = told
        self._hints: dict[tuple[int, Hint], None] = {}
        self._news: dict[str, None] = {}
        self._some = asyncio.Event()
        self._working: dict[str, bool] = {}
        self.lost = 0
        self.came_back: Callable[[], None] = lambda: None

    @property
    def well(self) -> bool:
        """Whether Redis answered all that it was asked lately."""
        return bool(self._working) and all(self._working.values())

    def wake(self, part: int, hint: Hint) -> None:
        """Hand a hint to whoever has this part. Never waits."""
        if len(self._hints) < WAITING:
            self._hints[part, hint] = None
            self._some.set()
        else:
            self.lost += 1

    def tell(self, news: Iterable[str]) -> None:
        """Tell every process. Never waits."""
        if len(self._news) < WAITING:
            self._news.update(dict.fromkeys(news))
            self._some.set()

    async def run(self) -> None:
        """Send and receive until cancelled. An outage passes."""
        work = {"sends": self._send_on, "wakes": self._read_on}
        if self._told is not None:
            work["news"] = partial(self._listen_on, self._told)
        tasks = [asyncio.create_task(self._kept(name, each), name=f"stream-{name}") for name, each in work.items()]
        try:
            await asyncio.gather(*tasks)
        finally:
            await ended(tasks, PAUSE)

    async def close(self) -> None:
        """What still waits is sent if Redis takes it at once; then the connections are closed."""
        with contextlib.suppress(*_FAILURES):
            async with asyncio.timeout(PATIENCE):
                await self._send()
        with contextlib.suppress(*_FAILURES):
            await self._redis.aclose()

    async def _kept(self, name: str, work: Callable[[Callable[[], None]], Any]) -> None:
        """Do `work` again and again; it says when it is well."""
        self._working[name] = False

        def well() -> None:
            if not self._working[name]:
                self._working[name] = True
                self.came_back()

        while True:
            try:
                await work(well)
            except _FAILURES as error:
                if self._working[name]:
                    log.warning("Redis does not answer; the database is asked instead", error=type(error).__name__)
                self._working[name] = False
                await asyncio.sleep(PAUSE)

    # ---- sending ----

    async def _send_on(self, well: Callable[[], None]) -> None:
        # What was not sent while Redis was gone is old: whoever needed it has found it.
        self._hints.clear()
        self._news.clear()
        await self._redis.ping()
        well()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BLOCK):
                    await self._some.wait()
            if not self._some.is_set():
                await self._redis.ping()
            await self._send()
            well()

    async def _send(self) -> None:
        self._some.clear()
        hints, self._hints = self._hints, {}
        news, self._news = self._news, {}
        if not hints and not news:
            return
        by_part: dict[int, list[Hint]] = {}
        for part, hint in hints:
            by_part.setdefault(part, []).append(hint)
        async with self._redis.pipeline(transaction=False) as pipe:
            for part, each in by_part.items():
                pipe.xadd(self._key(part), {"hints": orjson.dumps(each)}, maxlen=ENTRIES, approximate=True)
            if news:
                pipe.publish(self._channel, orjson.dumps([self._me, *news]))
            await pipe.execute()

    # ---- receiving ----

    async def _read_on(self, well: Callable[[], None]) -> None:
        await self._redis.ping()
        well()
        joined: set[int] = set()
        while True:
            parts = sorted(self._parts())
            if not parts:
                await self._redis.ping()
                await asyncio.sleep(BLOCK / 2)
                continue
            try:
                await self._join(set(parts) - joined)
                joined.update(parts)
                streams: Any = {self._key(part): ">" for part in parts}
                found = await self._redis.xreadgroup(
                    _GROUP, self._me, streams, count=100, block=int(BLOCK * 1000), noack=True
                )
            except ResponseError as error:
                if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
                    raise
                joined.clear()  # Redis was emptied: what stood there is in the database
                self.came_back()
                continue
            well()
            self._woken(_hints(found))

    async def _join(self, parts: set[int]) -> None:
        for part in sorted(parts):
            try:
                await self._redis.xgroup_create(self._key(part), _GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    async def _listen_on(self, told: Callable[[Iterable[str]], None], well: Callable[[], None]) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(self._channel)
            asked = False
            while True:
                message = await pubsub.get_message(timeout=BLOCK)
                if message is None:
                    if asked:
                        raise TimeoutError  # a whole turn without an answer to our ping
                    asked = True
                    await pubsub.ping()
                    continue
                asked = False
                well()
                if message["type"] == "message":
                    sender, *news = _texts(message["data"])
                    if sender != self._me:
                        told(news)

    def _key(self, part: int) -> str:
        return f"{self._space}:lanes:{part}"

    @property
    def _channel(self) -> str:
        return f"{self._space}:news"


def _hints(found: Any) -> list[Hint]:
    """The hints of XREADGROUP's answer; what nobody of ours wrote is passed over."""
    entries: Sequence[Any] = found or ()
    hints: dict[Hint, None] = {}
    for _, each in entries:
        for _, fields in each:
            with contextlib.suppress(ValueError, TypeError):
                for hint in orjson.loads(fields.get(b"hints", b"[]")):
                    hints[tuple(map(str, hint))] = None
    return list(hints)


def _texts(data: bytes) -> list[str]:
    try:
        return [str(each) for each in orjson.loads(data)] or [""]
    except (ValueError, TypeError):
        return [""]
