"""The rest of a conversation: greeting, stopping and going on, ratings nobody asked for, the state of a case."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.facts import Facts
from bot.actions.speech import Events, ask_for, end_form, say
from bot.actions.standing import tell
from bot.cases import numbers
from bot.typography import within

LOW_BELOW = 60
"""A rating below this makes us ask what went wrong."""
CASES_TOLD = 3


class Greet(Action):
    def name(self) -> str:
        return "action_greet"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        if facts.company:
            spaced = within(facts.company, "en" if facts.language == "en" else "zh")
            say(dispatcher, "utter_greet", company=spaced)
        else:
            say(dispatcher, "utter_greet_plain")
        return []


class Stop(Action):
    """The customer has had enough for now: what we were asking is put aside, not forgotten."""

    def name(self) -> str:
        return "action_stop"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        say(dispatcher, "utter_stopped")
        return [SlotSet("put_aside", tracker.active_loop_name), *end_form()]


class Resume(Action):
    """Where were we?"""

    def name(self) -> str:
        return "action_resume"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        form = tracker.get_slot("put_aside")
        if form in domain.get("forms", {}):
            say(dispatcher, "utter_resumed_question")
            return [SlotSet("put_aside", None), FollowupAction(form)]
        say(dispatcher, "utter_resumed")
        return [SlotSet("put_aside", None)]


class TakeRating(Action):
    """A rating in words while no survey is open. A low one is followed by the question what went wrong."""

    def name(self) -> str:
        return "action_take_rating"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        score = Facts(tracker).rating
        if score is None:
            say(dispatcher, "utter_rating_unclear")
            return []
        ask_for(dispatcher, "volunteer_rating", score=score)
        if score < LOW_BELOW:
            return [SlotSet("rating_reason", None), FollowupAction("rating_reason_form")]
        say(dispatcher, "utter_rating_thanks")
        return []


class CaseStatus(Action):
    """How far is my case? With a number, that one; without, the open ones, newest first."""

    def name(self) -> str:
        return "action_case_status"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        wanted = facts.entity("case_number") or _number_in(facts.text)
        if wanted is not None:
            found = [case for case in facts.cases + facts.other_cases if _digits(case.number) == _digits(wanted)]
            if not found:
                say(dispatcher, "utter_case_not_found", case_no=wanted[:40])
            for case in found[:1]:
                tell(dispatcher, case)
        elif not facts.cases:
            say(dispatcher, "utter_no_cases")
        else:
            for case in facts.cases[:CASES_TOLD]:
                tell(dispatcher, case)
        return []


def _number_in(text: str) -> str | None:
    """A case's number among the words; its check digit tells it from other numbers."""
    found = numbers.parse(text)
    return None if found is None else numbers.number(found)


def _digits(number: str) -> str:
    """A case's number without what people add or leave out."""
    digits = "".join(each for each in number if each.isdecimal() and each.isascii())
    return digits.lstrip("0") or number.strip().casefold()
