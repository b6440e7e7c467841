"""Persons: asking for one, waiting for one, and thinking better of it."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.facts import Facts
from bot.actions.speech import Events, ask_for, end_form, hand_off, say


class AskPerson(Action):
    """The customer wants a person."""

    def name(self) -> str:
        return "action_ask_person"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        if facts.queued:
            tell_position(dispatcher, facts)
            return []
        return hand_off(dispatcher, facts, "asked")


class QueuePosition(Action):
    """How long until a person comes?"""

    def name(self) -> str:
        return "action_queue_position"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        if facts.queued:
            tell_position(dispatcher, facts)
        else:
            say(dispatcher, "utter_not_in_queue")
        return []


class Cancel(Action):
    """Not after all: the wait for a person, or what we were asking."""

    def name(self) -> str:
        return "action_cancel"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        if facts.queued:
            ask_for(dispatcher, "cancel_hand_off")
            say(dispatcher, "utter_hand_off_cancelled")
            return []
        if tracker.active_loop_name:
            say(dispatcher, "utter_cancelled")
            return end_form()
        say(dispatcher, "utter_nothing_to_cancel")
        return []


class StaySilent(Action):
    """A person is on the way and will read it: it stands on the transcript."""

    def name(self) -> str:
        return "action_stay_silent"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        return []


def tell_position(dispatcher: CollectingDispatcher, facts: Facts) -> None:
    if not facts.office_open and facts.opens_at:
        say(dispatcher, "utter_queue_closed", opens_at=facts.opens_at)
    elif facts.position == 1:
        say(dispatcher, "utter_queue_next")
    elif facts.position:
        say(dispatcher, "utter_queue_position", ahead=facts.position - 1)
    else:
        say(dispatcher, "utter_queue_unknown")
