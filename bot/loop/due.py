"""A planned survey is due: it is asked, or why not is recorded. What held when it was planned may hold no more, and a
stop of the service may have made it late."""

from __future__ import annotations

from bot.loop import follow_ups
from bot.loop.asking import TOO_OLD, Asking
from bot.loop.effects import Effects, TimerSet
from bot.loop.reaching import reach_of
from bot.surveys import selection
from bot.surveys.definitions import Definition
from bot.surveys.selection import Suppressed
from storage import tables
from storage.records import Survey


def ask(asking: Asking, effects: Effects, survey: Survey) -> None:
    """Its time has come."""
    if survey.state != "planned":
        return
    together = [each for each in effects.state.surveys.values() if each.state == "planned" and each.id > survey.id]
    if together:  # one prompt is enough, and the newest service is the one to ask about
        _left(effects, survey, "superseded", "newer_survey")
        return
    found = _still(asking, effects, survey)
    if isinstance(found, str):
        _left(effects, survey, "suppressed", found)
        return
    allowed = asking.hours(found, effects.now)
    if allowed > effects.now:  # a stop of the service made it late: it waits for the morning
        effects.set_timer(TimerSet(f"survey:{survey.id}", "ask", allowed, late="replan"))
        effects.change(tables.surveys, survey.id, {"asked_at": allowed})
        return
    if follow_ups.awaits(effects):
        _left(effects, survey, "suppressed", "case_follow_up")
        return
    if effects.state.awaiting and found.trigger == "schedule":
        # What is asked of a service goes before what is asked by the way.
        _left(effects, survey, "suppressed", "cooldown")
        return
    asking.ask_planned(effects, found, survey.id)


def _left(effects: Effects, survey: Survey, state: str, reason: str) -> None:
    effects.change(tables.surveys, survey.id, {"state": state, "reason": reason, "asked_at": None})


def _still(asking: Asking, effects: Effects, survey: Survey) -> Definition | str:
    """The definition to ask now, or why not."""
    now, address = effects.now, effects.state.address
    if address is None or address.id != survey.address_id or address.contact_id != survey.contact_id:
        return "no_address"  # it belongs to another customer by now
    if survey.expires_at is not None and now >= survey.expires_at:
        return TOO_OLD
    definition = asking.surveys.get(survey.definition)
    if definition is None:
        return "no_definition"
    if not definition.sample:
        return "sampled_out"  # switched off since
    decision = selection.reached(definition, [reach_of(address, effects.capabilities)], now)
    return decision.reason if isinstance(decision, Suppressed) else definition
