"""The second, slower look in a process of its own, so that encoders take nothing from the one that answers.

    refiner = Apart(data, Path("data/models"))
    refiner.parse_many(["跑了三趟才给我办"])    # starts the process, about three seconds; later 3 to 60 ms a text
    refiner.close()

The process stands back where the processor is needed, holds the encoders' memory (about 300 MiB), and ends with ours,
however that ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any

from nlu import model, stages
from nlu.apart_knowledge import Knowledge
from nlu.blending import TASKS, Task
from nlu.rasa_data import TrainingData
from nlu.retrieval import Entry, Hit
from nlu.understanding import Language, Understanding

AT_ONCE = 4
"""Texts in one question: somebody else's reply waits for no more than these."""
PATIENCE = 30.0
"""Seconds for an answer, the start included; after that the process is taken for hung, and ended."""
NICE = 10
"""How far it stands back (of 1 to 19) from those that answer customers."""


class Apart:
    """As `Refiner`, of a model that was trained for `data` and is kept in `models`; while there is none it is not
    `ready`. Blocks; threads may share it, and take turns. A process that died is started again at the next question."""

    def __init__(self, data: TrainingData, models: Path) -> None:
        self._data = data
        self._models = models
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None
        self._entries: tuple[Entry, ...] = ()
        self._told = True
        self.ready = stages.kept(data, models)

    def become(self, data: TrainingData) -> None:
        """Answer by what was trained for `data` from the next question on; by what there is, until that was trained.
        Blocks while a question is answered."""
        if not stages.kept(data, self._models):
            return
        with self._lock:
            self._data = data
            self._end()
            self.ready = True

    def warm(self) -> None:
        """Start the process and wait until it is ready. Raises as `parse_many`."""
        with self._lock:
            self._ask("parse", [], [], TASKS)

    def parse_many(
        self,
        texts: Sequence[str],
        *,
        languages: Sequence[Language | None] | None = None,
        needs: Collection[Task] = TASKS,
    ) -> list[Understanding]:
        """As `Refiner.parse_many`. Raises TimeoutError where the process hangs, EOFError or OSError where it died."""
        hints = languages or [None] * len(texts)
        found: list[Understanding] = []
        for start in range(0, len(texts), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            with self._lock:
                found += self._ask("parse", list(texts[part]), list(hints[part]), tuple(needs))
        return found

    def know(self, entries: Sequence[Entry]) -> None:
        """These are searched from now on, as soon as the process has read them: it does so while nobody asks."""
        self._entries, self._told = tuple(entries), False

    def search_many(self, texts: Sequence[str]) -> list[list[Hit] | None]:
        """As `Hybrid.search_many`; None for each text while the entries are not read. Raises as `parse_many`."""
        found: list[list[Hit] | None] = []
        for start in range(0, len(texts), AT_ONCE):
            with self._lock:
                found += self._ask("search", list(texts[start : start + AT_ONCE]))
        return found

    def close(self) -> None:
        """End the process, whatever it is doing; a later question starts another."""
        if (process := self._process) is not None:
            process.kill()
        with self._lock:
            self._end()

    def _ask(self, *question: Any) -> list[Any]:
        try:
            line = self._line or self._start()
            if not self._told:
                self._told = True
                line.send(("know", self._entries))
            line.send(question)
            if not line.poll(PATIENCE):
                raise TimeoutError(f"no second look within {PATIENCE:g} s")
            found: list[Any] = line.recv()
        except (OSError, EOFError):  # a TimeoutError is an OSError
            self._end()
            raise
        return found

    def _start(self) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:  # the process alone holds its end: it hears when ours is gone, and we when its own is
            command = [sys.executable, "-m", "nlu.apart", str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)  # noqa: S603
        self._line = Connection(ours.detach())
        self._line.send((self._data, self._models))
        self._told = not self._entries
        return self._line

    def _end(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._line = self._process = None


def answer(line: Connection) -> None:
    """The process: answers until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everybody: this one ends with the one who asks
    with contextlib.suppress(EOFError, OSError):
        data, models = line.recv()
        refiner = stages.load(model.load_or_train(data, models), data, models)
        if refiner is None:
            return
        refiner.warm()
        os.nice(NICE)  # only now: the first who asks waits for it
        knowledge = Knowledge([stage.encoder for stage in refiner.stages], models / "knowledge")
        while True:
            if not line.poll(0) and knowledge.read_on():
                continue
            kind, given, *more = line.recv()
            if kind == "know":
                knowledge.know(given)
            elif kind == "search":
                line.send(knowledge.search_many(given))
            else:
                languages, needs = more
                line.send(refiner.parse_many(given, languages=languages, needs=needs))


if __name__ == "__main__":
    answer(Connection(int(sys.argv[1])))
