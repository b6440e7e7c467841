"""One case as the desk shows it: where it stands, by when what is due, what may be done next, and all that happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, select

from bot.cases import numbers, rules
from bot.cases.rules import MOVES, SETTLED, State
from bot.content import Content
from bot.desk import case_scope, case_timeline
from bot.desk.case_scope import Scope
from bot.desk.case_timeline import actor, state_name
from bot.desk.moments import length, stamp
from bot.desk.transcript import without_keys
from bot.desk.words import named
from bot.staff.sessions import Member
from nlu.understanding import Language
from storage.sets import among
from storage.tables import case_reports, case_tasks, cases, contacts, conversations, deadlines, staff

_SIBLINGS = 8
_BEFORE_WORK = frozenset({"received", "acknowledged", "returned"})
"""States from which planning, beginning and resolving take the case first."""

FINDINGS = ("cause", "countermeasure", "result")


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a case is put into words, and when."""

    member: Member
    content: Content
    now: datetime
    language: Language

    def stamp(self, at: datetime | None) -> str | None:
        return None if at is None else stamp(at, self.now, self.content.calendar.zone, self.language)

    def department(self, key: str | None) -> str | None:
        name = self.content.departments.names.get(key or "")
        return name.said(self.language) if name else key


def read(connection: Connection, reader: Reader, case_id: int) -> dict[str, Any] | None:
    """The case; None where there is none that this member may see."""
    row = case_scope.visible(connection, reader.member, case_id)
    if row is None:
        return None
    scope = case_scope.scope(connection, reader.member, reader.content.departments.hub)
    held = case_scope.holds(connection, reader.member, row.conversation_id)
    timeline = case_timeline.lines(connection, case_id, reader.content, reader.now, reader.language)
    acts = legal(row, reader.member) if scope.acts_on(row, held) else []
    return {
        "number": numbers.number(row.id),
        "title": without_keys(row.title),
        "state": row.state,
        "state_name": state_name(row.state, reader.language),
        "urgency": row.urgency,
        "nature": [each for each in row.nature if each != "none"],
        "department": row.department,
        "department_name": reader.department(row.department),
        "owner": _name(connection, row.owner_id),
        "mine": row.owner_id == reader.member.id,
        "customer": _customer(connection, row),
        "fields": row.fields or {},
        "opened": reader.stamp(row.opened_at),
        "handed": reader.stamp(row.handed_at or row.opened_at),
        "waiting": length(reader.now - (row.handed_at or row.opened_at), reader.language),
        "asked": reader.stamp(row.waiting_since),
        "reports": row.reports,
        "attempt": row.attempt,
        "score": row.score,
        "plan": row.plan,
        "findings": {name: getattr(row, name) for name in FINDINGS},
        "merged_into": _number(connection, reader, row.merged_into),
        "settled": row.state in SETTLED,
        "deadlines": _deadlines(connection, reader, case_id),
        "tasks": _tasks(connection, reader, scope, case_id),
        "parts": _parts(connection, reader, case_id),
        "siblings": _siblings(connection, reader, row),
        "linked": _linked(connection, reader, row),
        "timeline": timeline,
        "version": row.version,
        "seen": timeline[-1]["id"] if timeline else 0,
        "acts": acts,
        "why_not": None if acts or row.state in rules.FINAL else "not_yours",
    }


def legal(case: Any, member: Member) -> list[str]:
    """What may be done to a case where it stands now, the most likely first. What the rules would refuse is not
    offered."""
    state = cast(State, case.state)
    onward = MOVES[state]

    def works(new: State) -> bool:
        return new in onward or state in _BEFORE_WORK

    found = {
        "take": "assigned" in onward and case.owner_id != member.id,
        "plan": works("planned"),
        "begin": works("in_progress") and state != "in_progress",
        "resolve": works("resolved"),
        "follow_up": state == "resolved",
        "answered": state in ("resolved", "following_up", "closed_unconfirmed"),
        "ask": state not in SETTLED and state not in ("resolved", "following_up"),
        "resume": case.waiting_since is not None,
        "assign": "assigned" in onward,
        "hand_over": "assigned" in onward,
        "give_part": state not in SETTLED,
        "give_back": "returned" in onward,
        "reopen": "reopened" in onward,
        "merge": "merged" in onward,
        "split": state not in rules.FINAL,
        "remedy": state not in SETTLED and state not in ("resolved", "following_up"),
        "call_back": state not in SETTLED,
        "findings": True,
    }
    return [name for name, may in found.items() if may]


# ---- parts ----


def _name(connection: Connection, member: int | None) -> str | None:
    if member is None:
        return None
    return connection.execute(select(staff.c.name).where(staff.c.id == member)).scalar()


def _number(connection: Connection, reader: Reader, case_id: int | None) -> str | None:
    if case_id is None or case_scope.visible(connection, reader.member, case_id) is None:
        return None
    return numbers.number(case_id)


