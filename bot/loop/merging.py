"""Two cases of one matter become one."""

from __future__ import annotations

from typing import Any, cast

from bot.cases import numbers
from bot.cases.rules import SETTLED, outweighs
from bot.loop.case_moves import more_urgent, move, told
from bot.loop.casework import CaseRefused, Casework, NoCase, Worker
from bot.loop.effects import Effects
from nlu.understanding import Urgency
from storage.records import Case
from storage.tables import cases


async def merge(
    work: Casework, case_id: int, into: int, by: Worker, reason: str, *, same: bool = False, version: int | None = None
) -> None:
    """This case ends (`same`: as a duplicate of the other), and what becomes of the other is what becomes of it: also
    another customer is told and asked. The other one is as urgent as the more urgent of both. Raises what Casework
    raises; then nothing was changed."""
    house = work.asking.desk.house

    def decide(effects: Effects, case: Case) -> None:
        other = effects.state.case(into)
        if other is None:
            raise NoCase(into)
        if into == case_id or other.state in SETTLED:
            raise CaseRefused("settled")
        state = "duplicate" if same else "merged"
        move(effects, house, case, state, "staff", actor=by.actor, reason=reason, merged_into=into)  # type: ignore[arg-type] # one of two
        values: dict[str, Any] = {"reports": other.reports + case.reports}
        urgency = cast(Urgency, case.urgency)
        if outweighs(urgency, cast(Urgency, other.urgency)):
            values |= more_urgent(effects, house, other, urgency)
        effects.change_guarded(cases, other.id, other.version, values)
        told(effects, other.id, "joined", actor=by.actor, at=effects.now, note=numbers.number(case.id))

    await work.act(case_id, decide, version, more=[into])
