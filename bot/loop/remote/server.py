"""One server that is asked over HTTP in JSON: time-out, bounded concurrency, circuit breaker, counters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

import orjson
import structlog

from bot.loop.remote.breaker import Breaker
from channels.base import Misconfigured, OutcomeUnknown, Unavailable
from channels.http import Http, HttpResponse

log = structlog.get_logger()

AT_ONCE = 8
"""Calls to one server at the same time; more of them wait, and may find the breaker open when their turn comes."""

ANSWER_LIMIT = 1_000_000
"""Bytes of an answer. What is longer is no answer to anything that we ask."""

T = TypeVar("T")


class Ask(Protocol):
    """One call of an attempt. Raises Failed."""

    async def __call__(self, method: str, path: str, body: Any, query: Mapping[str, str] | None = None) -> Any: ...


class Failed(Exception):
    """No use can be made of the server now. `reason` is a word for logs and metrics, never anybody's text."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(slots=True)
class Server:
    """`name` is what logs and metrics call it; `address` its base, without a slash at the end; `query` and `headers`
    bear what proves who we are. `timeout` is in seconds, for a whole call. `counts` has `remote_<outcome>.<name>`."""

    http: Http
    name: str
    address: str
    breaker: Breaker
    counts: dict[str, int]
    timeout: float
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    at_once: int = AT_ONCE
    _turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._turns = asyncio.Semaphore(self.at_once)

    async def call(
        self, method: str, path: str, body: Any, read: Callable[[Any], T], *, query: Mapping[str, str] | None = None
    ) -> T:
        """What `read` makes of the JSON that the server answers with; a ValueError of it means that the answer is
        none. Raises Failed, whatever went wrong. Nothing is ever sent twice."""

        async def work(ask: Ask) -> T:
            return read(await ask(method, path, body, query))

        return await self.attempt(work)

    async def attempt(self, work: Callable[[Ask], Awaitable[T]]) -> T:
        """What `work` makes of several calls, which succeed or fail as one: a server whose first call of three is
        always well is not well. Raises Failed."""
        async with self._turns:
            if not self.breaker.admits():
                self.note("resting")
                raise Failed("resting")
            reason = ""
            try:
                found = await work(self._answer)
            except Failed as failed:
                reason = failed.reason
            except Exception:  # whatever an answer of theirs trips over here, it is no answer
                reason = "garbage"
            except BaseException:
                self.breaker.abandoned()
                raise
            if not reason:
                self.breaker.succeeded()
                self.note("ok")
                return found
            self.note(reason.partition(" ")[0])
            log.warning("a server that we asked did not answer; what is local stands", server=self.name, why=reason)
            if self.breaker.failed():
                self.note("opened")
                log.error("a server fails again and again; it is left alone for a while", server=self.name)
            raise Failed(reason)

    async def _answer(self, method: str, path: str, body: Any, query: Mapping[str, str] | None = None) -> Any:
        asked = {**(query or {}), **self.query}
        url = f"{self.address}{path}{'?' + urlencode(asked) if asked else ''}"
        headers = {"Content-Type": "application/json", "Accept": "application/json", **self.headers}
        try:
            async with asyncio.timeout(self.timeout):
                response = await self.http.request(
                    method,
                    url,
                    headers=headers,
                    body=b"" if body is None else orjson.dumps(body, default=str),
                    timeout=self.timeout,
                    limit=ANSWER_LIMIT,
                )
        except Unavailable:
            raise Failed("unreachable") from None
        except (OutcomeUnknown, TimeoutError):
            raise Failed("no_answer") from None
        except Misconfigured:
            raise Failed("misconfigured") from None
        if not 200 <= response.status < 300:
            raise Failed(f"refused {response.status}")
        return _json(response)

    def note(self, outcome: str) -> None:
        """Count an outcome that only the caller can tell."""
        name = f"remote_{outcome}.{self.name}"
        self.counts[name] = self.counts.get(name, 0) + 1


def _json(response: HttpResponse) -> Any:
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError:
        raise Failed("garbage") from None


async def each_within(seconds: float, works: Sequence[Coroutine[Any, Any, T]], otherwise: Sequence[T]) -> list[T]:
    """What each of `works` gives; for one that is not done after so many seconds together, its `otherwise`."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        return [task.result() if task.done() else local for task, local in zip(tasks, otherwise, strict=True)]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
