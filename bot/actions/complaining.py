"""Complaints and suggestions: recorded at once, with a number and a promise that the deadlines keep."""

from __future__ import annotations

import re
from typing import Any, get_args

from rasa_sdk import Action, Tracker
from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.contact import as_email, as_phone
from bot.actions.danger import in_danger
from bot.actions.facts import Facts, OpenCase
from bot.actions.mildness import is_mild
from bot.actions.no_more import no_more
from bot.actions.speech import Events, ask_for, end_form, hand_off, say
from bot.cases.sameness import Matter, order_key
from bot.engine.commands import SUMMARY_LIMIT, VALUE_LIMIT
from nlu.understanding import Nature

FORM = "case_details_form"
OFFER = "offer_form"
NATURES = get_args(Nature)
WISHES = frozenset(("suggestion", "praise"))
"""Natures that ask for no apology and need no order number."""
ASIDE = frozenset(("ask_question", "out_of_scope", "something_else"))
"""Intents that are no answer to what a form asks."""
BARE_LENGTH = 32
"""Longer than this, and the customer has told something."""
FIELDS = ("order_number", "place")
"""Entities that a case keeps."""

_ORDER = re.compile(
    r"(?:订单|单号|运单|\border|\btracking)(?:编?号码?|尾号| ?(?:number|num|no\.?|id|#))?(?:是|为|\bis\b|[\s:：#])*"
    r"(?<![A-Za-z0-9])((?=[A-Za-z0-9-]*\d{3})[A-Za-z0-9][A-Za-z0-9-]{2,38})(?![A-Za-z0-9])",
    re.IGNORECASE,
)


class Complain(Action):
    """The customer complains, or proposes something."""

    def name(self) -> str:
        return "action_open_case"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        if facts.nature[:1] == ["praise"]:
            say(dispatcher, "utter_praise_thanks")
            return []
        if facts.urgency != "urgent" and not facts.entity("order_number") and is_mild(facts.text):
            natures = [each for each in facts.nature if each in NATURES]
            said = {"text": facts.text, "nature": natures, "aspect": facts.aspect}
            return [SlotSet("mild", said), SlotSet("offer", None), FollowupAction(OFFER)]
        return open_case(dispatcher, tracker, facts)


class OfferAnswered(Action):
    """Mild words, and whether they shall become a case: only if the customer says so."""

    def name(self) -> str:
        return "action_offer_answered"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        said = tracker.get_slot("mild")
        events = [SlotSet("mild", None), SlotSet("offer", None)]
        if facts.queued or not isinstance(said, dict):
            return events
        if facts.intent == "affirm":
            return events + open_case(dispatcher, tracker, facts, said)
        if facts.intent in ("complain", "inform"):  # they go on about it
            more = f"{said['text']} {facts.text}"
            return events + open_case(dispatcher, tracker, facts, {**said, "text": more, "urgency": facts.urgency})
        say(dispatcher, "utter_offer_declined")
        return events


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
        if facts.intent in ASIDE and not no_more(facts.text):
            return [SlotSet("told", None)]  # their question was answered: a thanks for something else would confuse
        if tracker.get_slot("told"):
            say(dispatcher, "utter_details_thanks")
        elif facts.intent in ("skip", "deny") or no_more(facts.text):
            say(dispatcher, "utter_details_skipped")
        return [SlotSet("told", None)]


