"""Before each turn: what the rules and responses need to know of it."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.facts import Facts
from bot.actions.speech import Events

COUNTS_ITSELF = frozenset(("nlu_fallback", "out_of_scope", "ask_question", "something_else"))
"""Intents whose own action says whether the customer was understood."""


class BeginTurn(Action):
    """Sets the language of what is said, who owns the conversation, and forgets misses once something is understood.
    Runs at every message as the mapping of the slots that it sets."""

    def name(self) -> str:
        return "action_begin_turn"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        wanted: dict[str, Any] = {"owner": "queue" if facts.queued else "bot"}
        if facts.language:
            wanted["language"] = facts.language
        if facts.intent not in COUNTS_ITSELF:
            wanted["misses"] = 0.0
        return [SlotSet(name, value) for name, value in wanted.items() if tracker.get_slot(name) != value]
