"""The form that asks for what a case lacks: each thing once, politely, and never in the way of something else."""

from __future__ import annotations

import re
from typing import Any

from rasa_sdk import FormValidationAction, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.complaining import FORM, open_case, other_order
from bot.actions.contact import as_email, as_phone
from bot.actions.facts import Facts
from bot.actions.no_more import no_more
from bot.actions.speech import Events, ask_for, hand_off, let_go, update_case
from bot.engine.commands import VALUE_LIMIT

ORDER = ("details", "order_number", "way_back")
"""What is asked for, in this order."""
_NUMBER = re.compile(r"(?=[A-Z0-9-]*\d{3})[A-Z0-9][A-Z0-9-]{4,38}[A-Z0-9]", re.IGNORECASE)
_SKIPPING = frozenset(("skip", "deny", "affirm"))


class ValidateCaseDetailsForm(FormValidationAction):
    """Keeps what looks like an answer; anything else about the matter becomes a note on the case."""

    def name(self) -> str:
        return f"validate_{FORM}"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        if facts.queued:
            return let_go(tracker)  # a person will ask
        if tracker.get_slot("requested_slot") is not None:
            if facts.urgency == "urgent":  # with a number and a deadline of its own: the first one's is too late
                open_case(dispatcher, tracker, facts)
                return let_go(tracker)
            if facts.intent == "complain" and other_order(facts):  # another order is another matter
                open_case(dispatcher, tracker, facts)
                return let_go(tracker)
            if facts.furious:
                update_case(dispatcher, {}, facts.text)
                hand_off(dispatcher, facts, "anger")
                return let_go(tracker)
        events: Events = await super().run(dispatcher, tracker, domain)
        return events

    async def get_extraction_events(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> Events:
        """None: the domain's mappings alone fill the slots, so none is asked after one by one."""
        return []

    def validate_details(
        self, value: Any, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        facts = Facts(tracker)
        if tracker.get_slot("requested_slot") != "details" or _skips(facts):
            return {"details": None}
        return self._note(dispatcher, facts, "details")

    def validate_order_number(
        self, value: Any, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        facts = Facts(tracker)
        asked = tracker.get_slot("requested_slot")
        if asked is None:
            return {"order_number": value}  # the message that opened the case: the case has it already
        contact = facts.entity("phone") or facts.entity("email")
        found = facts.entity("order_number") or (None if contact else as_order_number(str(value or "")))
        if found and facts.intent not in _SKIPPING:
            update_case(dispatcher, {"order_number": found})
            return {"order_number": found[:VALUE_LIMIT], "told": "order_number"}
        if asked != "order_number" or contact or _skips(facts):
            return {"order_number": None}
        return self._note(dispatcher, facts, "order_number")

    def validate_way_back(
        self, value: Any, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        facts = Facts(tracker)
        asked = tracker.get_slot("requested_slot")
        if asked is None:
            return {"way_back": value}
        if _skips(facts):
            return {"way_back": None}
        found = self._contact(dispatcher, facts)
        if found:
            return {"way_back": found, "told": "way_back"}
        return self._note(dispatcher, facts, "way_back") if asked == "way_back" else {"way_back": None}

    async def next_requested_slot(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        """The next thing that is missing and was not asked for yet; None ends the form."""
        facts = Facts(tracker)
        wanted = {
            "details": bool(tracker.get_slot("needs_details")),
            "order_number": bool(tracker.get_slot("needs_order_number")),
            "way_back": facts.channel == "web" and not facts.reachable,
        }
        asked = tracker.get_slot("requested_slot")
        rest = ORDER[ORDER.index(asked) + 1 :] if asked in ORDER else ORDER
        missing = (slot for slot in rest if wanted[slot] and tracker.get_slot(slot) is None)
        event: dict[str, Any] = SlotSet("requested_slot", next(missing, None))
        return event

    def _note(self, dispatcher: CollectingDispatcher, facts: Facts, slot: str) -> dict[str, Any]:
        """What is no answer is kept all the same: the case's people will make sense of it."""
        if not facts.text:
            return {slot: None}
        update_case(dispatcher, {}, facts.text)
        return {slot: None, "told": "note"}

    def _contact(self, dispatcher: CollectingDispatcher, facts: Facts) -> str | None:
        """A phone number or mail address in the message, remembered; None if there is none."""
        for kind, found in (
            ("email", as_email(facts.entity("email") or facts.text)),
            ("phone", as_phone(facts.entity("phone") or facts.text)),
        ):
            if found:
                ask_for(dispatcher, "remember", **{kind: found})
                update_case(dispatcher, {"contact": found})
                return found
        return None


def _skips(facts: Facts) -> bool:
    """They have nothing to tell."""
    return facts.intent in _SKIPPING or no_more(facts.text)


def as_order_number(text: str) -> str | None:
    """The one thing in a short text that looks like an order number: letters, digits and dashes, three digits in a
    row."""
    found = _NUMBER.findall(text) if len(text) <= 80 else []
    return found[0] if len(found) == 1 else None
