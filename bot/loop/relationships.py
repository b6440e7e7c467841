"""Scheduled surveys: at the beginning of each period every customer is decided on once, a batch at a time.

How far it has come stands in `notes`, and moves in the transaction that writes the decisions: of two processes one
wins, and a stop loses nothing. A survey that is new in `surveys.yml` begins with the next period, so that adding it
writes to nobody at once. What is decided is asked at once: nothing that happens meanwhile can make it come too soon
after another survey.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.clock import Clock
from bot.loop.asking import Asking
from bot.loop.effects import SET_TIMER
from bot.loop.events import chat_lane
from bot.loop.planning import rested, sent_that_day
from bot.loop.reaching import reach_of
from bot.loop.telling import note_suppressed
from bot.surveys import selection
from bot.surveys.definitions import Definition, Period
from bot.surveys.selection import Occasion, Reach, Send, Suppressed
from channels.base import Capabilities
from storage import changes
from storage.changes import Insert
from storage.database import Conflict, Database
from storage.records import Address
from storage.sets import one_of
from storage.tables import addresses, contacts, notes, surveys
from storage.types import UtcDateTime

BATCH = 200
LOOK = timedelta(minutes=1)
"""Between two looks at whether a period has begun."""
UNREAD = ("comment:", "author:", "api:", "form:")
"""Addresses at which nobody reads: of comments, of what staff typed in, of forms."""
_OVER = "over"


def period_of(every: Period, now: datetime, zone: ZoneInfo) -> str:
    """The name of the period that `now` lies in: 2026, 2026Q2, 2026-04, 2026W14 (ISO 8601)."""
    day = now.astimezone(zone).date()
    match every:
        case "year":
            return f"{day.year}"
        case "quarter":
            return f"{day.year}Q{(day.month + 2) // 3}"
        case "month":
            return f"{day.year}-{day.month:02}"
        case "week":
            year, week, _ = day.isocalendar()
            return f"{year}W{week:02}"


@dataclass(slots=True)
class Relationships:
    """`capabilities_of(channel, account)` is None where there is no such account."""

    database: Database
    clock: Clock
    asking: Asking
    capabilities_of: Callable[[str, str], Capabilities | None]
    _next_look: datetime | None = None

    async def run_due(self) -> int:
        """Decide on a batch of customers for each survey whose period has begun. The number of decisions."""
        now = self.clock.now()
        if self._next_look is not None and self._next_look - LOOK <= now < self._next_look:
            return 0
        decided = 0
        for definition in self.asking.surveys.definitions.values():
            if definition.every is not None:
                decided += await self._batch(definition, now)
        if not decided:
            self._next_look = now + LOOK
        return decided

    async def _batch(self, definition: Definition, now: datetime) -> int:
        if definition.every is None or self.asking.hours(definition, now) > now:
            return 0
        period = period_of(definition.every, now, self.asking.desk.calendar.zone)
        mark = await self.database.read(lambda connection: _mark(connection, definition.key))
        if mark is None:
            await self.database.write(lambda connection: _begin(connection, definition.key, period))
            return 0
        come, _, place = mark.partition("|")
        if come == period and place == _OVER:
            return 0
        after = int(place) if come == period else 0
        try:
            return await self.database.write(
                lambda connection: self._work(connection, definition, period, mark, after, now)
            )
        except Conflict:
            return 0  # another process works on it

    def _work(
        self, connection: Connection, definition: Definition, period: str, mark: str, after: int, now: datetime
    ) -> int:
        people = connection.execute(_NEXT, {"after": after}).all()
        zone = self.asking.desk.calendar.zone
        room = BATCH
        if definition.per_day is not None:
            room = max(0, definition.per_day - sent_that_day(connection, definition.key, now, zone))
        if people and not room:
            return 0  # the rest is for tomorrow
        ids = [row.id for row in people]
        reaches, lanes = self._reaches(connection, ids)
        asked = _asked(connection, ids, now - definition.cooldown)
        rows: list[Insert] = []
        sent: list[tuple[Insert, str]] = []
        last, whole = after, len(people) < BATCH
        for row in people:
            if len(sent) >= room:
                whole = False
                break
            decision = self._decide(definition, period, row, reaches[row.id], asked[row.id], now)
            rows.append(_survey(definition, period, row.id, decision, now))
            if isinstance(decision, Send):
                sent.append((rows[-1], lanes[decision.address_id]))
            last = row.id
        moved = update(notes).where(notes.c.key == _key(definition.key), notes.c.value == mark)
        if connection.execute(moved.values(value=f"{period}|{_OVER if whole else last}")).rowcount != 1:
            raise Conflict("another process decides on these customers")
        changes.apply(connection, (), rows)
        note_suppressed(connection, rows, now)
        timers = [
            {
                "subject": f"survey:{row.id}",
                "kind": "ask",
                "lane": lane,
                "due_at": now,
                "late": "replan",
                "skip_after": None,
            }
            for row, lane in sent
        ]
        if timers:
            connection.execute(
                SET_TIMER[connection.dialect.name], sorted(timers, key=lambda timer: str(timer["subject"]))
            )
        return len(rows)

    def _decide(
        self,
        definition: Definition,
        period: str,
        person: Any,
        reaches: Sequence[Reach],
        asked: Sequence[datetime],
        now: datetime,
    ) -> Send | Suppressed:
        if definition.segments and person.segment not in definition.segments:
            return Suppressed("other_segment", definition, reaches[0].address_id if reaches else None)
        occasion = Occasion(trigger="schedule", happened_at=now, wanted=definition.key, subject=f"{person.id}:{period}")
        decision = selection.decide(self.asking.surveys, occasion, reaches, now)
        if isinstance(decision, Send) and not rested(definition, now, asked):
            return Suppressed("cooldown", definition, decision.address_id)
        return decision

    def _reaches(self, connection: Connection, ids: Sequence[int]) -> tuple[dict[int, list[Reach]], dict[int, str]]:
        reaches: dict[int, list[Reach]] = defaultdict(list)
        lanes: dict[int, str] = {}
        for found in connection.execute(_ADDRESSES, {"ids": list(ids)}):
            address = Address(*found)
            can = self.capabilities_of(address.channel, address.account)
            if can is not None and not address.address.startswith(UNREAD):
                reaches[address.contact_id].append(reach_of(address, can))
                lanes[address.id] = chat_lane(address.channel, address.account, address.address)
        return reaches, lanes


def _survey(definition: Definition, period: str, contact: int, decision: Send | Suppressed, now: datetime) -> Insert:
    row: dict[str, Any] = {
        "contact_id": contact,
        "definition": definition.key,
        "period": period,
        "created_at": now,
        "address_id": decision.address_id,
    }
    if isinstance(decision, Suppressed):
        return Insert(surveys, row | {"state": "suppressed", "reason": decision.reason})
    planned = {
        "state": "planned",
        "asked_at": now,
        "anonymous": definition.anonymous,
    }
    return Insert(surveys, row | planned | {"expires_at": now + definition.expires})


def _asked(connection: Connection, ids: Sequence[int], since: datetime) -> dict[int, list[datetime]]:
    found: dict[int, list[datetime]] = defaultdict(list)
    for contact, at in connection.execute(_ASKED, {"ids": list(ids), "since": since}):
        found[contact].append(at)
    return found


def _key(definition: str) -> str:
    return f"schedule:{definition}"


def _mark(connection: Connection, definition: str) -> str | None:
    found = connection.execute(select(notes.c.value).where(notes.c.key == _key(definition))).scalar()
    return None if found is None else str(found)


def _begin(connection: Connection, definition: str, period: str) -> None:
    """It is new: the period that has begun already is not caught up with."""
    dialect = {"sqlite": sqlite, "postgresql": postgresql}[connection.dialect.name]
    row = {"key": _key(definition), "value": f"{period}|{_OVER}"}
    connection.execute(dialect.insert(notes).values(row).on_conflict_do_nothing())


_NEXT = (
    select(contacts.c.id, contacts.c.segment)
    .where(contacts.c.id > bindparam("after"))
    .order_by(contacts.c.id)
    .limit(BATCH)
)
_ADDRESSES = Address.select().where(one_of(addresses.c.contact_id, "ids")).order_by(addresses.c.id)
_ASKED = select(surveys.c.contact_id, surveys.c.asked_at).where(
    one_of(surveys.c.contact_id, "ids"), surveys.c.asked_at > bindparam("since", type_=UtcDateTime)
)
