"""What of a case is due next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from storage.sets import among, one_of
from storage.tables import deadlines

_d = deadlines.c


@dataclass(frozen=True, slots=True)
class Coming:
    """The deadline of a case that is due next."""

    kind: str
    due_at: datetime


def upcoming(connection: Connection, ids: Sequence[int]) -> dict[int, Coming]:
    """Of each case the running deadline that is due next."""
    statement = select(_d.case_id, _d.kind, _d.due_at).where(one_of(_d.case_id, "ids"), among(_d.state, "running"))
    found: dict[int, list[Coming]] = defaultdict(list)
    for row in connection.execute(statement, {"ids": list(ids)}):
        found[row.case_id].append(Coming(row.kind, row.due_at))
    return {case: min(each, key=lambda one: one.due_at) for case, each in found.items()}
