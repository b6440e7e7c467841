"""SQLite is for one process."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


class AlreadyRunning(Exception):
    """Another Earful works on this SQLite file."""


@contextlib.contextmanager
def alone_on(data_dir: Path) -> Iterator[None]:
    """SQLite is for one process: a second start on the same data says so instead of sending twice."""
    path = data_dir / "running.lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(
                f"another Earful is running on {data_dir}. Stop it first, or set EARFUL_DATA_DIR to another directory"
            ) from None
        yield
