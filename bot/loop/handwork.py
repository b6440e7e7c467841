"""What people do to cases by their own hand beside moving them: open one, give a part of it away, ask for the rating.

Each raises what Casework raises; then nothing was changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.cases import call_backs, tasks
from bot.cases.clocks import House
from bot.cases.rules import SETTLED
from bot.loop import follow_ups
from bot.loop.case_moves import move, told
from bot.loop.casework import CaseRefused, Casework, NoCase, Worker
from bot.loop.effects import Effects
from bot.loop.state import LaneState
from nlu.understanding import Nature, Urgency
from storage import tables
from storage.changes import Insert
from storage.records import Case

ORIGIN = "desk"
PRESSED_TWICE = timedelta(minutes=2)
"""The same words again within this time are the same case: a button pressed twice."""


async def open_case(
    work: Casework,
    lane: str,
    by: Worker,
    *,
    title: str,
    nature: Sequence[Nature],
    urgency: Urgency,
    fields: Mapping[str, str],
    tell: bool = True,
) -> int:
    """A case that a person opens in this conversation; the customer is told its number, unless `tell` is False. It is
    theirs: the first to receive it owns it. Its id. Raises NoCase where there is no such conversation."""
    desk = work.asking.desk

    def decide(state: LaneState, effects: Effects) -> int | Insert:
        if state.conversation is None:
            raise NoCase(lane)
        for known in state.cases:
            if known.origin == ORIGIN and known.title == title and effects.now - known.opened_at < PRESSED_TWICE:
                return known.id
        row = desk.open(
            effects,
            title=title,
            nature=nature,
            aspect=[],
            urgency=urgency,
            fields=dict(fields),
            origin=ORIGIN,
            at=effects.now,
            actor=by.actor,
        )
        if tell and work.reachable(effects):
            language = effects.tongue
            promise = desk.promise(urgency, effects.now, language)
            words = work.notices.low_rating.said(language, number="[[case_number]]", promise=promise)
            effects.say(words, kind="notice")
        return row

    made = await work.turns.act(lane, decide)
    if isinstance(made, int):
        return made
    if made.id is None:
        raise AssertionError("a case was opened and is not there")
    if by.staff_id is not None:
        await work.assign(made.id, by, owner_id=by.staff_id)
    return made.id


async def give_part(
    work: Casework,
    case_id: int,
    by: Worker,
    *,
    department: str,
    required: str,
    due_at: datetime | None = None,
    version: int | None = None,
) -> None:
    """A sub-task for a department: what is `required`, by when. The case stays where it is."""
    house = work.asking.desk.house
    if department not in house.departments.names:
        raise CaseRefused("no_department", name=department)

    def decide(effects: Effects, case: Case) -> None:
        if case.state in SETTLED:
            raise CaseRefused("settled")
        at = effects.now

        def add(connection: Connection) -> None:
            tasks.add(
                connection,
                house,
                kind="sub_task",
                department=department,
                required=required,
                by=by.actor,
                at=at,
                case_id=case.id,
                from_department=case.department,
                due_at=due_at,
            )

        effects.change_guarded(tables.cases, case.id, case.version, {})
        told(effects, case.id, "task_given", actor=by.actor, at=at, note=f"{department}: {required}")
        effects.joined.append(add)

    await work.act(case_id, decide, version)


async def follow_up(work: Casework, case_id: int, by: Worker, *, version: int | None = None) -> None:
    """Ask the customer for their word on a resolved case, whom nobody could write to until now. Whoever was to call
    them need not any more."""
    house = work.asking.desk.house

    def decide(effects: Effects, case: Case) -> None:
        definition = work.asking.surveys.for_trigger("case_resolved")
        if follow_ups.awaits(effects, but=case.id):
            raise CaseRefused("asked_of_another")
        move(effects, house, case, "following_up", "staff", actor=by.actor)
        if definition is None or not work.reachable(effects):
            raise CaseRefused("unreachable")
        work.asking.ask(effects, definition, case=case.id)
        _called_off(effects, house, case.id)

    await work.act(case_id, decide, version)


async def reopen(work: Casework, case_id: int, by: Worker, reason: str, *, version: int | None = None) -> None:
    """Somebody sees that it is not settled after all, before the customer says so."""
    house = work.asking.desk.house

    def decide(effects: Effects, case: Case) -> None:
        move(effects, house, case, "reopened", "staff", actor=by.actor, reason=reason)
        _called_off(effects, house, case.id)

    await work.act(case_id, decide, version)


def _called_off(effects: Effects, house: House, case_id: int) -> None:
    at = effects.now
    effects.joined.append(lambda connection: call_backs.call_off(connection, house, case_id, at))
