"""A closer look, while its lane waits, at words that nobody understood: encoders often do.

Only such a lane waits, and not for long: the others of its batch are decided, applied and answered meanwhile. What was
seen is remembered, so that the lane, decided again, finds it; and so does whoever writes the same words later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import structlog

from bot.loop.turn import Later
from nlu.blending import Task
from nlu.understanding import Language, Understanding

log = structlog.get_logger()

PATIENCE = 0.4
"""Seconds that a reply waits for a closer look at most."""
AT_ONCE = 4
"""Texts looked at in one go."""
WAITING = 32
"""Texts that may wait; what comes beyond them is answered as it stands."""
REMEMBERED = 1_000
"""Texts whose closer look is remembered."""
_A_REPLY_NEEDS: tuple[Task, ...] = ("intent",)

_Words: TypeAlias = tuple[str, Language | None]


class Closer(Protocol):
    """Understanding that takes its time: 3 to 60 ms a text, or seconds where it must be started first. Blocks; threads
    may share it; may raise anything."""

    def parse_many(
        self,
        texts: Sequence[str],
        *,
        languages: Sequence[Language | None] | None = None,
        needs: Collection[Task] = ...,
    ) -> list[Understanding]: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class CloserLook:
    """Asks `closer`, off the event loop. `patience` in seconds; None: as long as it takes, where no customer waits."""

    closer: Closer
    patience: float | None = PATIENCE
    _seen: dict[_Words, Understanding | None] = field(default_factory=dict)
    _asked: dict[_Words, asyncio.Future[None]] = field(default_factory=dict)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "closer-look"))
    _work: asyncio.Task[None] | None = None

    def at(self, fast: Understanding, language: Language | None) -> Understanding | Later:
        """What is now known of a text of which the fast heads know no intent: `fast` itself where nothing better is to
        be had in time; `Later` while it is being looked at. `language`: the hint that `fast` was found with."""
        words = (fast.text, language)
        if words in self._seen:
            return self._seen[words] or fast
        ready = self._asked.get(words)
        if ready is None:
            if len(self._asked) >= WAITING:
                return fast
            ready = self._ask(words)
        return Later([ready])

    def _ask(self, words: _Words) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        ready = self._asked[words] = loop.create_future()
        if self.patience is not None:
            loop.call_later(self.patience, self._settle, words, None)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._look())
        return ready

    async def _look(self) -> None:
        """Look at what waits until nothing does."""
        loop = asyncio.get_running_loop()
        while self._asked:
            some = list(self._asked)[:AT_ONCE]
            texts, languages = [text for text, _ in some], [language for _, language in some]
            found: Sequence[Understanding | None] = [None] * len(some)
            try:
                found = await loop.run_in_executor(
                    self._thread,
                    lambda: self.closer.parse_many(texts, languages=languages, needs=_A_REPLY_NEEDS),  # noqa: B023 - awaited
                )
            except Exception as error:
                log.error("the closer look failed; fast answers stand", error=type(error).__name__)
            for words, understood in zip(some, found, strict=True):
                self._settle(words, understood)

    def _settle(self, words: _Words, understood: Understanding | None) -> None:
        """What is known from now on; None: the fast answer stands, for want of time or of an encoder."""
        ready = self._asked.pop(words, None)
        if understood is None and ready is None:
            return  # patience that ended after the answer came
        self._seen.pop(words, None)
        self._seen[words] = understood
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        if ready is not None:
            ready.set_result(None)
