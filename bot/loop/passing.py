"""From hand to hand: passed to a colleague or a department, taken from an agent who is gone, a reply taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, update

from bot import typography
from bot.attachments import store
from bot.cases import clocks, timeline
from bot.cases.calendar import is_open, office_time_between
from bot.cases.clocks import House
from bot.cases.rules import MOVES
from bot.loop.case_moves import ask_to_take, move, state_now
from bot.loop.effects import Effects
from bot.loop.notices import Notices
from bot.loop.people import NoConversation, Refused
from bot.loop.state import LaneState
from bot.loop.talking import ownership
from bot.loop.turn import Turns
from bot.staff.service import called
from bot.takeover import rules, whispers
from bot.takeover.rules import Agent, Ownership, Refusal
from bot.takeover.undone import taken_back
from storage import tables
from storage.changes import Insert
from storage.database import Conflict, Database
from storage.sets import among, other_than

AT_ONCE = 100
"""Conversations that one look takes from agents who are gone."""


class TooLate(Exception):
    """The message is on its way already, or was never held."""


class NoSuchPlace(Exception):
    """There is no such colleague or department to pass a conversation to."""


@dataclass(frozen=True, slots=True)
class Passing:
    """Raises Refused where the rules of ownership say no, NoConversation where there is none. `patience` is the office
    time that a customer's words may stay unanswered by the agent who has them; zero: for ever."""

    database: Database
    turns: Turns
    notices: Notices
    house: House
    patience: timedelta = timedelta(0)

    async def to_colleague(self, lane: str, agent: Agent, colleague: int, note: str) -> None:
        """Give the conversation to somebody by name. The `note` is a whisper to them. Raises NoSuchPlace."""
        to = await self._colleague(colleague)
        if to is None:
            raise NoSuchPlace

        def decide(state: LaneState, effects: Effects, holder: str | None) -> None:
            now = ownership(effects, holder)
            claimed = rules.claim(now, to) if now.owner == "queue" and agent.supervisor else None
            new = _granted(claimed or rules.transfer(now, agent, to))
            effects.own(new.owner, new.epoch, agent_id=to.id, queued_at=None, department=None)
            data = {"staff": agent.name, "to": to.name}
            effects.record("system", "transferred", data=data, staff_id=agent.id)
            _tell(
                effects,
                typography.said(self.notices.joined, effects.tongue, name=called(to.name, effects.language)),
            )
            _note(effects, agent, note, to)

        await self._act(lane, decide)

    async def to_department(self, lane: str, agent: Agent, department: str, note: str) -> None:
        """Put the conversation in a department's queue, in the place of its arrival there. Raises NoSuchPlace."""
        name = self.house.departments.names.get(department)
        if name is None:
            raise NoSuchPlace

        def decide(state: LaneState, effects: Effects, holder: str | None) -> None:
            new = _granted(rules.pass_on(ownership(effects, holder), agent))
            effects.own(new.owner, new.epoch, agent_id=None, queued_at=effects.now, department=department)
            data = {"staff": agent.name, "department": department}
            effects.record("system", "passed_on", data=data, staff_id=agent.id)
            self._cases_too(effects, agent, department, note)
            _tell(effects, typography.said(self.notices.passed_on, lang := effects.tongue, name=name.said(lang)))
            _note(effects, agent, note)

        await self._act(lane, decide)

    def _cases_too(self, effects: Effects, agent: Agent, department: str, note: str) -> None:
        """The conversation's open cases go with it: the department takes them, or returns them with a reason."""
        talk, actor = effects.state.conversation, f"staff:{agent.id}"
        for case in effects.state.cases:
            elsewhere = talk is not None and case.conversation_id != talk.id
            if elsewhere or case.department == department or "assigned" not in MOVES[state_now(effects, case)]:
                continue
            values: dict[str, Any] = {"department": department, "owner_id": None, "handed_at": effects.now}
            move(effects, self.house, case, "assigned", "staff", actor=actor, reason=note, **values)
            ask_to_take(effects, self.house, case, department, note or case.title, actor)

    async def take_back(self, lane: str, agent: Agent, message: int) -> str:
        """A reply of this agent that is still held does not go out. Its words, to be written anew. Raises TooLate."""
        talks, sent, said, cases = tables.conversations, tables.outbox, tables.messages, tables.cases
        now = self.turns.now()

        def work(connection: Connection) -> str:
            found = connection.execute(
                select(said.c.text, said.c.data, said.c.created_at, said.c.conversation_id)
                .join(talks, talks.c.id == said.c.conversation_id)
                .where(talks.c.lane == lane, said.c.id == message, said.c.staff_id == agent.id)
            ).first()
            if found is None:
                raise TooLate
            parts = sent.c.message_id == message
            held = update(sent).where(parts, among(sent.c.state, "queued"), sent.c.attempts == 0)
            gone = connection.execute(held.values(state="dropped", reason="taken_back", finished_at=now)).rowcount
            if not gone or gone != connection.execute(select(func.count()).where(parts)).scalar_one():
                raise TooLate
            store.unsaid(connection, store.keys_of([found.data]))
            # What was not said has answered no case.
            answered = (cases.c.conversation_id == found.conversation_id) & (cases.c.responded_at == found.created_at)
            reopened = update(cases).where(answered).values(responded_at=None, version=cases.c.version + 1)
            for case in connection.execute(reopened.returning(cases.c.id)).scalars().all():
                clocks.reopen(connection, case, "first_response", found.created_at, now)
                values = {"case_id": case, "at": now, "actor": f"staff:{agent.id}", "kind": "response_taken_back"}
                timeline.write(connection, [values])
            return str(found.text)

        words = await self.database.write(work)
        self.turns.sent([], [lane])
        return words

    async def release(self) -> int:
        """Conversations whose customers wait too long for the agent who has them go back to the queue, with an
        apology, in the order of their waiting; their number. Office time counts: nobody is gone because it is night."""
        now = self.turns.now()
        if not self.patience or not is_open(self.house.calendar, now):
            return 0
        found = 0
        for lane, epoch, since in await self.database.read(self._unanswered()):
            if office_time_between(self.house.calendar, since, now) < self.patience:
                continue

            def decide(state: LaneState, effects: Effects, epoch: int = epoch) -> None:
                if effects.epoch != epoch or (state.conversation and state.conversation.owner != "agent"):
                    raise Refused(Refusal("not_held"))
                new = _granted(rules.return_to_queue(ownership(effects), None))
                effects.own(new.owner, new.epoch, agent_id=None, queued_at=effects.now)
                effects.record("system", "left_waiting")
                _tell(effects, self.notices.still_waiting.said(effects.tongue))

            try:
                await self.turns.act(lane, decide)
                found += 1
            except (Refused, Conflict):
                continue  # somebody acted meanwhile
        return found

    def _unanswered(self) -> Callable[[Connection], list[tuple[str, int, datetime]]]:
        """Held conversations whose last words are the customer's, the longest waiting first: since when."""
        talks, said = tables.conversations, tables.messages
        before = self.turns.now() - self.patience
        ours = said.alias("ours")
        replied, moved = (
            select(ours.c.id)
            .where(ours.c.conversation_id == talks.c.id, ours.c.author == author, ~taken_back(ours))
            .order_by(ours.c.id.desc())
            .limit(1)
            .correlate(talks)
            .scalar_subquery()
            for author in ("agent", "system")
        )
        # From the words that have no answer; of somebody just taken over who got none at all, from then.
        first = (
            select(said.c.created_at)
            .where(
                said.c.conversation_id == talks.c.id,
                said.c.author.in_(["customer", "system"]),
                said.c.id > func.coalesce(replied, 0),
                said.c.id >= func.coalesce(moved, 0),
            )
            .order_by(said.c.id)
            .limit(1)
            .correlate(talks)
            .scalar_subquery()
        )
        since = first.label("since")
        statement = (
            select(talks.c.lane, talks.c.owner_epoch, since)
            .where(
                other_than(talks.c.owner, "bot"),
                among(talks.c.owner, "agent"),
                ~talks.c.thread.startswith("comment:"),  # nothing can be said there
                first <= before,
            )
            .order_by(since)
            .limit(AT_ONCE)
        )
        return lambda connection: [(row[0], row[1], row[2]) for row in connection.execute(statement)]

    async def _colleague(self, number: int) -> Agent | None:
        staff = tables.staff
        statement = select(staff.c.id, staff.c.name).where(staff.c.id == number, staff.c.disabled_at.is_(None))
        row = await self.database.read(lambda connection: connection.execute(statement).first())
        return None if row is None else Agent(row.id, row.name)

    async def _act(self, lane: str, decide: Callable[[LaneState, Effects, str | None], None]) -> None:
        holder: str | None = None

        def act(state: LaneState, effects: Effects) -> None:
            if state.conversation is None:
                raise NoConversation(lane)
            decide(state, effects, holder)

        try:
            await self.turns.act(lane, act)
        except Refused as refused:
            if refused.code not in ("taken", "not_yours", "with_agent"):
                raise
            talks, staff = tables.conversations, tables.staff
            name = select(staff.c.name).join(talks, talks.c.agent_id == staff.c.id).where(talks.c.lane == lane)
            holder = await self.database.read(lambda connection: connection.execute(name).scalar())
            await self.turns.act(lane, act)


def _note(effects: Effects, agent: Agent, note: str, to: Agent | None = None) -> None:
    if not note:
        return
    known = effects.state.conversation
    if known is None:
        return
    values = whispers.values(known.id, agent.id, "transfer", note, effects.now)
    row = effects.add(Insert(tables.whispers, values))
    if to is not None and to.id != agent.id:
        effects.add(Insert(tables.mentions, {"whisper_id": row, "conversation_id": known.id, "staff_id": to.id}))


def _tell(effects: Effects, text: str) -> None:
    if not effects.state.public:
        effects.say(text, kind="notice")


def _granted(answer: Ownership | Refusal) -> Ownership:
    if isinstance(answer, Refusal):
        raise Refused(answer)
    return answer
