"""Improvements as they are kept: parts of a unit of work. Every change stands in the audit, with who made it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.cases import numbers, timeline
from bot.improvements import rules
from bot.improvements.rules import ImprovementRefused, Period, State, Verdict
from storage.records import Improvement
from storage.sets import among
from storage.tables import audit, cases, improvement_cases, improvements, ratings, surveys

AT_ONCE = 1_000
"""Cases that one call collects at most."""


def make(connection: Connection, values: dict[str, Any], by: str, now: datetime) -> int:
    """A new improvement. Its id."""
    row = values | {"state": "open", "made_by": by[:60], "made_at": now}
    made = int(connection.execute(insert(improvements).values(row).returning(improvements.c.id)).scalar_one())
    _note(connection, made, "improvement_made", by, now, {"title": values["title"]})
    return made


def change(
    connection: Connection,
    id: int,
    values: dict[str, Any],
    by: str,
    now: datetime,
    *,
    to: State | None = None,
    reason: str = "",
    version: int | None = None,
) -> None:
    """New values, and where it goes. Raises ImprovementRefused."""
    row = _locked(connection, id, version)
    if to is None and values and row.state in ("verified", "dropped"):
        raise ImprovementRefused("over")
    moved: dict[str, Any] = {}
    if to is not None:
        rules.move(cast(State, row.state), to, reason)
        # What is done anew is judged anew.
        moved = {"state": to, "done_at": now if to == "done" else None, "outcome": None, "reason": reason or None}
    connection.execute(
        update(improvements).where(improvements.c.id == id).values(**values, **moved, version=row.version + 1)
    )
    detail = {"changed": sorted(values)} | ({"from": row.state, "to": to, "reason": reason} if to else {})
    _note(connection, id, "improvement_changed", by, now, detail)


def collect(
    connection: Connection,
    id: int,
    add: Sequence[int],
    remove: Sequence[int],
    by: str,
    now: datetime,
    *,
    since: datetime | None = None,
) -> None:
    """Cases that it is about, or no longer is; with `since` those of its topic opened since then. Each case's timeline
    tells of it. Raises ImprovementRefused."""
    row = _locked(connection, id, None)
    known = set(connection.execute(select(cases.c.id).where(cases.c.id.in_([*add, *remove]))).scalars())
    if missing := sorted({*add, *remove} - known):
        raise ImprovementRefused("no_case", numbers=", ".join(map(numbers.number, missing)))
    wanted = list(add)
    if since is not None:
        of_topic = select(cases.c.id).where(cases.c.topic == row.topic, cases.c.opened_at >= since)
        wanted += connection.execute(of_topic.order_by(cases.c.opened_at.desc()).limit(AT_ONCE)).scalars().all()
    here = set(_collected(connection, id))
    new = sorted(set(wanted) - here)
    gone = sorted(set(remove) & here)
    if new:
        rows = [{"improvement_id": id, "case_id": case, "added_by": by[:60], "added_at": now} for case in new]
        connection.execute(_ADD[connection.dialect.name], rows)
    if gone:
        link = improvement_cases.c
        connection.execute(improvement_cases.delete().where(link.improvement_id == id, link.case_id.in_(gone)))
    lines = [
        {"case_id": case, "at": now, "actor": by[:60], "kind": kind, "note": f"{id}: {row.title}"}
        for kind, which in (("improvement", new), ("improvement_left", gone))
        for case in which
    ]
    if lines:
        timeline.write(connection, lines)
        connection.execute(update(improvements).where(improvements.c.id == id).values(version=row.version + 1))
        _note(connection, id, "improvement_cases", by, now, {"added": len(new), "removed": len(gone)})


def figures(connection: Connection, row: Improvement, now: datetime) -> tuple[Period, Period | None]:
    """Its topic in the time before it was made, and in the time since it was done, as far as that has gone; None while
    it is not done."""
    before = period(connection, row.topic, row.made_at - rules.WINDOW, row.made_at)
    if row.done_at is None:
        return before, None
    return before, period(connection, row.topic, row.done_at, min(now, row.done_at + rules.WINDOW))


def period(connection: Connection, topic: str, start: datetime, end: datetime) -> Period:
    """What was heard of a topic from `start` on and before `end`. What was merged is counted where it went."""
    told = select(func.coalesce(func.sum(cases.c.reports), 0)).where(
        cases.c.topic == topic,
        cases.c.opened_at >= start,
        cases.c.opened_at < end,
        ~among(cases.c.state, "merged", "duplicate"),
    )
    score = ratings.c.score
    rated = (
        select(func.count(), func.coalesce(func.sum(score), 0.0), func.coalesce(func.sum(score * score), 0.0))
        .select_from(cases)
        .join(surveys, surveys.c.case_id == cases.c.id)
        .join(ratings, ratings.c.survey_id == surveys.c.id)
        .where(cases.c.topic == topic, ratings.c.received_at >= start, ratings.c.received_at < end)
    )
    n, total, squares = connection.execute(rated).one()
    days = max(end - start, timedelta(0)) / timedelta(days=1)
    return Period(days, int(connection.execute(told).scalar_one()), n, float(total), float(squares))


def verify(connection: Connection, id: int, by: str, now: datetime, note: str = "") -> Verdict:
    """Look at the figures, and keep what they show with their sample sizes: where they are better it is verified.
    Raises ImprovementRefused."""
    row = _locked(connection, id, None)
    before, after = figures(connection, row, now)
    if after is None or row.state not in ("done", "verified"):
        raise ImprovementRefused("not_done")
    found = rules.verdict(before, after)
    outcome = {"verdict": found, "note": note, "before": shown(before), "after": shown(after)}
    values = {
        "outcome": outcome,
        "verified_at": now,
        "verified_by": by[:60],
        "state": "verified" if found == "better" else "done",
        "version": row.version + 1,
    }
    connection.execute(update(improvements).where(improvements.c.id == id).values(values))
    _note(connection, id, "improvement_verified", by, now, {"verdict": found})
    return found


def shown(found: Period) -> dict[str, Any]:
    """A period as it is kept and shown: each figure with how many it rests on."""
    score = found.score
    return {
        "days": round(found.days, 2),
        "volume": found.volume,
        "score": None if score is None else round(score.value, 2),
        "score_low": None if score is None or score.low is None else round(score.low, 2),
        "score_high": None if score is None or score.high is None else round(score.high, 2),
        "ratings": found.rated,
        "small": found.small,
    }


def _collected(connection: Connection, id: int) -> list[int]:
    link = improvement_cases.c
    return list(connection.execute(select(link.case_id).where(link.improvement_id == id).order_by(link.id)).scalars())


def _locked(connection: Connection, id: int, version: int | None) -> Improvement:
    statement = Improvement.select().where(improvements.c.id == id).with_for_update(key_share=True)
    found = connection.execute(statement).first()
    if found is None:
        raise ImprovementRefused("no_improvement")
    row = Improvement(*found)
    if version is not None and row.version != version:
        raise ImprovementRefused("moved_on")
    return row


def _note(connection: Connection, id: int, action: str, by: str, now: datetime, detail: dict[str, Any]) -> None:
    values = {"at": now, "actor": by[:60], "action": action, "subject": f"improvement:{id}", "detail": detail}
    connection.execute(insert(audit).values(values))


_ADD = {
    name: insert_(improvement_cases).on_conflict_do_nothing(index_elements=["improvement_id", "case_id"])
    for name, insert_ in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
