"""What is measured on the way: how long each stage took, by channel, and where wanted a trace of each message."""

from __future__ import annotations

import logging
import math
import time
from bisect import bisect_left
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import structlog

from bot.loop.effects import Effects

log = structlog.get_logger()

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, math.inf)
"""Upper bounds of the classes of a histogram, in seconds."""
REMEMBERED = 10_000

Place = tuple[str, str, str]


@dataclass(slots=True)
class Histogram:
    """How many took how long."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))
    total: float = 0.0

    def note(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Traces(Protocol):
    """Where spans go. Times are seconds since 1970."""

    def span(self, name: str, key: str, began: float, ended: float, values: Mapping[str, str | int]) -> None: ...


class Figures:
    """Of one process. Stages: `intake` until the commit, `turn` from the commit until the turn's own, `send` an
    attempt at the platform."""

    def __init__(self, traces: Traces | None = None) -> None:
        self._traces = traces
        self._keys: OrderedDict[Place, str] = OrderedDict()
        self.stages: dict[tuple[str, str], Histogram] = {}
        self.dead: Counter[str] = Counter()

    def took(self, stage: str, channel: str, seconds: float) -> None:
        """Something took so long. A clock that was set back makes it no less than nothing."""
        histogram = self.stages.get((stage, channel))
        if histogram is None:
            histogram = self.stages[stage, channel] = Histogram()
        histogram.note(max(0.0, seconds))

    def accepted(self, channel: str, account: str, keys: Iterable[str], seconds: float) -> None:
        """Events are committed, by their dedupe keys."""
        self.took("intake", channel, seconds)
        if self._traces:
            now = time.time()
            for key in keys:
                self._traces.span("intake", f"{channel}:{account}:{key}", now - seconds, now, {"channel": channel})

    def turned(self, effects: Effects, now: datetime, seconds: float) -> None:
        """A turn is committed; `seconds` of its way were the turn itself. Says so in one line, without a word of what
        was said."""
        state = effects.state
        self.dead[state.channel] += len(effects.dead)
        first = state.heard[0] if state.heard else None
        waited = max(0.0, (now - first.received_at).total_seconds()) if first else seconds
        if first:
            self.took("turn", state.channel, waited)
        if log.is_enabled_for(logging.INFO):
            log.info("turn", **_line(effects), waited_ms=round(1000 * waited), ms=round(1000 * seconds, 1))
        if self._traces and first and first.event is not None:
            now_at, name = time.time(), f"{state.channel}:{state.account}:{first.event.dedupe_key}"
            self._traces.span("turn", name, now_at - seconds, now_at, {"channel": state.channel})
            for place in effects.outgoing():
                self._keys[place] = name
                self._keys.move_to_end(place)
                if len(self._keys) > REMEMBERED:
                    self._keys.popitem(last=False)

    def sent(self, place: Place, outcome: str, outbox: int, seconds: float) -> None:
        """An attempt to send. Its trace is that of the last turn that wrote there, in this process."""
        self.took("send", place[0], seconds)
        if self._traces:
            now = time.time()
            values: dict[str, str | int] = {"channel": place[0], "outcome": outcome, "outbox": outbox}
            self._traces.span("send", self._keys.get(place, f"outbox:{outbox}"), now - seconds, now, values)


def _line(effects: Effects) -> dict[str, Any]:
    state = effects.state
    made = effects.conversation_row
    return {
        "channel": state.channel,
        "account": state.account,
        "conversation": state.conversation.id if state.conversation else made.id if made else None,
        "heard": ",".join(type(each.event).__name__.lower() for each in state.heard),
        "changes": len(effects.changes),
        "written_to": len(effects.outgoing()),
        "owner": effects.owner,
        "dead": len(effects.dead),
    }
