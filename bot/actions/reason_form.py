"""The forms that ask what went wrong: after a low rating, and after a tap on "report a problem"."""

from __future__ import annotations

from typing import Any

from rasa_sdk import FormValidationAction, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.facts import Facts
from bot.actions.speech import Events, let_go

_REFUSING = frozenset(("skip", "deny", "affirm"))


class ValidateRatingReasonForm(FormValidationAction):
    """Any words are a reason; a no, or words about something else, end the asking. Asked once."""

    slot = "rating_reason"
    again: frozenset[str] = frozenset()
    """Intents upon which the question is repeated."""

    def name(self) -> str:
        return "validate_rating_reason_form"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        if Facts(tracker).queued:
            return let_go(tracker)  # a person will ask
        events: Events = await super().run(dispatcher, tracker, domain)
        return events

    async def get_extraction_events(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> Events:
        """None: the domain's mappings alone fill the slot."""
        return []

    async def get_validation_events(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> Events:
        found = tracker.slots_to_validate().get(self.slot)
        if found is None:
            return []
        asked = tracker.get_slot("requested_slot") is not None
        refused = not asked or Facts(tracker).intent in _REFUSING
        return [SlotSet(self.slot, None if refused else found)]

    async def next_requested_slot(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        asked = tracker.get_slot("requested_slot") is not None and Facts(tracker).intent not in self.again
        event: dict[str, Any] = SlotSet("requested_slot", None if asked else self.slot)
        return event


class ValidateComplaintForm(ValidateRatingReasonForm):
    """The same, for what a customer came to report."""

    slot = "complaint"
    again = frozenset(("want_to_complain",))

    def name(self) -> str:
        return "validate_complaint_form"


class ValidateOfferForm(ValidateRatingReasonForm):
    """The same, for whether mild words shall become a case: a yes and a no are answers, too."""

    slot = "offer"

    def name(self) -> str:
        return "validate_offer_form"
