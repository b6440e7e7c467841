"""A conversation is linked to a case that there is already, by hand."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from bot.cases import numbers
from bot.cases.rules import SETTLED
from bot.loop.case_moves import told
from bot.loop.casework import CaseRefused, Casework, NoCase, Worker
from bot.loop.effects import Effects
from storage import tables
from storage.records import Case


async def link(work: Casework, lane: str, case_id: int, by: Worker, words: str, *, name: str = "") -> None:
    """What is said in this conversation is the matter of a case that there is already: the case counts it and shows its
    `words`. Whoever answers here answers it. It stays where it is and as it is; the customer is told nothing. `name` is
    theirs who links it."""

    def decide(effects: Effects, case: Case) -> None:
        talk = effects.state.conversation
        if talk is None:
            raise NoCase(lane)
        if case.state in SETTLED:
            raise CaseRefused("settled")
        at, reports = effects.now, tables.case_reports

        def add(connection: Connection) -> None:
            there = (reports.c.conversation_id == talk.id, reports.c.case_id == case.id)
            known = select(reports.c.id).where(*there, reports.c.split_into.is_(None))
            if case.conversation_id == talk.id or connection.execute(known).first() is not None:
                raise CaseRefused("is_linked", number=numbers.number(case.id))
            values = {"case_id": case.id, "conversation_id": talk.id, "at": at, "text": words, "fields": {}}
            values |= {"nature": list(case.nature), "aspect": list(case.aspect), "urgency": case.urgency}
            connection.execute(insert(reports).values(values))

        effects.change_guarded(tables.cases, case.id, case.version, {"reports": case.reports + 1, "reported_at": at})
        told(effects, case.id, "linked", actor=by.actor, at=at, note=words)
        effects.record("system", "linked", data={"staff": name, "to": numbers.number(case.id)}, staff_id=by.staff_id)
        effects.joined.append(add)

    await work.act(case_id, decide, lane=lane)
