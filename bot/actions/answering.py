"""Questions: answered from the knowledge base, asked about when unsure, given to a person when nobody here knows."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.complaining import open_case
from bot.actions.facts import LIKELY, SURE, Facts, Hit
from bot.actions.no_more import no_more
from bot.actions.speech import Events, ask_for, hand_off, say
from bot.engine.response_reading import TITLE_LIMIT

MISSES = 2
"""This many in a row, and a person takes over (R3.2)."""


class Answer(Action):
    """A question."""

    def name(self) -> str:
        return "action_answer"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        return answered(dispatcher, facts) or _missed(dispatcher, tracker, facts)


class NotUnderstood(Action):
    """Words without a known intent. They may still be a question, or trouble that cannot wait."""

    def name(self) -> str:
        return "action_not_understood"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        if not facts.queued and (facts.urgency == "urgent" or facts.furious):
            return open_case(dispatcher, tracker, facts)
        return answered(dispatcher, facts) or _missed(dispatcher, tracker, facts)


class NoneOfThese(Action):
    """The customer wanted none of what was offered."""

    def name(self) -> str:
        return "action_none_of_these"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        return _missed(dispatcher, tracker, Facts(tracker))


class Judged(Action):
    """ "Was this helpful?" was answered. What was not is followed by a person (R3.1)."""

    def name(self) -> str:
        return "action_judged"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        helpful = facts.intent == "helpful"
        entry = facts.entity("entry") or tracker.get_slot("answered")
        if entry:
            ask_for(dispatcher, "helpful", entry=entry[:200], helpful=helpful)
        events = [SlotSet("answered", None)]
        if helpful:
            say(dispatcher, "utter_glad")
        elif facts.queued:
            say(dispatcher, "utter_person_will_answer")
        else:
            events += hand_off(dispatcher, facts, "unhelpful")
        return events


def answered(dispatcher: CollectingDispatcher, facts: Facts) -> Events:
    """Say the answer, or ask which entry was meant. Nothing, if the knowledge base has nothing."""
    hits = facts.knowledge
    chosen = facts.entity("entry")
    best = next((hit for hit in hits if hit.key == chosen), None)
    if best is None and hits and hits[0].score >= SURE:
        best = hits[0]
    if best is not None:
        say(dispatcher, "utter_answer", answer=best.answer, entry=best.key)
        return [SlotSet("misses", 0.0), SlotSet("answered", best.key[:200])]
    likely = [hit for hit in hits if hit.score >= LIKELY]
    if not likely or facts.queued:
        return []
    first = _offered("first", likely[0])
    if len(likely) == 1:
        say(dispatcher, "utter_did_you_mean_one", **first)
    else:
        say(dispatcher, "utter_did_you_mean_two", **first, **_offered("second", likely[1]))
    return [SlotSet("misses", 0.0)]


def _offered(place: str, hit: Hit) -> dict[str, str]:
    question = hit.question if len(hit.question) <= TITLE_LIMIT else hit.question[: TITLE_LIMIT - 1] + "…"
    return {place: question, f"{place}_key": hit.key}


def _missed(dispatcher: CollectingDispatcher, tracker: Tracker, facts: Facts) -> Events:
    """Nobody here knows. The second time in a row a person takes over; a person who is on the way will see it."""
    if facts.queued:
        return []
    if no_more(facts.text):  # the answer to what was asked, from which the form goes on; or to nothing in particular
        if not tracker.active_loop_name:
            say(dispatcher, "utter_denied")
        return []
    ask_for(dispatcher, "unanswered")
    misses = int(tracker.get_slot("misses") or 0) + 1
    if misses >= MISSES:
        return [SlotSet("misses", 0.0), *hand_off(dispatcher, facts, "misses")]
    asked = facts.intent in ("ask_question", "something_else")
    say(dispatcher, "utter_no_answer" if asked else "utter_not_understood")
    return [SlotSet("misses", float(misses))]
