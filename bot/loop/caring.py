"""Customer care, by the clock: who is valuable, who may be lost, whom to call, what to write.

What is new (ratings, complaints, services) is read from where the last look ended, and what time alone changes stands
with its time, so that a look costs what changed. How far it has come is noted in the transaction that does the work: of
two processes one wins, and a stop loses nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Select, bindparam, select, update

from bot.clock import Clock
from bot.contacts import care_calls, care_messages, risk, segments
from bot.contacts.care import Care, CareMessage
from bot.contacts.care_messages import Reason, Situation
from bot.loop.cases import Desk
from bot.loop.effects import Effects
from bot.loop.events import chat_lane
from bot.loop.reaching import reach_of
from bot.loop.relationships import UNREAD
from bot.loop.seen import READ, Seen, move, note
from bot.loop.state import LaneState
from bot.loop.turn import Turns
from bot.surveys.selection import hindrance
from channels.base import Capabilities
from nlu.understanding import Language
from storage.database import Conflict, Database
from storage.records import Address
from storage.sets import among
from storage.tables import addresses, cases, episodes, rating_history, ratings, surveys
from storage.tables import care_messages as messages
from storage.types import EPOCH

SENT = 50
"""Messages that a look sends: the others wait for the next one."""

STEPS = 100
"""Steps that are done one after the other before others have their turn."""

_SEEN, _DAY, _BIRTHDAYS, _OVER = "care:seen", "care:day", "care:birthdays", "over"


class _Again(Exception):
    """What was decided on holds no more."""


class _Busy(Exception):
    """A person talks with them, or they wait for one."""


@dataclass(slots=True)
class Caring:
    """`language` is what staff read; `capabilities_of(channel, account)` is None where there is no such account."""

    database: Database
    clock: Clock
    turns: Turns
    desk: Desk
    care: Care
    company: str
    language: Language
    capabilities_of: Callable[[str, str], Capabilities | None]

    async def run_due(self) -> int:
        """Do what there is to do now, in bounded steps; how much was done. With 0 nothing is left."""
        now = self.clock.now()
        done = await self._daily(now)
        done += await self._step(self._new, now)
        done += await self._step(self._risks, now)
        done += await self._step(self._welcomes, now)
        return done + await self._send(now)

    async def next_due(self) -> datetime | None:
        """When time alone gives something to do."""
        zone = self.desk.calendar.zone

        def work(connection: Connection) -> datetime | None:
            times = [risk.next_due(connection), care_messages.next_due(connection)]
            day = note(connection, _DAY)
            if day is not None:
                times.append(datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(0), zone))
            return min((each for each in times if each is not None), default=None)

        return await self.database.read(work)

    # ---- steps, each a transaction ----

    async def run_all(self) -> None:
        """Until nothing is left that is due now, or for so long as others should not wait."""
        for _ in range(STEPS):
            if not await self.run_due():
                return

    async def _step(self, work: Callable[[Connection, datetime], int], now: datetime) -> int:
        try:
            return await self.database.write(lambda connection: work(connection, now))
        except Conflict:
            return 0  # another process does it

    async def _daily(self, now: datetime) -> int:
        """Once a day: the segments, the day's regular calls, the birthdays; a batch at a time."""
        today = now.astimezone(self.desk.calendar.zone).date()
        come = await self.database.read(lambda connection: note(connection, _DAY))
        if come == today.isoformat():
            return await self._step(lambda connection, now: self._birthdays(connection, today, now), now)
        # Counted before the transaction: nobody else waits for it.
        found = await self.database.read(lambda connection: segments.borders(connection, self.care.shares))
        return await self._step(lambda connection, now: self._begin(connection, found, come, today, now), now)

    def _begin(
        self, connection: Connection, found: segments.Borders, come: str | None, today: date, now: datetime
    ) -> int:
        if changed := segments.recount(connection, found):
            return changed
        move(connection, _DAY, come, today.isoformat())
        move(connection, _BIRTHDAYS, note(connection, _BIRTHDAYS), "0")
        called = bool(self.desk.calendar.hours(today))  # else nobody is there to call
        return 1 + (
            care_calls.of_value(connection, self.desk.house, self.care.calls, self.language, now) if called else 0
        )

    def _birthdays(self, connection: Connection, today: date, now: datetime) -> int:
        come = note(connection, _BIRTHDAYS)
        if come is None or come == _OVER:
            return 0
        zone = self.desk.calendar.zone
        last = care_messages.plan_birthdays(connection, self.care, today, int(come), now, zone)
        move(connection, _BIRTHDAYS, come, str(last) if last else _OVER)
        return 1

    def _new(self, connection: Connection, now: datetime) -> int:
        """Ratings, complaints and services since the last look."""
        come = note(connection, _SEEN)
        seen = Seen.of(come)
        customers: set[int] = set()
        for name, statement in _NEW.items():
            rows = connection.execute(statement, {"after": seen.after(name)}).all()
            seen.read(name, [row.id for row in rows], now)
            if name == "episodes":
                care_messages.plan_tips(connection, self.care, [row.id for row in rows], now, self.desk.calendar.zone)
            else:
                customers.update(row.contact_id for row in rows)
        self._look(connection, customers, now)
        if (now_seen := seen.as_note(come, now)) != come:
            move(connection, _SEEN, come, now_seen)
        return seen.fresh

    def _risks(self, connection: Connection, now: datetime) -> int:
        customers = risk.due(connection, now)
        self._look(connection, customers, now)
        return len(customers)

    def _look(self, connection: Connection, customers: Collection[int], now: datetime) -> None:
        found = risk.look(connection, self.care.risks, customers, now)
        care_calls.of_risk(connection, self.desk.house, self.care.calls, found, self.language, now)

    def _welcomes(self, connection: Connection, now: datetime) -> int:
        return care_messages.plan_welcomes(connection, self.care, now, self.desk.calendar.zone)

    # ---- sending ----

    async def _send(self, now: datetime) -> int:
        """What is due: sent, moved out of the quiet hours, or put aside with its reason."""

        def look(connection: Connection) -> tuple[Sequence[Any], Mapping[int, Situation], dict[int, list[Address]]]:
            rows = care_messages.due(connection, now, SENT)
            whose = {row.contact_id for row in rows}
            places: dict[int, list[Address]] = defaultdict(list)
            for address in Address.find(connection, addresses.c.contact_id.in_(sorted(whose))) if whose else ():
                places[address.contact_id].append(address)
            return rows, care_messages.situations(connection, whose) if whose else {}, places

        rows, known, places = await self.database.read(look)
        done, seen, zone = 0, set[int](), self.desk.calendar.zone
        for row in rows:
            if row.contact_id in seen:
                continue  # two at once: the other is looked at again, when this one counts
            seen.add(row.contact_id)
            message = self.care.message(row.key)
            why = care_messages.hindrance(self.care, message, row.due_at, now, known[row.contact_id])
            later = care_messages.allowed(self.care, now, zone)
            if (
                message is not None
                and message.occasion == "birthday"
                and later.astimezone(zone).date() != (row.due_at.astimezone(zone).date())
            ):
                why = why or "too_late"  # tomorrow is another day
            where = why or self._place(places[row.contact_id], now)
            if not isinstance(where, Address) or message is None:
                done += await self._set(row.id, state="suppressed", reason=where)
            elif later > now:
                done += await self._set(row.id, due_at=later)
            else:
                done += await self._say(row.id, message, where)
        return done

    def _place(self, places: Sequence[Address], now: datetime) -> Address | Reason:
        """Where they may be written to: where they wrote last, if they may; or why nowhere."""
        hindered: list[Reason] = []
        for address in sorted(places, key=lambda each: (each.heard_at or EPOCH, each.id), reverse=True):
            can = self.capabilities_of(address.channel, address.account)
            if can is None or address.address.startswith(UNREAD):
                continue
            why = hindrance(reach_of(address, can), now)
            if why is None:
                return address
            hindered.append(cast(Reason, why))
        order: tuple[Reason, ...] = ("opted_out", "window_closed", "blocked")
        return min(hindered, key=order.index, default="no_address")

    async def _say(self, id: int, message: CareMessage, where: Address) -> int:
        def decide(state: LaneState, effects: Effects) -> None:
            now = state.address
            if now is None or (now.contact_id, now.stopped_at) != (where.contact_id, None):
                raise _Again
            if effects.owner != "bot":  # nobody is talked over
                raise _Busy
            language = effects.tongue
            words = message.text.said(language, company=self.company)
            text = f"{words}\n{self.care.footer.said(language)}"
            effects.say(text.replace("[[", "[ ["), kind="care", data={"care": message.key})
            effects.joined.append(lambda connection: care_messages.sent(connection, id, where.id, effects.now))

        try:
            await self.turns.act(chat_lane(where.channel, where.account, where.address), decide)
        except _Busy:
            return await self._set(id, state="suppressed", reason="with_person")
        except (_Again, Conflict):
            return 0  # what was decided on holds no more: the next look decides anew
        return 1

    async def _set(self, id: int, **values: Any) -> int:
        planned = update(messages).where(messages.c.id == id, among(messages.c.state, "planned"))
        return await self.database.write(lambda connection: connection.execute(planned.values(**values)).rowcount)


_rated = select(ratings.c.id, surveys.c.contact_id).join(surveys, surveys.c.id == ratings.c.survey_id)
_rerated = (
    select(rating_history.c.id, surveys.c.contact_id)
    .join(ratings, ratings.c.id == rating_history.c.rating_id)
    .join(surveys, surveys.c.id == ratings.c.survey_id)
)
_NEW: dict[str, Select[Any]] = {
    str(table.name): statement.where(table.c.id > bindparam("after")).order_by(table.c.id).limit(READ)
    for table, statement in (
        (ratings, _rated),
        (rating_history, _rerated),
        (cases, select(cases.c.id, cases.c.contact_id)),
        (episodes, select(episodes.c.id)),
    )
}
