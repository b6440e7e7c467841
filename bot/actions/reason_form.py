"""The form that asks what lay behind a low rating."""

from __future__ import annotations

from typing import Any

from rasa_sdk import FormValidationAction, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.facts import Facts


class ValidateRatingReasonForm(FormValidationAction):
    """Any words are a reason; a no, or words about something else, end the asking."""

    def name(self) -> str:
        return "validate_rating_reason_form"

    def validate_rating_reason(
        self, value: Any, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        refused = tracker.get_slot("requested_slot") is None or Facts(tracker).intent in ("skip", "deny", "affirm")
        return {"rating_reason": None if refused else value}

    async def next_requested_slot(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        """Asked once."""
        asked = tracker.get_slot("requested_slot")
        event: dict[str, Any] = SlotSet("requested_slot", "rating_reason" if asked is None else None)
        return event
