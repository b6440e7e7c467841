"""Time is another sender: a timer that is due becomes an inbox event of its lane."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from bot.clock import Clock
from bot.loop.events import TimerDue, encode
from bot.loop.intake import insert_new
from storage.database import Database
from storage.prepared import as_prepared
from storage.records import Timer
from storage.sets import among, one_of
from storage.tables import timers
from storage.types import UtcDateTime

SCAN = 200
"""Timers a scan fires at most: after a long downtime, live traffic gets its turns between the scans."""


class Timers:
    """One scan among many (`SKIP LOCKED`); there is no leader to lose. `wake` is told the lanes after the commit."""

    def __init__(self, database: Database, clock: Clock, wake: Callable[[Iterable[str]], None]) -> None:
        self._database = database
        self._clock = clock
        self._wake = wake

    async def fire(self) -> int:
        """Fire what is due, at most SCAN. The number of timers worked."""
        now = self._clock.now()
        lanes = await self._database.write(lambda connection: _fire(connection, now))
        self._wake(lanes)
        return len(lanes)

    async def next_due(self) -> datetime | None:
        """When the next timer is due."""
        statement = select(timers.c.due_at).where(among(timers.c.state, "waiting")).order_by(timers.c.due_at).limit(1)
        return await self._database.read(lambda connection: connection.execute(statement).scalar())


def _fire(connection: Connection, now: datetime) -> list[str]:
    due = [Timer(*row) for row in as_prepared(_DUE, connection.dialect).all(connection, {"now": now})]
    late = [timer for timer in due if timer.late == "skip" and timer.skip_after and timer.skip_after < now]
    fired = [timer for timer in due if timer not in late]
    for state, worked in (("fired", fired), ("skipped", late)):
        if worked:
            connection.execute(_MOVE, {"ids": sorted(timer.id for timer in worked), "to": state})
    rows = [
        {
            "channel": "system",
            "account": "timer",
            "dedupe_key": f"{timer.id}:{timer.generation}",
            "lane": timer.lane,
            "event": encode(
                TimerDue(
                    dedupe_key=f"{timer.id}:{timer.generation}",
                    thread="",
                    timer=timer.id,
                    subject=timer.subject,
                    kind=timer.kind,
                    generation=timer.generation,
                    due_at=timer.due_at,
                    late=(now - timer.due_at).total_seconds(),
                )
            ),
            "raw": None,
            "state": "new",
            "received_at": now,
        }
        for timer in fired
    ]
    insert_new(connection, rows)
    return [timer.lane for timer in fired]


_DUE = (
    Timer.select()
    .where(among(timers.c.state, "waiting"), timers.c.due_at <= bindparam("now", type_=UtcDateTime))
    .order_by(timers.c.due_at, timers.c.id)
    .limit(SCAN)
    .with_for_update(skip_locked=True)
)
_MOVE = update(timers).where(one_of(timers.c.id, "ids")).values(state=bindparam("to"))
