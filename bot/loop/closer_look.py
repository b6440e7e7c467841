"""A closer look, while its lane waits, at words that nobody understood, and at questions whose words find no certain
answer: encoders often do.

Only such a lane waits, and not for long: the others of its batch are decided, applied and answered meanwhile. What was
seen is remembered, so that the lane, decided again, finds it; and so does whoever writes the same words later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import structlog

from bot.loop.turn import Later
from nlu.blending import Task
from nlu.retrieval import Entry, Hit
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

_Asked: TypeAlias = tuple[Literal["meaning", "answers"], str, Language | None]


class Closer(Protocol):
    """Understanding that takes its time: 3 to 60 ms a text, or seconds where it must be started first. Blocks; threads
    may share it; may raise anything. While it is not `ready` nothing is asked."""

    @property
    def ready(self) -> bool: ...
    def parse_many(
        self,
        texts: Sequence[str],
        *,
        languages: Sequence[Language | None] | None = None,
        needs: Collection[Task] = ...,
    ) -> list[Understanding]: ...
    def search_many(self, texts: Sequence[str]) -> list[list[Hit] | None]: ...
    def know(self, entries: Sequence[Entry]) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class CloserLook:
    """Asks `closer`, off the event loop. `patience` in seconds; None: as long as it takes, where no customer waits."""

    closer: Closer
    patience: float | None = PATIENCE
    _seen: dict[_Asked, Any] = field(default_factory=dict)
    _asked: dict[_Asked, asyncio.Future[None]] = field(default_factory=dict)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "closer-look"))
    _work: asyncio.Task[None] | None = None

    def at(self, fast: Understanding, language: Language | None) -> Understanding | Later:
        """What is now known of a text of which the fast heads know no intent: `fast` itself where nothing better is to
        be had in time; `Later` while it is being looked at. `language`: the hint that `fast` was found with."""
        later = self._later(("meaning", fast.text, language))
        found: Understanding | None = self._seen.get(("meaning", fast.text, language))
        return later or found or fast

    def answers(self, text: str) -> Later | None:
        """`Later` while entries of the knowledge base that answer `text` are being looked for; then see `found`."""
        return self._later(("answers", text, None))

    def found(self, text: str) -> Sequence[Hit] | None:
        """The entries that were found by meaning, as far as that was asked and answered in time."""
        hits: Sequence[Hit] | None = self._seen.get(("answers", text, None))
        return hits

    def know(self, entries: Sequence[Entry]) -> None:
        """These are the knowledge base from now on."""
        self.closer.know(entries)
        self.forget()

    def forget(self) -> None:
        """What was seen was seen by a model, or in a knowledge base, that has been replaced."""
        self._seen.clear()

    def _later(self, words: _Asked) -> Later | None:
        if words in self._seen or not self.closer.ready:
            return None
        ready = self._asked.get(words)
        if ready is None:
            if len(self._asked) >= WAITING:
                return None
            ready = self._ask(words)
        return Later([ready])

    def _ask(self, words: _Asked) -> asyncio.Future[None]:
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
            kind = next(iter(self._asked))[0]
            some = [words for words in self._asked if words[0] == kind][:AT_ONCE]
            found: Sequence[Any] = [None] * len(some)
            try:
                found = await loop.run_in_executor(self._thread, self._looked, kind, some)
            except Exception as error:
                log.error("the closer look failed; fast answers stand", error=type(error).__name__)
            for words, understood in zip(some, found, strict=True):
                self._settle(words, understood)

    def _looked(self, kind: str, some: Sequence[_Asked]) -> Sequence[Any]:
        texts = [text for _, text, _ in some]
        if kind == "answers":
            return self.closer.search_many(texts)
        return self.closer.parse_many(texts, languages=[language for *_, language in some], needs=_A_REPLY_NEEDS)

    def _settle(self, words: _Asked, understood: Any) -> None:
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
