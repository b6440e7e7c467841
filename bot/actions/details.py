"""Details given unasked: an order number, a place, more about a case that is open."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.answering import answered
from bot.actions.complaining import FIELDS, open_case, other_order
from bot.actions.facts import Facts
from bot.actions.speech import Events, say, update_case
from bot.engine.commands import VALUE_LIMIT

OBJECTS = frozenset(("product", "service", "price", "logistics", "complaint"))
"""Natures of a complaint."""


class NoteDetails(Action):
    """They belong to the open case. Without one, or of another order than that one's, they may be a complaint that
    begins with its order number, a question, or the beginning of something: then the number is kept for what
    follows."""

    def name(self) -> str:
        return "action_note_details"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        case = facts.current
        if case is not None and not other_order(facts):
            fields = {name: found for name in FIELDS if (found := facts.entity(name))}
            update_case(dispatcher, fields, facts.text)
            say(dispatcher, "utter_noted", case_no=case.number)
            return []
        if facts.negative and OBJECTS & set(facts.nature):
            return open_case(dispatcher, tracker, facts)
        events = answered(dispatcher, facts)
        if not events:
            say(dispatcher, "utter_details_of_what")
        number = facts.entity("order_number")
        return [*events, SlotSet("mentioned_order", number[:VALUE_LIMIT])] if number else events
