"""A case's follow-up asks for the customer's word on the result. Nothing takes its place while they have not given it:
what else we would like to know is left out, and the next resolved case waits its turn."""

from __future__ import annotations

from collections.abc import Callable

from bot.cases import call_backs
from bot.cases.clocks import House
from bot.loop.case_moves import move, state_now
from bot.loop.effects import Effects
from bot.loop.reach import is_open
from storage.records import Survey


def awaits(effects: Effects, but: int | None = None) -> bool:
    """Whether we wait at this address for the word on a case, other than the case `but`."""
    older = effects.state.awaiting
    case = effects.state.case(older.case_id) if older and older.case_id is not None else None
    return case is not None and case.id != but and state_now(effects, case) == "following_up"


def ask_next(effects: Effects, house: House, over: Survey, ask: Callable[[int], object]) -> None:
    """The follow-up `over` may have ended in this turn: then `ask` about the case that was resolved meanwhile, the
    oldest first. Nobody needs to call about it any more."""
    state = effects.state
    if over.case_id is None or state.awaiting is not None:
        return
    resolved = [case for case in state.cases if state_now(effects, case) == "resolved"]
    if not resolved or state.public or not is_open(state.address, effects.capabilities, effects.now):
        return
    case, at = min(resolved, key=lambda each: each.id), effects.now
    move(effects, house, case, "following_up", "system", actor="system")
    ask(case.id)
    effects.joined.append(lambda connection: call_backs.call_off(connection, house, case.id, at))