def _customer(connection: Connection, case: Any) -> dict[str, Any]:
    statement = (
        select(contacts.c.id, contacts.c.name, contacts.c.phone, contacts.c.email, contacts.c.segment)
        .add_columns(conversations.c.id.label("conversation"), conversations.c.owner, conversations.c.channel)
        .add_columns(conversations.c.thread)
        .select_from(contacts)
        .join(conversations, conversations.c.id == case.conversation_id)
        .where(contacts.c.id == case.contact_id)
    )
    row = connection.execute(statement).one()
    return {
        "id": row.id,
        "name": row.name,
        "phone": row.phone,
        "email": row.email,
        "segment": row.segment,
        "conversation": row.conversation,
        "view": {"queue": "queue", "bot": "bot"}.get(row.owner, "team"),
        "entered": row.thread.split(":")[1] if row.thread.startswith("api:") else None,
    }


def _deadlines(connection: Connection, reader: Reader, case_id: int) -> list[dict[str, Any]]:
    """What runs or stands still, the next first; then what was kept or missed."""
    table = deadlines.c
    rows = connection.execute(select(deadlines).where(table.case_id == case_id).order_by(table.due_at, table.id))
    found = [
        {
            "kind": named(f"deadline.{row.kind}", reader.language) or row.kind,
            "state": row.state,
            "due_at": row.due_at,
            "due": reader.stamp(row.due_at),
            "late": row.due_at < reader.now if row.state == "running" else row.breached_at is not None,
            "left": length(abs(row.due_at - reader.now), reader.language),
            "running": row.state in ("running", "frozen"),
            "ended": reader.stamp(row.ended_at),
        }
        for row in rows
        if row.state != "cancelled"
    ]
    return sorted(found, key=lambda each: not each["running"])


def _tasks(connection: Connection, reader: Reader, scope: Scope, case_id: int) -> list[dict[str, Any]]:
    statement = (
        select(case_tasks, staff.c.name.label("owner"))
        .outerjoin(staff, staff.c.id == case_tasks.c.owner_id)
        .where(case_tasks.c.case_id == case_id)
        .order_by(case_tasks.c.id)
    )
    return [task_view(connection, reader, scope, row) for row in connection.execute(statement).all()]


def task_view(connection: Connection, reader: Reader, scope: Scope, row: Any) -> dict[str, Any]:
    """A task in words. `open` ones that are this member's to answer have `mine`."""
    still = row.state in ("waiting", "acknowledged")
    who = case_timeline.names(connection, [row.made_by])
    return {
        "id": row.id,
        "kind": row.kind,
        "department": reader.department(row.department),
        "from": reader.department(row.from_department),
        "owner": row.owner,
        "required": without_keys(row.required),
        "state": row.state,
        "open": still,
        "mine": still and row.kind != "call_back" and scope.acts_on_task(row),
        "due_at": row.due_at,
        "due": reader.stamp(row.due_at),
        "late": still and row.due_at is not None and row.due_at < reader.now,
        "left": None if row.due_at is None else length(abs(row.due_at - reader.now), reader.language),
        "outcome": without_keys(row.outcome) if row.outcome else None,
        "made": reader.stamp(row.made_at),
        "made_by": actor(row.made_by, who, reader.language),
    }


def _parts(connection: Connection, reader: Reader, case_id: int) -> list[dict[str, Any]]:
    """What joined the case: what the customer told again, and the cases that were merged into it. `key` names it for a
    split."""
    told = connection.execute(
        select(case_reports.c.id, case_reports.c.at, case_reports.c.text)
        .where(case_reports.c.case_id == case_id, case_reports.c.split_into.is_(None))
        .order_by(case_reports.c.id)
    )
    merged = connection.execute(
        select(cases.c.id, cases.c.opened_at, cases.c.title)
        .where(cases.c.merged_into == case_id, case_scope.shown_to(reader.member))
        .order_by(cases.c.id)
    )
    return [
        {"key": f"report:{row.id}", "number": None, "at": reader.stamp(row.at), "text": without_keys(row.text)}
        for row in told
    ] + [
        {"key": f"merged:{row.id}", "number": numbers.number(row.id), "at": reader.stamp(row.opened_at)}
        | {"text": without_keys(row.title)}
        for row in merged
    ]


def _siblings(connection: Connection, reader: Reader, case: Any) -> list[Mapping[str, Any]]:
    """The same customer's other cases that are worked on: one of them may be the same matter."""
    open_states = sorted(set(MOVES) - SETTLED)
    theirs = (cases.c.contact_id == case.contact_id, cases.c.id != case.id, among(cases.c.state, *open_states))
    return _listed(connection, reader, *theirs)


def _linked(connection: Connection, reader: Reader, case: Any) -> dict[str, Any] | None:
    """The same matter, told by many: the latest of the other cases. None where it was told by few."""
    if case.group_id is None:
        return None
    found = _listed(connection, reader, cases.c.group_id == case.group_id, cases.c.id != case.id)
    return {"group": case.group_id, "cases": found}


def _listed(connection: Connection, reader: Reader, *where: ColumnElement[bool]) -> list[Mapping[str, Any]]:
    statement = (
        select(cases.c.id, cases.c.title, cases.c.state)
        .where(*where, case_scope.shown_to(reader.member))
        .order_by(cases.c.id.desc())
        .limit(_SIBLINGS)
    )
    return [
        {
            "number": numbers.number(row.id),
            "title": without_keys(row.title),
            "state": state_name(row.state, reader.language),
        }
        for row in connection.execute(statement)
    ]
