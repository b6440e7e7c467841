"""A circuit breaker: a server that fails again and again is left alone for a while, then tried with one call."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from bot.clock import Clock

FAILURES = 5
"""This many in a row, and the server is left alone."""

REST = timedelta(seconds=30)
"""For how long."""


@dataclass(slots=True)
class Breaker:
    """Closed: calls go through. Open: none does, until `rest` is over. Half-open: one call goes through, and decides.

    Ask `admits` before each call; after it say `succeeded`, `failed` or, if it was given up before its outcome was
    known, `abandoned`. For one event loop.
    """

    clock: Clock
    failures: int = FAILURES
    rest: timedelta = REST
    _in_a_row: int = 0
    _open_until: datetime | None = None
    _probing: bool = field(default=False)

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        if self._open_until is None:
            return "closed"
        return "open" if self.clock.now() < self._open_until else "half-open"

    def admits(self) -> bool:
        """Whether a call may be made now; in the half-open state the first to ask may, and becomes the probe."""
        match self.state:
            case "closed":
                return True
            case "half-open" if not self._probing:
                self._probing = True
                return True
        return False

    def succeeded(self) -> None:
        self._in_a_row = 0
        self._open_until = None
        self._probing = False

    def failed(self) -> bool:
        """True if this failure opened the breaker."""
        self._in_a_row += 1
        before = self.state
        if before == "open" or (before == "closed" and self._in_a_row < self.failures):
            return False  # open already: a call that began before has ended after
        self._open_until = self.clock.now() + self.rest
        self._probing = False
        return True

    def abandoned(self) -> None:
        self._probing = False
