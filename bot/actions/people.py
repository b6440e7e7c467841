"""Persons: asking for one, waiting for one, and thinking better of it."""

from __future__ import annotations

import re
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.facts import Facts
from bot.actions.speech import Events, ask_for, end_form, hand_off, say, update_case
from bot.engine.commands import NOTE_LIMIT

_WITHDRAWS = re.compile(
    r"投诉|反馈|举报|工单|追究|计较|\b(?:complain\w*|complaint|case|ticket|report|feedback)\b", re.IGNORECASE
)
"""Beside a "never mind": it is the complaint that is taken back."""


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
    """Not after all: the wait for a person, what we were asking, or the complaint itself."""

    def name(self) -> str:
        return "action_cancel"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        withdrawn = facts.cases and _WITHDRAWS.search(facts.text)
        if withdrawn:
            _withdraw(dispatcher, facts)
        if facts.queued:
            ask_for(dispatcher, "cancel_hand_off")
            if not withdrawn:
                say(dispatcher, "utter_hand_off_cancelled")
            return []
        if withdrawn:
            return end_form()
        if tracker.active_loop_name:
            say(dispatcher, "utter_cancelled")
            return end_form()
        say(dispatcher, "utter_nothing_to_cancel")
        return []


def _withdraw(dispatcher: CollectingDispatcher, facts: Facts) -> None:
    """The newest case is taken back; a person who was on the way need not come. What is urgent, or nearly done, is for
    the people in charge to let go: they are told."""
    case = facts.cases[0]
    if case.urgency == "urgent" or case.state in _NEARLY_DONE:
        update_case(dispatcher, {}, facts.text)
        say(dispatcher, "utter_withdrawal_noted", case_no=case.number)
    else:
        ask_for(dispatcher, "withdraw_case", case_no=case.number, reason=facts.text[:NOTE_LIMIT])
        say(dispatcher, "utter_case_withdrawn", case_no=case.number)


_NEARLY_DONE = frozenset({"resolved", "following_up"})


class StaySilent(Action):
    """A person is on the way and will read it: it stands on the transcript."""

    def name(self) -> str:
        return "action_stay_silent"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        return []


def tell_position(dispatcher: CollectingDispatcher, facts: Facts) -> None:
    if not facts.office_open and facts.urgent_case:
        say(dispatcher, "utter_queue_urgent")
    elif not facts.office_open and facts.opens_at:
        say(dispatcher, "utter_queue_closed", opens_at=facts.opens_at)
    elif facts.position == 1:
        say(dispatcher, "utter_queue_next")
    elif facts.position:
        say(dispatcher, "utter_queue_position", ahead=facts.position - 1)
    else:
        say(dispatcher, "utter_queue_unknown")
