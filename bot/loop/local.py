"""Understanding in this process: fast heads for every text, the slow cascade for the few that a reply cannot do
without."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from nlu.blending import Task
from nlu.model import FALLBACK, Model
from nlu.understanding import Language, Understanding

log = structlog.get_logger()

AT_ONCE = 32
"""Texts understood in one go; about as many as are cheapest."""
CLOSER_AT_ONCE = 8
"""Of those whose intent nobody knows, so many are looked at closer; the others are answered as they stand."""
PATIENCE = 0.4
"""Seconds that a batch of replies waits for the closer look at most."""

_A_REPLY_NEEDS: tuple[Task, ...] = ("intent",)


class Closer(Protocol):
    """Understanding that takes its time: 3 to 40 ms a text. Blocks; threads may share it."""

    def parse_many(
        self,
        texts: Sequence[str],
        *,
        languages: Sequence[Language | None] | None = None,
        needs: Collection[Task] = ...,
    ) -> list[Understanding]: ...


@dataclass(slots=True)
class LocalModel:
    """`closer` is asked, off the event loop, where the fast heads have no intent for a text. It is never waited for
    longer than `patience` seconds (None: as long as it takes, where no customer waits), nor asked while it is busy:
    then "not understood" stands, as it does without one."""

    model: Model
    closer: Closer | None = None
    patience: float | None = PATIENCE
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "closer-look"))
    _busy: bool = False

    async def parse_many(self, texts: Sequence[str], languages: Sequence[Language | None]) -> list[Understanding]:
        """Many at once cost little more than one. `languages`: what the platform says of each writer."""
        found: list[Understanding] = []
        for start in range(0, len(texts), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            found += self.model.parse_many(texts[part], languages=languages[part])
            await asyncio.sleep(0)  # others have their turn: webhooks are answered in the meantime
        if self.closer is not None and not self._busy:
            unsure = [place for place, each in enumerate(found) if each.intent.name == FALLBACK][:CLOSER_AT_ONCE]
            if unsure:
                better = await self._closer(self.closer, [texts[p] for p in unsure], [languages[p] for p in unsure])
                for place, each in zip(unsure, better, strict=False):
                    found[place] = each
        return found

    async def _closer(
        self, closer: Closer, texts: Sequence[str], languages: Sequence[Language | None]
    ) -> list[Understanding]:
        """What the closer look gives in time; nothing where it does not, or fails."""
        self._busy = True
        looking = asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: closer.parse_many(texts, languages=languages, needs=_A_REPLY_NEEDS)
        )
        looking.add_done_callback(self._looked)
        done, _ = await asyncio.wait([looking], timeout=self.patience)
        return looking.result() if done and looking.exception() is None else []

    def _looked(self, looking: asyncio.Future[list[Understanding]]) -> None:
        self._busy = False
        if not looking.cancelled() and (error := looking.exception()) is not None:
            log.error("the closer look failed; fast answers stand", error=type(error).__name__)