def open_case(
    dispatcher: CollectingDispatcher, tracker: Tracker, facts: Facts, said: dict[str, Any] | None = None
) -> Events:
    """Record it, say so, and go on: to a person where one is needed (R3.2), else to what is missing (R2.6). `said` is
    what was said before, where this message only confirms it: `text`, `nature`, `aspect`, and `urgency` if it has
    one."""
    text = said["text"] if said else facts.text
    natures = said["nature"] if said else [each for each in facts.nature if each in NATURES]
    aspects = said["aspect"] if said else facts.aspect
    urgency = said.get("urgency", "normal") if said else facts.urgency
    fields = {name: found[:VALUE_LIMIT] for name in FIELDS if (found := facts.entity(name))}
    mentioned = order_in(text) or tracker.get_slot("mentioned_order")
    if "order_number" not in fields and mentioned:
        fields["order_number"] = mentioned
    for kind, contact in (
        ("phone", as_phone(facts.entity("phone") or "")),
        ("email", as_email(facts.entity("email") or "")),
    ):
        if contact:
            fields["contact"] = contact
            ask_for(dispatcher, "remember", **{kind: contact})
    wish = bool(natures) and set(natures) <= WISHES
    summary = text[:SUMMARY_LIMIT] or facts.intent
    told = {
        "summary": summary,
        "nature": natures or ["other"],
        "aspect": aspects,
        "urgency": urgency,
        "fields": fields,
    }
    known = facts.same(Matter(summary, natures, aspects, urgency, fields.get("order_number")))
    if known is not None:
        return _join(dispatcher, facts, known, told)
    ask_for(dispatcher, "open_case", **told)
    events = [
        SlotSet("details", None),
        SlotSet("order_number", None),
        SlotSet("way_back", None),
        SlotSet("mentioned_order", None),
        SlotSet("needs_details", not wish and not said and _bare(facts)),
        SlotSet("told", None),
        SlotSet("needs_order_number", not wish and "order_number" not in fields),
        SlotSet("apologised", True if not wish else tracker.get_slot("apologised")),
    ]
    promise = facts.promise(urgency)
    if urgency == "urgent" and promise:
        _hurry(dispatcher, facts, promise)
        return events if facts.queued else events + end_form()
    _acknowledge(dispatcher, tracker, promise, wish)
    reason = _person_needed(facts, urgency)
    if facts.queued:
        return events
    if reason:
        return events + hand_off(dispatcher, facts, reason)
    return [*events, FollowupAction(FORM)]


def _join(dispatcher: CollectingDispatcher, facts: Facts, known: OpenCase, told: dict[str, Any]) -> Events:
    """The same matter, told again within a day: it goes to the case that is open, unless the customer says that it is
    something else. Nothing is asked that was asked before."""
    ask_for(dispatcher, "join_case", case_no=known.number, **told)
    again = known.state in ("resolved", "following_up")
    say(dispatcher, "utter_case_joined_again" if again else "utter_case_joined", case_no=known.number)
    events = [SlotSet("mentioned_order", None)]
    reason = _person_needed(facts, told["urgency"])
    if reason and not facts.queued:
        return events + hand_off(dispatcher, facts, reason)
    return events


def other_order(facts: Facts) -> bool:
    """The message names an order that is not the one of the case it would be added to."""
    number, case = facts.entity("order_number"), facts.current
    return bool(number and case and case.order and order_key(number) != order_key(case.order))


def order_in(text: str) -> str | None:
    """The number that a word such as "order" or 订单 announces; None if there is none, or more than one."""
    found = {each[1] for each in _ORDER.finditer(text[:SUMMARY_LIMIT])}
    return found.pop() if len(found) == 1 else None


def _hurry(dispatcher: CollectingDispatcher, facts: Facts, promise: str) -> None:
    """What cannot wait: first whether everybody is well, then the number and a promise that holds day and night. When
    the office opens is beside the point, and not said."""
    if in_danger(facts.evidence):
        say(dispatcher, "utter_safety_first")
    if not facts.queued:
        ask_for(dispatcher, "hand_off", reason="urgent")
    say(dispatcher, "utter_urgent_opened", promise=promise)
    if facts.channel == "web" and not facts.reachable:
        say(dispatcher, "utter_urgent_reach")


def _acknowledge(dispatcher: CollectingDispatcher, tracker: Tracker, promise: str, wish: bool) -> None:
    """Received, under this number, answered by then. Sorry once in a conversation, not with every sentence."""
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


def _person_needed(facts: Facts, urgency: str) -> str | None:
    if urgency == "urgent":
        return "urgent"
    if facts.furious:
        return "anger"
    return "high_value" if facts.high_value else None
