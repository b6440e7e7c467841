"""Training of the stages behind a model in a process of its own: `python -m nlu.behind`, with what `model.packed` made
on standard input. It stands back from everything else, and two at a time do the work once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nlu import model, stages

NICE = 19


def main() -> int:
    data, models = model.unpacked(sys.stdin.buffer.read())
    os.nice(NICE)
    with _alone(models):
        if not stages.kept(data, models):
            stages.train(model.load_or_train(data, models), data, models)
    return 0


@contextmanager
def _alone(models: Path) -> Iterator[None]:
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ImportError:
        yield
        return
    models.mkdir(parents=True, exist_ok=True)
    with (models / ".training").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
