"""Which cases are meant: the same filters for lists, saved views and exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import ColumnElement, exists, select

from bot.cases.rules import SETTLED, State
from storage.tables import cases, contacts, deadlines, staff

_OPEN = sorted(set(get_args(State)) - SETTLED)


@dataclass(frozen=True, slots=True)
class Wanted:
    """None: it does not matter. `customer` is the business system's id, `owner` a login, `overdue` a deadline that
    runs and has passed, `group` the cases of one matter that many told, `opened_from` and `opened_before` the span in
    which it was opened."""

    state: str | None = None
    open: bool | None = None
    urgency: str | None = None
    department: str | None = None
    customer: str | None = None
    owner: str | None = None
    owned: bool | None = None
    nature: str | None = None
    overdue: bool | None = None
    waiting: bool | None = None
    group: int | None = None
    opened_from: datetime | None = None
    opened_before: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """What matters, to be kept."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in found.items()
            if value is not None
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Wanted:
        """As it was kept, by this version or another: what is not known any more does not matter."""
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in kept.items() if name in known}
        for name in ("opened_from", "opened_before"):
            if name in values:
                values[name] = datetime.fromisoformat(values[name])
        return cls(**values)


def conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    """Of a statement in which `cases`, `contacts` and `staff` (the owner) are joined."""
    found: list[ColumnElement[bool]] = []
    for column, value in (
        (cases.c.state, wanted.state),
        (cases.c.urgency, wanted.urgency),
        (cases.c.department, wanted.department),
        (contacts.c.external_id, wanted.customer),
        (staff.c.login, wanted.owner),
        (cases.c.group_id, wanted.group),
    ):
        if value is not None:
            found.append(column == value)
    if wanted.open is not None:
        found.append(cases.c.state.in_(_OPEN if wanted.open else sorted(SETTLED)))
    if wanted.owned is not None:
        found.append(cases.c.owner_id.is_not(None) if wanted.owned else cases.c.owner_id.is_(None))
    if wanted.waiting is not None:
        found.append(cases.c.waiting_since.is_not(None) if wanted.waiting else cases.c.waiting_since.is_(None))
    if wanted.nature is not None:
        found.append(cases.c.topic.startswith(f"{wanted.nature}:", autoescape=True))
    if wanted.overdue is not None:
        late = exists(
            select(deadlines.c.id).where(
                deadlines.c.case_id == cases.c.id,
                deadlines.c.state.in_(["running", "frozen"]),
                deadlines.c.breached_at.is_not(None),
            )
        )
        found.append(late if wanted.overdue else ~late)
    if wanted.opened_from is not None:
        found.append(cases.c.opened_at >= wanted.opened_from)
    if wanted.opened_before is not None:
        found.append(cases.c.opened_at < wanted.opened_before)
    return found
