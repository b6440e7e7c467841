"""Persons: asking for one, waiting for one, and thinking better of it."""

from __future__ import annotations

import re
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.complaining import open_case
from bot.actions.facts import Facts
from bot.actions.speech import Events, ask_for, end_form, hand_off, say, update_case
from bot.actions.standing import tell
from bot.engine.commands import NOTE_LIMIT

_NAMED_ZH, _NAMED_EN = (
    "(?:投诉|反馈|举报|工单|追究|计较|立案)",
    r"\b(?:complain\w*|case|ticket|report(?:ed)?|feedback)\b",
)
# Up to the complaint. What somebody says they will do instead cancels something else.
_TO_ZH = "(?:(?!我要|就|去|直接|还是|订单)[^，。！？；,.!?;]){0,6}"
_TO_EN = r"(?:(?!\b(?:(?<!what )i|will|going to|gonna|or)\b)[^,.!?;]){0,30}"
_TAKES_BACK = re.compile(
    rf"(?:取消|撤|别(?![逼怪])|懒得|(?<![得能])不(?![得能行然管给理处解])|没必要|当我?没){_TO_ZH}{_NAMED_ZH}"
    rf"|{_NAMED_ZH}[^，。！？；,.!?;]{{0,6}}(?:取消|撤|算了|不算|作废|不用|不要|不必|错了|关了|结了)|撤诉"
    r"|\b(?:cancel|withdraw\w*|drop(?:ping)?(?! (?:by|in)\b)|close|scrap|retract|undo|forget|never ?mind|nvm|disregard"
    r"|ignore|no longer|take back|taking back|don't(?! make)|do not(?! make)|won't|not|no|no need|changed my mind)"
    rf"{_TO_EN}{_NAMED_EN}|{_NAMED_EN}{_TO_EN}\b(?:back|withdrawn|dropped|cancell?ed|closed|by mistake)\b",
    re.IGNORECASE,
)
_IN_CASE = re.compile(r"\b(?:just )?in (?:that |any |this |either |which )?case\b", re.IGNORECASE)


def takes_back(text: str) -> bool:
    """Whether a "never mind" says in so many words that the complaint is taken back, which cannot be undone.
    "算了，我要去投诉你们" and "never mind, I will report you" say the contrary."""
    return _TAKES_BACK.search(_IN_CASE.sub("", text.replace("\u2019", "'"))) is not None


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
        elif facts.cases:  # nobody is on the way, but somebody is at it
            tell(dispatcher, facts.cases[0])
        else:
            say(dispatcher, "utter_not_in_queue")
        return []


class Cancel(Action):
    """Not after all: the wait for a person, what we were asking, or the complaint itself."""

    def name(self) -> str:
        return "action_cancel"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        withdrawn = bool(facts.cases) and takes_back(facts.text)
        if withdrawn:
            _withdraw(dispatcher, facts)
        elif facts.urgency == "urgent":  # "forget it, I will report you": nothing of ours is over
            return open_case(dispatcher, tracker, facts)
        if facts.queued and facts.urgent_case and not withdrawn:
            # What is urgent goes on all the same: they were promised to be called, and somebody makes sure.
            update_case(dispatcher, {}, facts.text)
            say(dispatcher, "utter_queue_urgent")
            return []
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
    """The open case is taken back; a person who was on the way need not come. What is urgent, or nearly done, is for
    the people in charge to let go: they are told."""
    case = facts.current
    if case is None:
        return
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
