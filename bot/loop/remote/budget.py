"""What may be spent a day: requests and characters, counted in this process since midnight UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date

from bot.clock import Clock


@dataclass(slots=True)
class Budget:
    """`requests` and `characters` (sent and received) a day; 0 of either allows nothing. For one event loop."""

    clock: Clock
    requests: int
    characters: int
    _day: date = field(default=date.min)
    _asked: int = 0
    _spent: int = 0

    def take(self, characters: int) -> bool:
        """Book one request of so many characters, sent and at most received; False, and nothing booked, if today's
        budget does not have it."""
        today = self.clock.now().astimezone(UTC).date()
        if today != self._day:
            self._day, self._asked, self._spent = today, 0, 0
        if self._asked >= self.requests or self._spent + characters > self.characters:
            return False
        self._asked += 1
        self._spent += characters
        return True

    def give_back(self, characters: int) -> None:
        """Characters that were booked for an answer and not needed."""
        self._spent = max(0, self._spent - characters)
