"""Forms: asking for one slot after another. What Rasa 3.6's FormAction does, step for step.

`validate_<form>`, if the domain has it, sees every candidate and may change it, refuse it (None), ask for another slot
(`requested_slot`) or end the form (`requested_slot` None). A form that asked and got nothing rejects the message, so
that rules may answer it; then the form asks again.
"""

from __future__ import annotations

from typing import Any

from bot.engine.domain import LISTEN, REQUESTED_SLOT, Form
from bot.engine.message import Command, Response
from bot.engine.running import Followup, FormRejected, LoopSet, Outcome, Rejected, Runner, SlotSet
from bot.engine.talk import Talk
from bot.errors import ActionError


async def run_form(runner: Runner, talk: Talk, form: Form) -> list[Outcome]:
    """Run `form` once. `talk` is not changed. Raises FormRejected."""
    outcomes: list[Outcome] = []
    if talk.loop_name != form.name:
        outcomes.append(LoopSet(form.name))
        outcomes += await _activate(runner, talk, form)
    if not _done(outcomes):
        outcomes += await _do(runner, talk, form, outcomes)
    if _done(outcomes):
        outcomes.append(LoopSet(None))
    return outcomes


async def _activate(runner: Runner, talk: Talk, form: Form) -> list[Outcome]:
    """The message that activates a form may already fill some of it."""
    begun = talk.copy()
    begun.activate(form.name)
    # What an extracting action says it has said already, when the message came in.
    extracted: list[Outcome] = [each for each in await runner.extract(begun) if isinstance(each, SlotSet)]
    _apply(begun, form, extracted)
    prefilled = {slot: value for slot in form.required if (value := begun.slots[slot]) is not None}
    if _validation(begun, form) is None:
        return extracted
    validated = await _validate_slots(runner, begun, form, prefilled)
    named = {each.name for each in validated if isinstance(each, SlotSet)}
    return validated + [each for each in extracted if isinstance(each, SlotSet) and each.name not in named]


async def _do(runner: Runner, talk: Talk, form: Form, so_far: list[Outcome]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    if all(isinstance(each, LoopSet) for each in so_far):
        outcomes = await _validate_if_required(runner, talk, form)
    if not any(isinstance(each, Rejected) for each in outcomes):
        outcomes += await _request_next(runner, talk, form, [*so_far, *outcomes])
    return outcomes


async def _validate_if_required(runner: Runner, talk: Talk, form: Form) -> list[Outcome]:
    if talk.loop is None or (talk.previous == LISTEN and not talk.loop.interrupted):
        return await _validate(runner, talk, form)
    return await _validate_slots(runner, talk, form, {})


async def _validate(runner: Runner, talk: Talk, form: Form) -> list[Outcome]:
    requested = _requested(talk, form)
    wanted = {*form.required, requested}
    candidates = {name: value for name, value in talk.set_this_turn if name in wanted}
    outcomes = await _validate_slots(runner, talk, form, candidates)
    something = candidates or any(isinstance(e, SlotSet) and e.name != REQUESTED_SLOT for e in outcomes)
    if requested and not something and not any(isinstance(each, Rejected) for each in outcomes):
        raise FormRejected
    return outcomes


async def _validate_slots(runner: Runner, talk: Talk, form: Form, candidates: dict[str, Any]) -> list[Outcome]:
    action = _validation(talk, form)
    if action is None:
        return []
    trial = talk.copy()
    trial.slots[REQUESTED_SLOT] = _requested(talk, form)
    trial.slots |= candidates
    trial.previous = form.name
    events: list[dict[str, Any]] = [{"event": "action", "timestamp": None, "name": form.name}]
    events += [{"event": "slot", "timestamp": None, "name": n, "value": value} for n, value in candidates.items()]
    return await runner.custom(trial, action, events)


async def _request_next(runner: Runner, talk: Talk, form: Form, so_far: list[Outcome]) -> list[Outcome]:
    if _done(so_far):
        return [SlotSet(REQUESTED_SLOT, None)]
    chosen = next((e.value for e in so_far if isinstance(e, SlotSet) and e.name == REQUESTED_SLOT), None)
    trial = talk.copy()
    trial.slots[REQUESTED_SLOT] = _requested(talk, form)
    _apply(trial, form, so_far)
    outcomes: list[Outcome] = []
    if not chosen:
        chosen = next((slot for slot in form.required if trial.slots[slot] is None), None)
        outcomes.append(SlotSet(REQUESTED_SLOT, chosen))
    if not chosen:
        return [SlotSet(REQUESTED_SLOT, None)]
    return outcomes + await _ask(runner, trial, form, chosen)


async def _ask(runner: Runner, talk: Talk, form: Form, slot: str) -> list[Outcome]:
    for name in (f"{form.name}_{slot}", slot):
        if f"action_ask_{name}" in talk.domain.actions:
            try:
                return await runner.custom(talk, f"action_ask_{name}")
            except FormRejected:
                raise ActionError(f"action_ask_{name}", "rejects, where it shall ask") from None
        if f"utter_ask_{name}" in talk.domain.responses:
            return [runner.utter(talk, f"utter_ask_{name}", form.name)]
    return []


def _validation(talk: Talk, form: Form) -> str | None:
    name = f"validate_{form.name}"
    return name if name in talk.domain.actions else None


def _requested(talk: Talk, form: Form) -> str | None:
    """The slot that this form asked for; one that another form asked for does not count."""
    found = talk.slots[REQUESTED_SLOT] if talk.loop_name == form.name else None
    return None if found is None else str(found)


def _done(outcomes: list[Outcome]) -> bool:
    """The last word on the requested slot, or on the active form, is None."""
    if any(isinstance(each, Rejected) for each in outcomes):
        return False
    slots = [each for each in outcomes if isinstance(each, SlotSet) and each.name == REQUESTED_SLOT]
    loops = [each for each in outcomes if isinstance(each, LoopSet)]
    return bool((slots and slots[-1].value is None) or (loops and loops[-1].name is None))


def _apply(talk: Talk, form: Form, outcomes: list[Outcome]) -> None:
    for each in outcomes:
        if isinstance(each, SlotSet):
            talk.set(each.name, each.value)
        elif isinstance(each, LoopSet):
            talk.activate(each.name)
        elif not isinstance(each, Response | Command | Followup | Rejected):
            raise ActionError(f"validate_{form.name}", f"returned {type(each).__name__}, which a validation may not")
