"""What people do to call-backs: ask for one, take it, leave it, tell what came of it.

One of a case stands on the case's timeline, and what the customer said on the telephone counts as their rating does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from bot.cases import call_backs, tasks
from bot.cases.call_backs import Result
from bot.cases.clocks import House
from bot.loop import closing
from bot.loop.case_moves import state_now, told
from bot.loop.casework import NoCase, Worker
from bot.loop.effects import Effects
from bot.loop.state import LaneState
from bot.loop.turn import Turns
from storage.database import Database
from storage.tables import cases, contacts, conversations

_ASKED = frozenset({"resolved", "following_up", "closed_unconfirmed"})
"""States in which the customer's word on the result decides."""


class NoCustomer(Exception):
    """There is no such customer."""


@dataclass(frozen=True, slots=True)
class Calling:
    """`tries`: calls in vain after which a call-back is over. Raises CallRefused; then nothing was changed."""

    database: Database
    turns: Turns
    house: House
    tries: int = call_backs.TRIES

    async def ask(
        self,
        by: Worker,
        required: str,
        *,
        case_id: int | None = None,
        contact_id: int | None = None,
        owner_id: int | None = None,
        department: str | None = None,
        due_at: datetime | None = None,
    ) -> int:
        """A new call-back, of a case or of a customer; its id. Raises NoCase, NoCustomer."""
        now = self.turns.now()

        def add(connection: Connection, whose: int, there: str | None) -> int:
            return tasks.add(
                connection,
                self.house,
                kind="call_back",
                department=department or there or self.house.departments.hub,
                required=required,
                by=by.actor,
                at=now,
                case_id=case_id,
                contact_id=whose,
                owner_id=owner_id,
                due_at=due_at,
                why="asked",
            )

        def work(connection: Connection) -> int:
            if connection.execute(select(contacts.c.id).where(contacts.c.id == contact_id)).first() is None:
                raise NoCustomer
            return add(connection, contact_id or 0, None)

        if case_id is None:
            return await self.database.write(work)
        made: list[int] = []

        def decide(effects: Effects) -> None:
            case = effects.state.case(case_id)
            if case is None:
                raise NoCase(case_id)
            made.clear()
            effects.joined.append(lambda c: made.append(add(c, case.contact_id, case.department)))
            told(effects, case_id, "call_back_asked", actor=by.actor, at=now, note=required)

        await self._on(case_id, decide)
        return made[-1]

    async def take(self, task_id: int, staff_id: int) -> None:
        """It is theirs from now on; of two one wins."""
        now = self.turns.now()
        await self.database.write(lambda c: call_backs.take(c, task_id, staff_id, now))

    async def leave(self, task_id: int) -> None:
        """Whoever had it leaves it to a colleague."""
        await self.database.write(lambda c: call_backs.leave(c, task_id))

    async def outcome(
        self,
        task_id: int,
        by: Worker,
        result: Result,
        *,
        note: str = "",
        again_at: datetime | None = None,
        score: float | None = None,
    ) -> bool:
        """What came of a call; whether the call-back is over. `score`, of 0 to 100, is what a customer who was reached
        said of the result of their case: it closes it, or opens it again."""
        now = self.turns.now()

        def record(connection: Connection) -> bool:
            return call_backs.record(
                connection,
                self.house,
                task_id,
                result,
                by=by.actor,
                at=now,
                staff_id=by.staff_id,
                note=note,
                again_at=again_at,
                tries=self.tries,
            )

        case_id = await self.database.read(lambda c: call_backs.case_of(c, task_id))
        if case_id is None:
            return await self.database.write(record)
        over: list[bool] = []

        def decide(effects: Effects) -> None:
            case = effects.state.case(case_id)
            if case is None:
                raise NoCase(case_id)
            over.clear()
            effects.joined.append(lambda c: over.append(record(c)))
            effects.change_guarded(cases, case.id, case.version, {})
            line = result if again_at is None else f"{result}, {again_at.isoformat(timespec='minutes')}"
            told(effects, case.id, "called", actor=by.actor, at=now, note=line + (f": {note}" if note else ""))
            if result == "reached" and score is not None and state_now(effects, case) in _ASKED:
                closing.judged(effects, self.house, case.id, score, now, note=f"told {by.actor}")

        await self._on(case_id, decide)
        return over[-1]

    async def _on(self, case_id: int, decide: Callable[[Effects], None]) -> None:
        statement = (
            select(conversations.c.lane)
            .join(cases, cases.c.conversation_id == conversations.c.id)
            .where(cases.c.id == case_id)
        )
        lane = await self.database.read(lambda connection: connection.execute(statement).scalar())
        if lane is None:
            raise NoCase(case_id)

        def act(_: LaneState, effects: Effects) -> None:
            decide(effects)

        await self.turns.act(lane, act, cases=[case_id])
