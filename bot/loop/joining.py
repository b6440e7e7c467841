"""One matter told again: it joins the open case, counted and shown; and it is parted from it where it was another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, select, text, update

from bot.cases import numbers, rules, sameness, timeline
from bot.cases.clocks import House
from bot.cases.rules import SETTLED
from bot.cases.sameness import Matter
from bot.loop.case_moves import move, state_now, told, values_now
from bot.loop.closing import call_again
from bot.loop.effects import Effects
from nlu.understanding import Urgency
from storage import tables
from storage.changes import Insert
from storage.database import Conflict
from storage.records import Case, Report
from storage.sets import among

ORDER = "order_number"
_ONE_BY_ONE = text(
    "select pg_advisory_xact_lock(hashtext('contact_cases'), cast(cast(:contact as bigint) % 2147483647 as integer))"
)


def join(
    effects: Effects,
    house: House,
    case: Case,
    at: datetime,
    *,
    summary: str,
    nature: Sequence[str],
    aspect: Sequence[str],
    urgency: str,
    fields: Mapping[str, Any],
) -> Insert:
    """It is told again: counted, kept as it was said, on the timeline. What we held for settled is not."""
    row = _report(effects, case.id, summary, nature, aspect, urgency, fields, at)
    known = values_now(effects, case)
    values = {
        "reports": known.get("reports", case.reports) + 1,
        "reported_at": at,
        "fields": completed(known.get("fields", case.fields), fields),
    }
    effects.change_guarded(tables.cases, case.id, case.version, values)
    told(effects, case.id, "reported", actor="customer", at=at, note=summary)
    if state_now(effects, case) in ("resolved", "following_up"):
        urgent = rules.raised(cast(Urgency, case.urgency))
        move(effects, house, case, "reopened", "customer", actor="customer", reason=summary, at=at, urgency=urgent)
        effects.joined.append(call_again(case, urgent, at))
    return row


def part(effects: Effects, report: Report, own: Insert, at: datetime, *, actor: str, reason: str = "") -> None:
    """What joined has a case of its own: no longer counted in the other one, and each says where the other is."""
    effects.joined.append(lambda connection: _parted(connection, report.id, own))
    take_out(effects, effects.state.case(report.case_id), own, 1, at, actor=actor, reason=reason, was=report.case_id)
    report.split_into = 0  # a second tap in the same turn finds it done


def take_out(
    effects: Effects,
    case: Case | None,
    own: Insert,
    counted: int,
    at: datetime,
    *,
    actor: str,
    reason: str = "",
    was: int | None = None,
) -> None:
    """`own` was a part of `case`, which counts so many reports less. `case` None: it is settled, and stays as it is."""
    id = case.id if case is not None else was
    if id is None:
        raise AssertionError("a part of no case")
    told(effects, own, "split_from", actor=actor, at=at, note=_named(id, reason))
    if case is not None:
        now = values_now(effects, case).get("reports", case.reports)
        effects.change_guarded(tables.cases, case.id, case.version, {"reports": max(now - counted, 1)})
    effects.joined.append(lambda c: _gone(c, id, own, at, actor, reason))


def opened_now(
    effects: Effects, title: str, nature: Sequence[str], aspect: Sequence[str], urgency: str, fields: Mapping[str, Any]
) -> Insert | None:
    """The case of the same matter that this very turn opens."""
    new = Matter(title, nature, aspect, urgency, fields.get(ORDER))
    for change in effects.changes:
        if isinstance(change, Insert) and change.table is tables.cases:
            row = change.values
            known = Matter(row["title"], row["nature"], row["aspect"], row["urgency"], row["fields"].get(ORDER))
            if sameness.same(new, known, row["opened_at"], row["opened_at"]):
                return change
    return None


def told_again(
    effects: Effects,
    case: Insert,
    summary: str,
    nature: Sequence[str],
    aspect: Sequence[str],
    urgency: str,
    fields: Mapping[str, Any],
    at: datetime,
) -> None:
    """The same, in the turn that opens the case."""
    _report(effects, case, summary, nature, aspect, urgency, fields, at)
    case.values |= {"reports": case.values.get("reports", 1) + 1, "reported_at": at}
    case.values["fields"] = completed(case.values["fields"], fields)
    told(effects, case, "reported", actor="customer", at=at, note=summary)


def completed(known: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """A case's fields with what was told; another order's number does not take the place of the one it has."""
    kept = dict(told)
    if known.get(ORDER) and kept.get(ORDER) and sameness.order_key(known[ORDER]) != sameness.order_key(kept[ORDER]):
        del kept[ORDER]
    return {**known, **kept}


def watch(effects: Effects, row: Insert) -> None:
    """Who writes on two channels at one moment has two lanes, decided apart: the second to be written is decided again,
    and joins. Somebody whom nobody identified has one lane."""
    contact, known = effects.state.contact, {case.id for case in effects.state.cases}
    if contact is None or contact.external_id is None or row.values["topic"] is None:
        return
    cases = tables.cases

    def work(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":  # not the contact's row: it comes first in the order of locks
            connection.execute(_ONE_BY_ONE, {"contact": contact.id})
        found = select(cases.c.id).where(
            cases.c.contact_id == contact.id,
            ~among(cases.c.state, *sorted(SETTLED)),
            cases.c.topic == row.values["topic"],
            cases.c.opened_at > row.values["opened_at"] - sameness.WITHIN,
        )
        others = set(connection.execute(found).scalars().all()) - known - {row.id}
        mine = {change.id for change in effects.changes if isinstance(change, Insert) and change.table is cases}
        if others - mine:
            raise Conflict("the same customer has just opened another case of this matter")

    effects.joined.append(work)


def _report(
    effects: Effects,
    case: int | Insert,
    summary: str,
    nature: Sequence[str],
    aspect: Sequence[str],
    urgency: str,
    fields: Mapping[str, Any],
    at: datetime,
) -> Insert:
    values = {
        "case_id": case,
        "conversation_id": effects.conversation_id,
        "at": at,
        "text": summary,
        "nature": list(nature),
        "aspect": list(aspect),
        "urgency": urgency,
        "fields": dict(fields),
    }
    return effects.add(Insert(tables.case_reports, values))


def _parted(connection: Connection, report_id: int, own: Insert) -> None:
    """Once: the customer may tap while somebody splits."""
    table = tables.case_reports
    statement = update(table).where(table.c.id == report_id, table.c.split_into.is_(None)).values(split_into=own.id)
    if connection.execute(statement).rowcount != 1:
        raise Conflict("somebody has just split this report")


def _gone(connection: Connection, case_id: int, own: Insert, at: datetime, actor: str, reason: str) -> None:
    if own.id is None:
        raise AssertionError("a case is spoken of before it is written")
    line = {"case_id": case_id, "at": at, "actor": actor, "kind": "split", "note": _named(own.id, reason)}
    timeline.write(connection, [line])


def _named(case_id: int, reason: str) -> str:
    return numbers.number(case_id) + (f": {reason}" if reason else "")
