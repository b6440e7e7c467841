"""Complaints and suggestions: recorded at once, with a number and a promise that the deadlines keep."""

from __future__ import annotations

from typing import Any, get_args

from rasa_sdk import Action, Tracker
from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.contact import as_email, as_phone
from bot.actions.facts import Facts
from bot.actions.speech import Events, ask_for, hand_off, say
from bot.engine.commands import SUMMARY_LIMIT, VALUE_LIMIT
from nlu.understanding import Nature

FORM = "case_details_form"
NATURES = get_args(Nature)
WISHES = frozenset(("suggestion", "praise"))
"""Natures that ask for no apology and need no order number."""
BARE_LENGTH = 32
"""Longer than this, and the customer has told something."""
FIELDS = ("order_number", "place")
"""Entities that a case keeps."""


class OpenCase(Action):
    """The customer complains, or proposes something."""

    def name(self) -> str:
        return "action_open_case"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        if facts.nature[:1] == ["praise"]:
            say(dispatcher, "utter_praise_thanks")
            return []
        return open_case(dispatcher, tracker, facts)


class ReasonGiven(Action):
    """What went wrong, asked after a low rating or a tap on "report a problem": a complaint, unless the customer would
    rather not say."""

    def name(self) -> str:
        return "action_reason_given"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        events = [SlotSet("rating_reason", None), SlotSet("complaint", None)]
        if facts.queued:
            return events
        if tracker.get_slot("rating_reason") or tracker.get_slot("complaint"):
            events += open_case(dispatcher, tracker, facts)
        elif facts.intent in ("skip", "deny"):
            say(dispatcher, "utter_never_mind")
        return events


class CompleteCase(Action):
    """The questions about a case are over: thanks for what was told, no word more about what was not."""

    def name(self) -> str:
        return "action_complete_case"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        if facts.queued:
            return [SlotSet("told", None)]
        if tracker.get_slot("told"):
            say(dispatcher, "utter_details_thanks")
        elif facts.intent in ("skip", "deny"):
            say(dispatcher, "utter_details_skipped")
        return [SlotSet("told", None)]


def open_case(dispatcher: CollectingDispatcher, tracker: Tracker, facts: Facts) -> Events:
    """Record it, say so, and go on: to a person where one is needed (R3.2), else to what is missing (R2.6)."""
    fields = {name: found[:VALUE_LIMIT] for name in FIELDS if (found := facts.entity(name))}
    for kind, contact in (
        ("phone", as_phone(facts.entity("phone") or "")),
        ("email", as_email(facts.entity("email") or "")),
    ):
        if contact:
            fields["contact"] = contact
            ask_for(dispatcher, "remember", **{kind: contact})
    wish = bool(facts.nature) and set(facts.nature) <= WISHES
    ask_for(
        dispatcher,
        "open_case",
        summary=facts.text[:SUMMARY_LIMIT] or facts.intent,
        nature=[each for each in facts.nature if each in NATURES] or ["other"],
        aspect=facts.aspect,
        urgency=facts.urgency,
        fields=fields,
    )
    _acknowledge(dispatcher, tracker, facts, wish)
    events = [
        SlotSet("details", None),
        SlotSet("order_number", None),
        SlotSet("way_back", None),
        SlotSet("needs_details", not wish and _bare(facts)),
        SlotSet("told", None),
        SlotSet("needs_order_number", not wish and "order_number" not in fields),
        SlotSet("apologised", True if not wish else tracker.get_slot("apologised")),
    ]
    reason = _person_needed(facts)
    if facts.queued:
        return events
    if reason:
        return events + hand_off(dispatcher, facts, reason)
    return [*events, FollowupAction(FORM)]


def _acknowledge(dispatcher: CollectingDispatcher, tracker: Tracker, facts: Facts, wish: bool) -> None:
    """Received, under this number, answered by then. Sorry once in a conversation, not with every sentence."""
    promise = facts.promise(facts.urgency)
    if wish:
        say(dispatcher, "utter_suggestion_opened")
    elif not promise:
        say(dispatcher, "utter_case_opened_unpromised")
    elif tracker.get_slot("apologised"):
        say(dispatcher, "utter_case_opened_again", promise=promise)
    else:
        say(dispatcher, "utter_case_opened", promise=promise)


def _bare(facts: Facts) -> bool:
    """The customer says that they complain, and nothing of what happened."""
    if facts.aspect or any(facts.entity(name) for name in FIELDS):
        return False
    unnamed = set(facts.nature) <= {"complaint", "other", "none"}
    return len(facts.text) <= (BARE_LENGTH if unnamed else BARE_LENGTH // 5)


def _person_needed(facts: Facts) -> str | None:
    if facts.urgency == "urgent":
        return "urgent"
    if facts.furious:
        return "anger"
    return "high_value" if facts.high_value else None
