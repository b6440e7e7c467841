"""Who sees a case, and who may act on it: by role, by department, and never the one whom it judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, and_, cast, literal, or_, select

from bot.staff.sessions import Member
from storage.tables import case_tasks, cases, conversations, staff, surveys


@dataclass(frozen=True, slots=True)
class Scope:
    """What a member may touch. `department` is None for whoever was put into none: a small house knows no departments.
    The `hub` hands out what arrives, so its people act on every case."""

    member: Member
    department: str | None
    hub: str

    def acts_on(self, case: Any, holds: bool = False) -> bool:
        """Supervisors, the hub and whoever belongs to no department on every case; others on their own, on those of
        their department, and on those of the conversation that they hold (`holds`)."""
        return (
            self.member.supervisor
            or holds
            or self.department in (None, self.hub, case.department)
            or case.owner_id == self.member.id
        )

    def acts_on_task(self, task: Any) -> bool:
        """A task is answered by its department, by whom it was given to, and by supervisors."""
        return self.member.supervisor or self.department in (None, task.department) or task.owner_id == self.member.id


def scope(connection: Connection, member: Member, hub: str) -> Scope:
    own = connection.execute(select(staff.c.department).where(staff.c.id == member.id)).scalar()
    return Scope(member, own, hub)


def shown_to(member: Member) -> ColumnElement[bool]:
    """Cases that this member may see: all but those that a rating of themselves opened."""
    judged = select(literal("survey:") + cast(surveys.c.id, String)).where(surveys.c.judged == f"staff:{member.id}")
    return cases.c.origin.not_in(judged)


def visible(connection: Connection, member: Member, case_id: int) -> Any:
    """The case's row, or None where there is none for this member."""
    return connection.execute(select(cases).where(cases.c.id == case_id, shown_to(member))).first()


def holds(connection: Connection, member: Member, conversation: int) -> bool:
    """Whether the member has this conversation."""
    mine = and_(conversations.c.id == conversation, conversations.c.owner == "agent")
    return (
        connection.execute(select(conversations.c.id).where(mine, conversations.c.agent_id == member.id)).first()
        is not None
    )


def visible_task(connection: Connection, member: Member, task_id: int) -> Any:
    """The task's row, or None where there is none, or its case is none of this member's."""
    statement = (
        select(case_tasks)
        .outerjoin(cases, cases.c.id == case_tasks.c.case_id)
        .where(case_tasks.c.id == task_id, or_(case_tasks.c.case_id.is_(None), shown_to(member)))
    )
    return connection.execute(statement).first()
