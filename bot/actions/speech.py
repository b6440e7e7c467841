"""How actions speak: a response of the domain, or a command to our services."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import ActiveLoop, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.facts import Facts
from bot.engine.commands import NOTE_LIMIT, VALUE_LIMIT

Events = list[dict[str, Any]]


def say(dispatcher: CollectingDispatcher, response: str, **values: Any) -> None:
    """Say `response`, its placeholders filled from `values` and then from slots."""
    dispatcher.utter_message(response=response, **values)


def ask_for(dispatcher: CollectingDispatcher, command: str, **values: Any) -> None:
    """Ask our services to do something (see `bot.engine.commands`)."""
    dispatcher.utter_message(json_message={"earful": {"command": command, **values}})


def hand_off(dispatcher: CollectingDispatcher, facts: Facts, reason: str) -> Events:
    """Give the conversation to a person, tell the customer what that means now, and stop asking for anything."""
    ask_for(dispatcher, "hand_off", reason=reason)
    if facts.office_open:
        say(dispatcher, "utter_hand_off_open")
    elif facts.urgent_case:
        say(dispatcher, "utter_queue_urgent")
    elif facts.opens_at:
        say(dispatcher, "utter_hand_off_closed", opens_at=facts.opens_at)
    else:
        say(dispatcher, "utter_hand_off_closed_unknown")
    return end_form()


def end_form() -> Events:
    """Whatever form is active ends, its question unanswered."""
    return [ActiveLoop(None), SlotSet("requested_slot", None)]


def let_go(tracker: Tracker) -> Events:
    """The form ends in its validation: the message was no answer, and nothing of it is kept in the form's slots."""
    return [*(SlotSet(slot, None) for slot in tracker.slots_to_validate()), *end_form()]


def update_case(dispatcher: CollectingDispatcher, fields: dict[str, str], note: str = "") -> None:
    """Add to the conversation's case; nothing is asked where there is nothing to add."""
    kept = {name: value.strip()[:VALUE_LIMIT] for name, value in fields.items() if value.strip()}
    if note.strip():
        ask_for(dispatcher, "update_case", fields=kept, note=note.strip()[:NOTE_LIMIT])
    elif kept:
        ask_for(dispatcher, "update_case", fields=kept)
