"""What `earful nlu train` made is taken up while the service runs; and heads that nobody trained yet are trained behind
it, by a process that stands back."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from bot.loop.closer_look import CloserLook
from bot.loop.local import LocalModel
from nlu import corrections, model
from nlu.model import Model
from nlu.rasa_data import TrainingData

log = structlog.get_logger()

EVERY = 5.0
"""Seconds between two looks."""


class Behind(Protocol):
    """The slow understanding, as far as training concerns it."""

    @property
    def ready(self) -> bool: ...
    def become(self, data: TrainingData) -> None: ...


@dataclass(slots=True)
class Relearning:
    """Gives `local` another model as soon as a training is done, and has `closer` answer by what belongs to it. `data`
    is what `local` was trained for, `read` what a training would take now; trained models are in `models`."""

    local: LocalModel
    data: TrainingData
    read: Callable[[], TrainingData]
    models: Path
    closer: Behind | None = None
    look_of: CloserLook | None = None
    _trained: int | None = field(init=False)

    def __post_init__(self) -> None:
        self._trained = self._when()

    async def run(self) -> None:
        """Look until cancelled."""
        behind = asyncio.create_task(self._train_behind())
        try:
            while True:
                await asyncio.sleep(EVERY)
                try:
                    await self.look()
                except Exception as error:
                    log.error("what was trained could not be taken up", error=type(error).__name__)
        finally:
            behind.cancel()
            await asyncio.gather(behind, return_exceptions=True)

    async def look(self) -> bool:
        """Take up what was trained since the last look; whether there was anything that could be."""
        trained = self._when()
        if trained == self._trained:
            return False
        self._trained = trained
        try:
            found = await asyncio.to_thread(self._trained_now)
        except ValueError as error:
            log.warning("examples changed, and cannot be used: the model stays as it is", error=str(error))
            return False
        if found is None:
            return False
        self.data, self.local.model = found
        log.info("another model understands from now on", corrections=len(self.data.corrections))
        await self._become()
        return True

    def _trained_now(self) -> tuple[TrainingData, Model] | None:
        data = self.read()
        if set(data.intents) != set(self.data.intents):
            log.warning("examples have other intents than the assistant that runs: restart it to use them")
            return None
        kept = model.kept(data, self.models)
        return None if kept is None else (data, kept)

    async def _train_behind(self) -> None:
        """Train the encoders' heads for what has none yet."""
        if self.closer is None or self.closer.ready:
            return
        log.info("the encoders' heads are trained in the background; until then the fast ones understand")
        command = [sys.executable, "-m", "nlu.behind"]
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
        try:
            await process.communicate(model.packed(self.data, self.models))
            if process.returncode:
                log.error("the encoders' heads could not be trained: run `earful nlu train` to see why")
            await self._become()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _become(self) -> None:
        if self.closer is not None:
            await asyncio.to_thread(self.closer.become, self.data)
        if self.look_of is not None:
            self.look_of.forget()

    def _when(self) -> int | None:
        try:
            return (self.models / corrections.FILE).stat().st_mtime_ns
        except OSError:
            return None
