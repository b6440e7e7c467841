"""A case moves on: its state, its timeline, its deadlines and tasks, together with the turn that moves it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection

from bot.cases import alerts, clocks, departments, groups, remedies, rules, tasks
from bot.cases.clocks import House
from bot.cases.deadlines import TASKS
from bot.cases.rules import SETTLED, Actor, Move, Refusal, State
from bot.loop.effects import Effects
from bot.yamlfile import Words, tongue
from nlu.understanding import Language, Nature, Urgency
from storage import tables
from storage.changes import Insert, Update
from storage.records import Case


class IllegalMove(Exception):
    """The case cannot go there. `said` gives the reason in a language; `code` is stable."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.code: str = refusal.code
        self.refusal = refusal

    def said(self, language: Language) -> str:
        return self.refusal.said(language)


def values_now(effects: Effects, case: Case) -> dict[str, Any]:
    """What this turn has changed of the case so far."""
    for change in effects.changes:
        if isinstance(change, Update) and change.table is tables.cases and change.id == case.id:
            return change.values
    return {}


def state_now(effects: Effects, case: Case) -> State:
    """Where the case stands at this point of the turn."""
    return cast(State, values_now(effects, case).get("state", case.state))


def move(
    effects: Effects,
    house: House,
    case: Case,
    new: State,
    by: Actor,
    *,
    actor: str,
    reason: str = "",
    at: datetime | None = None,
    **values: Any,
) -> Move:
    """Move the case, with all that hangs on it. `actor` stands on the timeline; `values` are the case's own. Raises
    IllegalMove."""
    at = at or effects.now
    moved = rules.move(state_now(effects, case), new, by, reason)
    if isinstance(moved, Refusal):
        raise IllegalMove(moved)
    if new in SETTLED:
        values |= {"closed_at": at, "waiting_since": None}
    elif new == "resolved":
        values |= {"resolved_at": at, "waiting_since": None}
    elif new == "reopened":
        values |= {"closed_at": None, "resolved_at": None, "attempt": case.attempt + 1, "waiting_since": None}
    effects.change_guarded(tables.cases, case.id, case.version, values | {"state": new})
    told(effects, case.id, "moved", actor=actor, old=moved.old, to=new, note=moved.reason or None, at=at)
    effects.joined.append(_consequences(house, case, new, at, values))
    owner = values_now(effects, case).get("owner_id", case.owner_id)
    if actor.startswith(("staff:", "api:")) and (new in _AT_WORK or (new == "assigned" and actor == f"staff:{owner}")):
        effects.joined.append(lambda c: alerts.take_for_case(c, case.id, actor, at, pages=True))
    return moved


_AT_WORK = ("planned", "in_progress", "resolved")
"""States that a case comes to only once somebody is at it: whoever moves it there has taken its pages."""


def told(
    effects: Effects,
    case: int | Insert,
    kind: str,
    *,
    actor: str,
    at: datetime,
    old: str | None = None,
    to: str | None = None,
    note: str | None = None,
) -> None:
    """A line of the case's timeline: who, when, what, why."""
    effects.add(
        Insert(
            tables.case_events,
            {
                "case_id": case,
                "at": at,
                "actor": actor,
                "kind": kind,
                "from_state": old,
                "to_state": to,
                "note": note,
            },
        )
    )


def ask_to_take(
    effects: Effects,
    house: House,
    case: Case,
    department: str,
    required: str,
    actor: str,
    due_at: datetime | None = None,
) -> None:
    """A case goes to another department, which is told what is required of it, and acknowledges; nobody else is asked
    any more."""
    at = effects.now

    def work(connection: Connection) -> None:
        tasks.cancel_hand_overs(connection, house, case.id, at)
        tasks.add(
            connection,
            house,
            kind="hand_over",
            department=department,
            required=required,
            by=actor,
            at=at,
            case_id=case.id,
            from_department=case.department,
            due_at=due_at,
        )

    effects.joined.append(work)


def responded(effects: Effects, house: House, case: Case, actor: str) -> None:
    """A person has answered: the first response is met."""
    effects.change_guarded(tables.cases, case.id, case.version, {"responded_at": effects.now})
    told(effects, case.id, "responded", actor=actor, at=effects.now)
    at = effects.now
    effects.joined.append(lambda c: clocks.end(c, case.id, ("first_response",), at, "met", house=house))


def wait(effects: Effects, house: House, case: Case, actor: str, note: str) -> None:
    """We asked the customer something: deadlines stand still until they answer."""
    at = effects.now
    effects.change_guarded(tables.cases, case.id, case.version, {"waiting_since": at})
    told(effects, case.id, "waiting", actor=actor, at=at, note=note)
    effects.joined.append(lambda c: clocks.freeze(c, house, case.id, at))


