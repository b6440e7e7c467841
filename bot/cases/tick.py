"""Deadlines tick: what is due is warned of, breached, escalated; each once, in the order of its time.

A tick says nothing to a customer and changes no conversation or case, so it needs no lane and no version: one
transaction moves the deadlines, writes the timeline and calls the people. It reads what is due, not what is open.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from bot.cases import alerts, call_backs, timeline
from bot.cases.alerts import Alert
from bot.cases.clocks import House, Stage, following
from bot.clock import Clock
from storage.database import Database
from storage.prepared import update_by_id
from storage.records import Deadline
from storage.tables import cases, conversations
from storage.tables import deadlines as table
from storage.types import UtcDateTime

SCAN = 500
"""Deadlines that a tick takes at most: after a long downtime live traffic gets its turns between the ticks."""
_MOVED = ("warned_at", "breached_at", "level", "next_at")


@dataclass(frozen=True, slots=True)
class Passed:
    """A stage that a deadline came to, at its own time, whenever that was noticed."""

    clock: Deadline
    stage: Stage
    at: datetime
    level: int = 0  # of an escalation, from 0


@dataclass(frozen=True, slots=True)
class Ticking:
    """One among many (`SKIP LOCKED`); there is no leader to lose. `changed` is told the lanes after the commit."""

    database: Database
    clock: Clock
    house: House
    changed: Callable[[Iterable[str]], None] = lambda _: None

    async def tick(self) -> int:
        """Work what is due, at most SCAN. The number of deadlines worked."""
        now = self.clock.now()

        def work(connection: Connection) -> tuple[int, list[str]]:
            found, lanes = self._tick(connection, now)
            return found + call_backs.tick(connection, self.house, now), lanes

        found, lanes = await self.database.write(work)
        self.changed(lanes)
        return found

    async def next_due(self) -> datetime | None:
        """When the next one comes to something."""
        statement = select(table.c.next_at).where(table.c.next_at.is_not(None)).order_by(table.c.next_at).limit(1)

        def work(connection: Connection) -> datetime | None:
            both = (connection.execute(statement).scalar(), call_backs.next_due(connection))
            return min((each for each in both if each is not None), default=None)

        return await self.database.read(work)

    def _tick(self, connection: Connection, now: datetime) -> tuple[int, list[str]]:
        clocks = [Deadline(*row) for row in connection.execute(_DUE, {"now": now})]
        if not clocks:
            return 0, []
        # What lies behind the last one that was read must wait for those that were not.
        last = clocks[-1].next_at
        passed = advance(self.house, clocks, now if len(clocks) < SCAN or last is None else last)
        rows = [{"key": clock.id} | {name: getattr(clock, name) for name in _MOVED} for clock in clocks]
        update_by_id(table, _MOVED, connection.dialect).run(connection, sorted(rows, key=lambda row: row["key"]))
        facts = _facts(connection, sorted({clock.case_id for clock in clocks}))
        if passed:
            timeline.write(connection, [_line(each, self.house) for each in passed])
            alerts.raise_all(connection, [_alert(each, self.house, facts[each.clock.case_id]) for each in passed])
        return len(clocks), sorted({fact.lane for fact in facts.values()})


_DUE = (
    Deadline.select()
    .where(table.c.next_at.is_not(None), table.c.next_at <= bindparam("now", type_=UtcDateTime))
    .order_by(table.c.next_at, table.c.id)
    .limit(SCAN)
    .with_for_update(skip_locked=True)
)


def advance(house: House, clocks: Iterable[Deadline], until: datetime) -> list[Passed]:
    """Bring running deadlines to `until`: every stage passed, all of them in the order of time. `next_at` is left at
    what comes after."""
    waiting: list[tuple[datetime, int, Stage, Deadline]] = []

    def wait(clock: Deadline) -> None:
        coming = following(house, clock)
        clock.next_at = coming[1] if coming else None
        if coming and coming[1] <= until:
            heapq.heappush(waiting, (coming[1], clock.id, coming[0], clock))

    for each in clocks:
        wait(each)
    passed: list[Passed] = []
    while waiting:
        at, _, stage, clock = heapq.heappop(waiting)
        passed.append(Passed(clock, stage, at, clock.level))
        if stage == "warned":
            clock.warned_at = at
        elif stage == "breached":
            clock.breached_at = at
        else:
            clock.level += 1
        wait(clock)
    return passed


@dataclass(frozen=True, slots=True)
class _Fact:
    """Whom a case concerns."""

    owner: int | None
    department: str | None
    lane: str


def _facts(connection: Connection, ids: list[int]) -> dict[int, _Fact]:
    statement = (
        select(cases.c.id, cases.c.owner_id, cases.c.department, conversations.c.lane)
        .join(conversations, conversations.c.id == cases.c.conversation_id)
        .where(cases.c.id.in_(ids))
    )
    return {row[0]: _Fact(*row[1:]) for row in connection.execute(statement)}


def _line(passed: Passed, house: House) -> dict[str, Any]:
    clock = passed.clock
    note = f"{clock.kind}: {clock.due_at.isoformat(timespec='minutes')}"
    if passed.stage == "escalated":
        note = f"{house.deadlines.escalation[passed.level].to}: {note}"
    kind = "escalated" if passed.stage == "escalated" else f"deadline_{passed.stage}"
    return {
        "case_id": clock.case_id,
        "at": passed.at,
        "actor": "system",
        "kind": kind,
        "from_state": None,
        "to_state": None,
        "note": note,
    }


def _alert(passed: Passed, house: House, fact: _Fact) -> Alert:
    clock = passed.clock
    escalated = passed.stage == "escalated"
    named = f"staff:{fact.owner}" if fact.owner else f"department:{fact.department}"
    above = house.deadlines.escalation[passed.level].to if escalated else ""
    level = f":{passed.level}" if escalated else ""
    return Alert(
        kind=passed.stage,
        subject=f"deadline:{clock.id}:{passed.stage}{level}",
        audience=above or named,
        at=passed.at,
        case_id=clock.case_id,
        detail={"deadline": clock.kind, "due_at": clock.due_at.isoformat()},
    )
