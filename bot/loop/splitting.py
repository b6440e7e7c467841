"""A part of a case becomes a case of its own: what joined it, a merged case, or something it also is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, select

from bot.cases import numbers
from bot.loop import joining
from bot.loop.case_moves import told
from bot.loop.casework import CaseRefused, Casework, NoCase, Worker
from bot.loop.effects import Effects
from nlu.understanding import Nature, Urgency
from storage import tables
from storage.changes import Insert
from storage.database import Conflict
from storage.records import Case, Report
from storage.tables import cases, conversations


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What the new case is to be. `report` names what joined, `merged` the id of a case that was merged; neither: the
    `title` says it. What is None is as it was there."""

    report: int | None = None
    merged: int | None = None
    title: str | None = None
    nature: Sequence[Nature] | None = None
    aspect: Sequence[str] | None = None
    urgency: Urgency | None = None


@dataclass(frozen=True, slots=True)
class Splitting:
    """Raises what Casework raises; then nothing was changed."""

    casework: Casework

    async def split(self, case_id: int, by: Worker, part: Part, reason: str, *, version: int | None = None) -> int:
        """Take `part` out of a case. Both timelines tell of it, and so is the customer. The id of the new case."""
        work, desk = self.casework, self.casework.asking.desk
        report, lane = await work.database.read(lambda connection: _look(connection, case_id, part))
        if report is not None and report.split_into is not None:
            raise CaseRefused("is_split")

        def decide(effects: Effects, case: Case) -> Insert:
            merged = effects.state.case(part.merged) if part.merged is not None else None
            if part.merged is not None and (merged is None or merged.merged_into != case_id):
                raise CaseRefused("no_report")
            was = report or merged or case
            given: dict[str, Any] = {
                "title": part.title or (was.text if isinstance(was, Report) else was.title),
                "nature": list(part.nature or cast("list[Nature]", was.nature)),
                "aspect": list(was.aspect if part.aspect is None else part.aspect),
                "urgency": part.urgency or cast(Urgency, was.urgency),
                "fields": dict(was.fields) if was is not case else {},
            }
            own = desk.open(effects, **given, origin=f"case:{case_id}", at=effects.now, actor=by.actor)
            if report is not None:
                joining.part(effects, report, own, effects.now, actor=by.actor, reason=reason)
            else:
                counted = merged.reports if merged else 0
                joining.take_out(effects, case, own, counted, effects.now, actor=by.actor, reason=reason)
            if merged is not None:
                told(effects, merged.id, "split", actor=by.actor, at=effects.now, note=reason)
            language = effects.tongue
            if work.reachable(effects):
                promise = desk.promise(given["urgency"], effects.now, language)
                words = work.notices.case_split.said(
                    language, number="[[case_number]]", other=numbers.number(case_id), promise=promise
                )
                effects.say(words, kind="notice")
            return own

        more = [part.merged] if part.merged is not None else []
        try:
            made = await work.act(case_id, decide, version, more=more, lane=lane)
        except Conflict:  # the customer may have said so themselves at this moment
            if part.report is None or not await work.database.read(lambda c: _is_split(c, part.report)):
                raise
            raise CaseRefused("is_split") from None
        if made.id is None:
            raise AssertionError("the new case is not written")
        return made.id


def _is_split(connection: Connection, report: int | None) -> bool:
    table = tables.case_reports
    statement = select(table.c.id).where(table.c.id == report, table.c.split_into.is_not(None))
    return connection.execute(statement).first() is not None


def _look(connection: Connection, case_id: int, part: Part) -> tuple[Report | None, str | None]:
    """What is to be taken out, and the lane in which it was told; None: where the customer is written to."""
    if connection.execute(select(cases.c.id).where(cases.c.id == case_id)).first() is None:
        raise NoCase(case_id)
    if part.report is None:
        return None, None
    table = tables.case_reports
    report = Report.one(connection, table.c.id == part.report, table.c.case_id == case_id)
    if report is None:
        raise CaseRefused("no_report")
    lane = connection.execute(select(conversations.c.lane).where(conversations.c.id == report.conversation_id)).scalar()
    return report, lane
