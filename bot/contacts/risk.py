"""Customers who may be lost (R5.3), each with its reason and what it stands on. Parts of a unit of work.

Looked at are those of whom something is new (a rating, a complaint), and those of whom time alone may change it: a
silence that grows too long, a complaint that grows old. Whoever is at risk is looked at every day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.contacts import priority
from bot.contacts.care import RISKS, Risk, Risks
from storage.sets import one_of
from storage.tables import addresses, call_tries, care_watches, case_tasks, cases, contacts, ratings, surveys

DAY = timedelta(days=1)
BATCH = 500
"""Customers looked at in one transaction."""

_NO_COMPLAINT = frozenset({"withdrawn", "duplicate", "merged"})
_FRIENDLY = frozenset({"praise", "suggestion"})
_watch = care_watches.c


@dataclass(frozen=True, slots=True)
class Found:
    """`reason` None: not at risk. `look_at`: when time alone may change that. `evidence`: its surveys, cases."""

    reason: Risk | None
    look_at: datetime | None
    evidence: dict[str, list[int]] = field(default_factory=dict)


def due(connection: Connection, now: datetime) -> list[int]:
    """Customers of whom time alone may have changed it, at most BATCH."""
    statement = select(_watch.contact_id).where(_watch.look_at.is_not(None), _watch.look_at <= now)
    return list(connection.execute(statement.order_by(_watch.look_at).limit(BATCH)).scalars())


def next_due(connection: Connection) -> datetime | None:
    return connection.execute(select(func.min(_watch.look_at)).where(_watch.look_at.is_not(None))).scalar()


def look(connection: Connection, risks: Risks, customers: Collection[int], now: datetime) -> dict[int, Risk]:
    """Look at `customers` again and write down what is found. Those who are at risk since now, with the reason."""
    ids = sorted(customers)
    if not ids:
        return {}
    known = select(_watch.contact_id, _watch.reason, _watch.since).where(one_of(_watch.contact_id, "ids"))
    before = {row.contact_id: row for row in connection.execute(known, {"ids": ids})}
    found = assessed(connection, risks, ids, now)
    rows = [
        {
            "contact_id": id,
            "look_at": each.look_at,
            "reason": each.reason,
            "since": before[id].since if id in before and before[id].reason == each.reason else each.reason and now,
            "evidence": each.evidence or None,
        }
        for id, each in found.items()
        if id in before or each.reason or each.look_at  # all others give no cause to remember them
    ]
    if rows:
        connection.execute(_WRITE[connection.dialect.name], rows)
    was = {id: row.reason for id, row in before.items()}
    changed = [id for id in ids if was.get(id) != found[id].reason]
    for why in (*RISKS, None):
        whose = [id for id in changed if found[id].reason == why]
        if whose:
            connection.execute(_MARK, {"ids": whose, "why": why})
    if changed:
        priority.rank_again(connection, changed)
    return {id: reason for id in changed if (reason := found[id].reason) is not None and was.get(id) is None}


def forget(connection: Connection, former: int, new: int, now: datetime) -> None:
    """`former` turned out to be `new`, who is looked at again."""
    gone = care_watches.delete().where(_watch.contact_id == former)
    if connection.execute(gone).rowcount:
        row = {"contact_id": new, "look_at": now, "reason": None, "since": None, "evidence": None}
        connection.execute(_WATCH[connection.dialect.name], [row])


def assessed(connection: Connection, risks: Risks, ids: Sequence[int], now: datetime) -> dict[int, Found]:
    """What is to be said of each customer now; nothing is written. Anonymous ratings do not count: a mark must not
    tell who gave them."""
    rated = _rated(connection, risks, ids)
    complained = _complained(connection, risks, ids, now)
    last = [id for id in ids if rated[id] and rated[id][0].score < risks.low_below]
    heard = _heard(connection, last)
    found: dict[int, Found] = {}
    for id in ids:
        scores, told = rated[id], complained[id]
        low = len(scores) >= risks.in_a_row and all(each.score < risks.low_below for each in scores)
        again = [told[risks.complaints - 1].opened_at + risks.within] if len(told) >= risks.complaints else []
        silent_at = None
        if scores and scores[0].score < risks.low_below and scores[0].at > now - risks.within:
            silent_at = max(scores[0].at, heard.get(id, scores[0].at)) + risks.silent
            again += [silent_at] if silent_at > now else []
        evidence: dict[str, list[int]] = {}
        reason: Risk | None = None
        if low:
            reason, evidence = "low_ratings", {"surveys": [each.survey for each in scores]}
        elif len(told) >= risks.complaints:
            reason, evidence = "complaints", {"cases": [each.id for each in told]}
        elif silent_at is not None and silent_at <= now:
            reason, evidence = "silent", {"surveys": [scores[0].survey]}
        look_at = min(again, default=None)
        found[id] = Found(reason, min(look_at or now + DAY, now + DAY) if reason else look_at, evidence)
    return found


@dataclass(frozen=True, slots=True)
class _Rated:
    survey: int
    score: float
    at: datetime


def _rated(connection: Connection, risks: Risks, ids: Sequence[int]) -> dict[int, list[_Rated]]:
    """The last ratings of each, as many as count in a row, the newest first."""
    place = func.row_number().over(
        partition_by=surveys.c.contact_id, order_by=(ratings.c.received_at.desc(), ratings.c.id.desc())
    )
    ordered = (
        select(surveys.c.contact_id, surveys.c.id, ratings.c.score, place.label("place"))
        .add_columns(func.coalesce(ratings.c.changed_at, ratings.c.received_at).label("at"))
        .join(ratings, ratings.c.survey_id == surveys.c.id)
        .where(one_of(surveys.c.contact_id, "ids"), ~surveys.c.anonymous)
        .subquery()
    )
    last = select(ordered).where(ordered.c.place <= risks.in_a_row).order_by(ordered.c.place)
    found: dict[int, list[_Rated]] = defaultdict(list)
    for row in connection.execute(last, {"ids": list(ids)}):
        found[row.contact_id].append(_Rated(row.id, row.score, row.at))
    return found


def _complained(connection: Connection, risks: Risks, ids: Sequence[int], now: datetime) -> dict[int, list[Any]]:
    """The complaints of each within the time that counts, the newest first: what a rating opened is none."""
    statement = (
        select(cases.c.contact_id, cases.c.id, cases.c.opened_at, cases.c.nature)
        .where(
            one_of(cases.c.contact_id, "ids"),
            cases.c.opened_at > now - risks.within,
            cases.c.state.not_in(sorted(_NO_COMPLAINT)),
            ~cases.c.origin.startswith("survey:"),
        )
        .order_by(cases.c.opened_at.desc(), cases.c.id.desc())
    )
    found: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(statement, {"ids": list(ids)}):
        if not row.nature or row.nature[0] not in _FRIENDLY:
            found[row.contact_id].append(row)
    return found


def _heard(connection: Connection, ids: Iterable[int]) -> dict[int, datetime]:
    """When each of these was last spoken to: they wrote, or were reached by telephone."""
    given = {"ids": sorted(ids)}
    wrote = select(addresses.c.contact_id, func.max(addresses.c.heard_at).label("at")).where(
        one_of(addresses.c.contact_id, "ids"), addresses.c.heard_at.is_not(None)
    )
    called = (
        select(case_tasks.c.contact_id, func.max(call_tries.c.at).label("at"))
        .join(call_tries, call_tries.c.task_id == case_tasks.c.id)
        .where(one_of(case_tasks.c.contact_id, "ids"), call_tries.c.result == "reached")
    )
    found: dict[int, datetime] = {}
    for statement in (wrote.group_by(addresses.c.contact_id), called.group_by(case_tasks.c.contact_id)):
        for row in connection.execute(statement, given):
            found[row.contact_id] = max(row.at, found.get(row.contact_id, row.at))
    return found


_KEPT = ("look_at", "reason", "since", "evidence")
_MARK = update(contacts).where(one_of(contacts.c.id, "ids")).values(risk=bindparam("why"))


def _upsert(dialect: Any, *kept: str) -> Any:
    made = dialect.insert(care_watches)
    return made.on_conflict_do_update(index_elements=["contact_id"], set_={name: made.excluded[name] for name in kept})


_WRITE = {name: _upsert(dialect, *_KEPT) for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))}
_WATCH = {name: _upsert(dialect, "look_at") for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))}
