"""Who of a department takes a case: by presence, skill and load."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from bot.cases.rules import SETTLED
from bot.staff.presence import HERE
from storage.sets import among
from storage.tables import cases, staff, surveys


@dataclass(frozen=True, slots=True)
class Colleague:
    """`skills` are natures and aspects that they know; `load` the cases that they have."""

    id: int
    skills: frozenset[str]
    load: int


def judged(connection: Connection, origin: str) -> int | None:
    """Whom the rating judges that a case comes from, if it is one of the staff: it is somebody else's to settle."""
    kind, _, survey = origin.partition(":")
    if kind != "survey" or not survey.isdecimal():
        return None
    whom = connection.execute(select(surveys.c.judged).where(surveys.c.id == int(survey))).scalar() or ""
    member = whom.removeprefix("staff:")
    return int(member) if whom.startswith("staff:") and member.isdecimal() else None


def choose(present: Sequence[Colleague], needs: Collection[str]) -> Colleague | None:
    """Who knows most of what it `needs`; of these who has least to do; of these the one longest with us."""
    wanted = set(needs)
    return min(present, key=lambda each: (-len(each.skills & wanted), each.load, each.id), default=None)


def present(connection: Connection, department: str, now: datetime) -> list[Colleague]:
    """Those of a department who are there: their desk is open, and they are not away."""
    people = select(staff.c.id, staff.c.skills).where(
        staff.c.department == department,
        staff.c.disabled_at.is_(None),
        staff.c.away.is_(False),
        staff.c.seen_at > now - HERE,
    )
    found = connection.execute(people).all()
    counted = (
        select(cases.c.owner_id, func.count())
        .where(cases.c.owner_id.in_([row.id for row in found]), ~among(cases.c.state, *sorted(SETTLED)))
        .group_by(cases.c.owner_id)
    )
    load: dict[int | None, int] = {row[0]: row[1] for row in connection.execute(counted)}
    return [Colleague(row.id, frozenset(row.skills or ()), load.get(row.id, 0)) for row in found]