def go_on(effects: Effects, house: House, case: Case, actor: str = "customer") -> None:
    """They answered: deadlines run again."""
    at = effects.now
    effects.change_guarded(tables.cases, case.id, case.version, {"waiting_since": None})
    told(effects, case.id, "answered", actor=actor, at=at)
    effects.joined.append(lambda c: clocks.thaw(c, house, case.id, at))


def page(effects: Effects, case: int | Insert, department: str | None, reason: str, at: datetime) -> None:
    """Call people at once, until somebody takes it: those of the department, and the supervisors."""

    def work(connection: Connection) -> None:
        id = case.id if isinstance(case, Insert) else case
        subject = f"case:{id}:{reason}"
        who = ("supervisor", *((f"department:{department}",) if department else ()))
        found = [alerts.Alert("urgent", subject, each, at, id, pages=True) for each in who]
        alerts.raise_all(connection, found)

    effects.joined.append(work)


def more_urgent(effects: Effects, house: House, case: Case, urgency: Urgency) -> dict[str, Any]:
    """New values of a case that is more urgent than we knew: its first response is due sooner, counted from when it was
    opened, and what is urgent calls people."""
    row = clocks.values(house, "first_response", case.opened_at, case.department, urgency=urgency)
    effects.joined.append(lambda connection: clocks.hasten(connection, case.id, row))
    if urgency == "urgent":
        page(effects, case.id, case.department, "urgent", effects.now)
    return {"urgency": urgency, "respond_by": min(row["due_at"], case.respond_by)}


def _consequences(
    house: House, case: Case, new: State, at: datetime, values: dict[str, Any]
) -> Callable[[Connection], object]:
    """What a move does to deadlines, tasks and alerts."""
    department: str | None = values.get("department", case.department)
    attempt = values.get("attempt", case.attempt)
    urgency = cast(Urgency, values.get("urgency", case.urgency))

    def work(connection: Connection) -> None:
        if case.waiting_since is not None and "waiting_since" in values:
            clocks.thaw(connection, house, case.id, at)
        if new == "assigned":
            _begin(connection)
            _share(connection)
        if department != case.department and department is not None:
            clocks.hand_over(connection, case.id, department)
        if new in ("planned", "in_progress", "resolved"):
            clocks.end(connection, case.id, ("plan",), at, "met", house=house)
        if new == "resolved":
            clocks.end(connection, case.id, ("first_response", "execution"), at, "met", house=house)
            row = clocks.values(house, "follow_up", at, department, urgency=urgency, attempt=attempt)
            clocks.start(connection, case.id, row)
        if new == "following_up":
            clocks.end(connection, case.id, ("follow_up",), at, "met", house=house)
        if new == "reopened":
            clocks.end(connection, case.id, ("follow_up",), at, "cancelled")
            _begin(connection)
        if new in ("resolved", "merged", "duplicate"):
            remedies.none_open(connection, case.id)
        if new in ("closed", "closed_unconfirmed"):  # what was promised to be paid is kept, also to who is content
            clocks.end(connection, case.id, [each for each in TASKS if each != "remedy"], at, "cancelled", house=house)
        elif new in SETTLED:
            clocks.end(connection, case.id, (), at, "cancelled", house=house)
            remedies.cancel_all(connection, case.id, at)
        if new in SETTLED:
            tasks.cancel_all(connection, case.id, at)
            alerts.take_for_case(connection, case.id, "system", at)
        if case.group_id is not None:
            groups.review(connection, case.group_id)

    def _begin(connection: Connection) -> None:
        for kind in ("plan", "execution"):
            if not clocks.begun(connection, case.id, kind, attempt):
                row = clocks.values(house, kind, at, department, urgency=urgency, attempt=attempt)
                clocks.start(connection, case.id, row)

    def _share(connection: Connection) -> None:
        """Of several departments the others get a task each, once."""
        others = departments.assign(house.departments, cast("list[Nature]", case.nature)).others
        if tasks.any_of(connection, case.id, "sub_task"):
            return
        for other in others:
            if other != department:
                required = _SHARE.said(tongue(case.language), title=case.title)
                tasks.add(
                    connection,
                    house,
                    kind="sub_task",
                    department=other,
                    required=required,
                    by="system",
                    at=at,
                    case_id=case.id,
                    from_department=department,
                )

    return work


_SHARE = Words("请核实并处理属于你们的部分：{title}", "Please check and settle your part of it: {title}")
