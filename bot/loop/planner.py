"""Whether an outgoing row may go now: opt-outs, blocks, windows, takeovers and rates. Pure; adapters only translate."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from channels.base import Capabilities

Reason = str

AHEAD = timedelta(minutes=1)
"""More than the clocks of machines that are kept right differ by."""


@dataclass(slots=True)
class Waiting:
    """The head of an address's queue, with what the decision needs. Times are UTC. `last`: the end of the queue as it
    stood then."""

    id: int
    conversation_id: int
    message_id: int | None
    channel: str
    account: str
    address: str
    kind: str
    form: str
    owner_epoch: int | None
    text: str
    buttons: list[str] | None
    target: str | None
    attempts: int
    not_before: datetime
    created_at: datetime
    lane: str
    current_epoch: int
    stopped_at: datetime | None
    blocked_at: datetime | None
    heard_at: datetime | None
    last: int

    @property
    def place(self) -> tuple[str, str, str]:
        return self.channel, self.account, self.address

    def ready_at(self, now: datetime) -> datetime:
        """From when it may go: at once if the clock by which it was written ran far AHEAD of ours, unless it was tried
        since, and waits by a clock that may be right."""
        return now if self.not_before >= self.created_at > now + AHEAD else self.not_before


def refusal(row: Waiting, capabilities: Capabilities, now: datetime) -> Reason | None:
    """Why this row must never be sent; None if it may. The reason is recorded on the row, and the desk shows it."""
    if row.kind == "reply" and row.owner_epoch != row.current_epoch:
        return "overtaken"  # a person took over, or gave back, after this was written
    answered = row.kind in ("reply", "notice", "agent")
    if row.stopped_at and row.kind != "consent" and not (answered and _after(row.heard_at, row.stopped_at)):
        return "opted_out"
    if row.blocked_at and not _after(row.heard_at, row.blocked_at):
        return "blocked"
    if capabilities.window and row.form in ("text", "file") and not _after(row.heard_at, now - capabilities.window):
        return "window_closed"
    return None


def _after(heard_at: datetime | None, when: datetime) -> bool:
    return heard_at is not None and heard_at > when


FIRST_BACKOFF = 2.0
LONGEST_BACKOFF = 300.0


def backoff(attempts: int, jitter: random.Random) -> timedelta:
    """Exponential with full jitter above half (so that many do not return at once): seconds before attempt + 1."""
    longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(attempts - 1, 16))
    return timedelta(seconds=longest / 2 + jitter.random() * longest / 2)
