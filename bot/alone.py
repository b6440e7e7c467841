"""SQLite is for one process."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


class AlreadyRunning(Exception):
    """Another Earful works on this SQLite file."""


@contextlib.contextmanager
def alone_on(database: Path) -> Iterator[None]:
    """SQLite is for one process: a second start on the same file says so instead of sending twice, whatever its data
    directory. Raises AlreadyRunning."""
    with database.with_name(f"{database.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(
                f"another Earful is running on {database}. Stop it first, or set EARFUL_DATA_DIR to another directory"
            ) from None
        yield
