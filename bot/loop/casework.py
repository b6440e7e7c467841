"""What people do to cases: they move them, ask, plan, hand over, resolve; by the same turns as everybody else.

The customer is told on the channel that they used, or on the next one where they may be written to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

import structlog
from sqlalchemy import Connection, select

from bot.cases import assignment, merged, numbers, tasks
from bot.cases.remedies import RemediesOpen
from bot.cases.rules import SETTLED
from bot.loop import closing, follow_ups, reach
from bot.loop.asking import Asking
from bot.loop.case_moves import ask_to_take, go_on, move, responded, state_now, told, values_now, wait
from bot.loop.effects import Effects
from bot.loop.notices import Notices
from bot.loop.state import LaneState
from bot.loop.turn import Turns
from bot.yamlfile import Words
from channels.base import Capabilities
from nlu.understanding import Language
from storage import tables
from storage.database import Conflict, Database
from storage.records import Case
from storage.tables import cases

T = TypeVar("T")
log = structlog.get_logger()
_Decide = Callable[[Effects, Case], T]
Code = Literal[
    "no_case",
    "moved_on",
    "no_department",
    "settled",
    "unreachable",
    "not_asked",
    "no_staff",
    "is_linked",
    "no_report",
    "is_split",
    "remedies_open",
    "resolved",
    "asked_of_another",
]


class NoCase(Exception):
    """There is no such case."""


class CaseRefused(Exception):
    """Nothing was changed. `said` gives the reason in a language; `code` is stable."""

    def __init__(self, code: Code, **values: object) -> None:
        super().__init__(code)
        self.code: Code = code
        self.values = values

    def said(self, language: Language) -> str:
        return _REFUSALS[self.code].said(language, **self.values)


_REFUSALS: dict[Code, Words] = {
    "no_case": Words("没有这个工单", "There is no such case"),
    "moved_on": Words(
        "这个工单刚被别人改过，请看过最新情况再操作", "Somebody has changed this case meanwhile. Look at it again first"
    ),
    "no_department": Words("没有“{name}”这个部门", 'There is no department "{name}"'),
    "settled": Words("这个工单已经结束，不能再改", "This case is settled and can no longer be changed"),
    "unreachable": Words(
        "现在没有办法给这位客户发消息，请打电话", "There is no way to write to this customer now. Please call them"
    ),
    "not_asked": Words("这个工单不是在等客户评价", "This case is not waiting for the customer's rating"),
    "resolved": Words(
        "这个工单已经处理完，在等客户评价",
        "This case is resolved and waits for the customer's word: first open it again",
    ),
    "asked_of_another": Words(
        "这位客户还没回复另一个工单的回访；回复之后，会自动接着问这一个",
        "This customer has not yet said how another case of theirs stands. They are asked about this one after that",
    ),
    "remedies_open": Words(
        "还有没办完的补救，先办好或取消，再处理工单",
        "A remedy of this case is still open: see to it, or cancel it, before this",
    ),
    "no_report": Words("这个工单里没有这一条", "There is no such part of this case"),
    "is_split": Words("这一条已经单独立案", "This part has a case of its own already"),
    "is_linked": Words("这个会话已经在工单 {number} 里了", "This conversation belongs to case {number} already"),
    "no_staff": Words("“{name}”现在没有可以接手的人", 'Nobody in the department "{name}" can take it at the moment'),
}


@dataclass(frozen=True, slots=True)
class Worker:
    """Who acts on a case. `actor` stands on the timeline: staff:3, api:crm."""

    actor: str
    staff_id: int | None = None


@dataclass(frozen=True, slots=True)
class Casework:
    """Raises NoCase, CaseRefused, IllegalMove; then nothing was changed.

    `version`: the case as the caller saw it. Of two who act on the same one, the second is refused with `moved_on`."""

    database: Database
    turns: Turns
    asking: Asking
    notices: Notices
    capabilities_of: Callable[[str, str], Capabilities | None]

    async def assign(
        self,
        case_id: int,
        by: Worker,
        *,
        department: str | None = None,
        owner_id: int | None = None,
        required: str = "",
        due_at: datetime | None = None,
        version: int | None = None,
    ) -> None:
        """To a department, to a person, or both. To another department it is handed over: what is `required`, by when,
        and the other side acknowledges."""
        house = self.asking.desk.house
        if department is not None and department not in house.departments.names:
            raise CaseRefused("no_department", name=department)

        def decide(effects: Effects, case: Case) -> None:
            elsewhere = department is not None and department != case.department
            values: dict[str, Any] = {"owner_id": owner_id if owner_id or elsewhere else case.owner_id}
            if department is not None:
                values["department"] = department
            if elsewhere:
                values["handed_at"] = effects.now
            move(effects, house, case, "assigned", "staff", actor=by.actor, reason=required, **values)
            if elsewhere and department is not None:
                ask_to_take(effects, house, case, department, required or case.title, by.actor, due_at)

        await self.act(case_id, decide, version)

    async def assign_by_load(
        self,
        case_id: int,
        by: Worker,
        department: str | None = None,
        *,
        required: str = "",
        due_at: datetime | None = None,
        version: int | None = None,
    ) -> int:
        """To whoever of the department is there, knows most of it and has least to do. Their id."""

        def look(connection: Connection) -> tuple[str, int | None]:
            case = Case.one(connection, cases.c.id == case_id)
            if case is None:
                raise NoCase(case_id)
            there = department or case.department or self.asking.desk.departments.hub
            whom = assignment.judged(connection, case.origin)
            people = [each for each in assignment.present(connection, there, self.turns.now()) if each.id != whom]
            chosen = assignment.choose(people, [*case.nature, *case.aspect])
            return there, chosen.id if chosen else None

        there, found = await self.database.read(look)
        if found is None:
            raise CaseRefused("no_staff", name=there)
        await self.assign(
            case_id, by, department=there, owner_id=found, required=required, due_at=due_at, version=version
        )
        return found

    async def give_back(self, case_id: int, by: Worker, reason: str, *, version: int | None = None) -> None:
        """A department returns it to the hub, with the reason; nobody owns it, and it waits there."""
        house = self.asking.desk.house

        def decide(effects: Effects, case: Case) -> None:
            values: dict[str, Any] = {"owner_id": None, "department": house.departments.hub, "handed_at": effects.now}
            move(effects, house, case, "returned", "staff", actor=by.actor, reason=reason, **values)
            at = effects.now
            effects.joined.append(lambda c: tasks.cancel_hand_overs(c, house, case.id, at))

        await self.act(case_id, decide, version)

    async def plan(self, case_id: int, by: Worker, plan: str, *, tell: bool = True, version: int | None = None) -> None:
        """What will be done; the customer is told, unless `tell` is False."""

        def decide(effects: Effects, case: Case) -> None:
            self._taken(effects, case, by)
            move(effects, self.asking.desk.house, case, "planned", "staff", actor=by.actor, reason=plan, plan=plan)
            if tell:
                self.tell(effects, self.notices.case_planned, case, plan=plan)

        await self.act(case_id, decide, version)
        if tell:
            await self._tell_others(case_id, self.notices.case_planned, plan=plan)

    async def begin(self, case_id: int, by: Worker, *, version: int | None = None) -> None:
        """Somebody is at it."""

        def decide(effects: Effects, case: Case) -> None:
            self._taken(effects, case, by)
            move(effects, self.asking.desk.house, case, "in_progress", "staff", actor=by.actor)

        await self.act(case_id, decide, version)

    async def ask(self, case_id: int, by: Worker, question: str, *, version: int | None = None) -> None:
        """Something that only the customer knows. Deadlines stand still until they answer."""

        def decide(effects: Effects, case: Case) -> None:
            if case.state in SETTLED or case.state in ("resolved", "following_up"):
                raise CaseRefused("settled")
            if not self.reachable(effects):
                raise CaseRefused("unreachable")
            if case.waiting_since is None:
                wait(effects, self.asking.desk.house, case, by.actor, question)
            if case.responded_at is None:
                responded(effects, self.asking.desk.house, case, by.actor)
            self.tell(effects, self.notices.case_asks, case, question=question)

        await self.act(case_id, decide, version)

    async def resume(self, case_id: int, by: Worker, *, version: int | None = None) -> None:
        """The answer came some other way: deadlines run again."""

        def decide(effects: Effects, case: Case) -> None:
            if case.waiting_since is not None:
                go_on(effects, self.asking.desk.house, case, by.actor)

        await self.act(case_id, decide, version)

    async def resolve(self, case_id: int, by: Worker, result: str, *, version: int | None = None) -> str:
        """It is settled as far as we can see. The customer is told and asked, about another case after they have said
        how the first one stands; where nobody can write to them, somebody is given the task to call. The state that it
        has now."""

        def decide(effects: Effects, case: Case) -> str:
            house = self.asking.desk.house
            self._taken(effects, case, by)
            values: dict[str, Any] = {"result": result}
            if case.responded_at is None:
                values["responded_at"] = effects.now
            move(effects, house, case, "resolved", "staff", actor=by.actor, reason=result, **values)
            definition = self.asking.surveys.for_trigger("case_resolved")
            if definition is None or not self.reachable(effects):
                closing.call_back(effects, house, case)
                return "resolved"
            self.tell(effects, self.notices.case_resolved, case, result=result)
            if follow_ups.awaits(effects, but=case.id):
                return "resolved"
            move(effects, house, case, "following_up", "system", actor="system")
            self.asking.ask(effects, definition, case=case.id)
            return "following_up"

        state = await self.act(case_id, decide, version)
        await self._tell_others(case_id, self.notices.case_resolved, ask=True, result=result)
        return state

    async def answered(
        self, case_id: int, by: Worker, score: float, note: str = "", *, version: int | None = None
    ) -> None:
        """What the customer said when they were called, of 0 to 100: their word counts as a rating does."""

        def decide(effects: Effects, case: Case) -> None:
            if case.state not in ("resolved", "following_up", "closed_unconfirmed"):
                raise CaseRefused("not_asked")
            said = f"told {by.actor}" + (f": {note}" if note else "")
            closing.judged(effects, self.asking.desk.house, case.id, score, effects.now, note=said)

        await self.act(case_id, decide, version)

    async def note(self, case_id: int, by: Worker, *, version: int | None = None, **values: str) -> None:
        """Cause, countermeasure, result: as far as they are given. Each stands on the timeline."""

        def decide(effects: Effects, case: Case) -> None:
            effects.change_guarded(tables.cases, case.id, case.version, values)
            for name, text in values.items():
                told(effects, case.id, name, actor=by.actor, at=effects.now, note=text)

        await self.act(case_id, decide, version)

    async def task(self, task_id: int, new: tasks.State, by: Worker, outcome: str = "") -> None:
        """Acknowledge, finish or return a task; a hand-over that is returned brings its case back to the hub. Raises
        TaskRefused."""
        house = self.asking.desk.house

        def look(connection: Connection) -> tuple[int | None, str]:
            found = connection.execute(
                select(tables.case_tasks.c.case_id, tables.case_tasks.c.kind).where(tables.case_tasks.c.id == task_id)
            ).first()
            if found is None:
                raise tasks.TaskRefused("no_task")
            return found[0], found[1]

        case_id, kind = await self.database.read(look)
        now = self.turns.now()
        if case_id is None:
            await self.database.write(lambda c: tasks.move(c, house, task_id, new, now, outcome))
            return

        def decide(effects: Effects, case: Case) -> None:
            effects.joined.append(lambda c: tasks.move(c, house, task_id, new, now, outcome))
            if kind == "hand_over" and new == "returned":
                values: dict[str, Any] = {"owner_id": None, "department": house.departments.hub, "handed_at": now}
                move(effects, house, case, "returned", "staff", actor=by.actor, reason=outcome, **values)
                return
            note = f"{kind} {task_id}" + (f": {outcome}" if outcome else "")
            effects.change_guarded(cases, case.id, case.version, {})
            told(effects, case.id, f"task_{new}", actor=by.actor, at=now, note=note)

        await self.act(case_id, decide)

    # ---- within ----

    def _taken(self, effects: Effects, case: Case, by: Worker) -> None:
        """Whoever works on what nobody has yet, has it: the first to receive it owns it."""
        if state_now(effects, case) in ("acknowledged", "received", "returned"):
            move(effects, self.asking.desk.house, case, "assigned", "staff", actor=by.actor)
        if case.owner_id is None and by.staff_id is not None and "owner_id" not in values_now(effects, case):
            effects.change_guarded(cases, case.id, case.version, {"owner_id": by.staff_id})

    def tell(self, effects: Effects, words: Words, case: Case, **values: str) -> None:
        """The customer is told of their case, where they can be written to."""
        if self.reachable(effects):
            language = effects.tongue
            text = words.said(language, number=numbers.number(case.id), **values)
            # What stands in [[brackets]] in a person's own words is theirs, not for us to fill.
            effects.say(text.replace("[[", "[ ["), kind="notice")

    async def _tell_others(self, case_id: int, words: Words, *, ask: bool = False, **values: str) -> None:
        """Other customers, whose case was merged into this one, hear what its own customer hears, under their own
        number; with `ask` they are asked for their word, too."""
        definition = self.asking.surveys.for_trigger("case_resolved") if ask else None

        def decide(effects: Effects, case: Case) -> None:
            self.tell(effects, words, case, **values)
            if definition is not None and self.reachable(effects) and not follow_ups.awaits(effects):
                self.asking.ask(effects, definition, case=case.id)

        for part in await self.database.read(lambda connection: merged.of_others(connection, case_id)):
            try:
                await self.act(part, decide)
            except Conflict:  # the case itself has gone on: nobody must be told that it did not
                log.warning("a customer of a merged case could not be told", case=part)

    def reachable(self, effects: Effects) -> bool:
        state = effects.state
        can = self.capabilities_of(state.channel, state.account)
        return not state.public and can is not None and reach.is_open(state.address, can, effects.now)

    async def act(
        self,
        case_id: int,
        decide: _Decide[T],
        version: int | None = None,
        more: Sequence[int] = (),
        lane: str | None = None,
    ) -> T:
        """A turn on a case, in `lane`, else where its customer is written to; `more` cases are known to it."""
        lane = lane or await self._lane(case_id)

        def act(state: LaneState, effects: Effects) -> T:
            case = state.case(case_id)
            if case is None:
                raise NoCase(case_id)
            if version is not None and case.version != version:
                raise CaseRefused("moved_on")
            return decide(effects, case)

        try:
            return await self.turns.act(lane, act, cases=[case_id, *more])
        except RemediesOpen:  # what was promised comes before what is next
            raise CaseRefused("remedies_open") from None

    async def _lane(self, case_id: int) -> str:
        now = self.turns.now()
        found = await self.database.read(lambda c: reach.lane_for(c, case_id, now, self.capabilities_of))
        if found is None:
            raise NoCase(case_id)
        return found
