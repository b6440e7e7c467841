"""How a case stands, in words."""

from __future__ import annotations

from collections.abc import Mapping

from rasa_sdk.executor import CollectingDispatcher

from bot.actions.facts import OpenCase
from bot.actions.speech import say

_STATE_RESPONSES: Mapping[str, str] = {
    "received": "utter_case_received",
    "acknowledged": "utter_case_received",
    "assigned": "utter_case_assigned",
    "returned": "utter_case_assigned",
    "planned": "utter_case_working",
    "in_progress": "utter_case_working",
    "reopened": "utter_case_reopened",
    "resolved": "utter_case_resolved",
    "following_up": "utter_case_resolved",
    "closed": "utter_case_closed",
    "closed_unconfirmed": "utter_case_closed",
    "withdrawn": "utter_case_taken_back",
}


def tell(dispatcher: CollectingDispatcher, case: OpenCase) -> None:
    """Say how far it is."""
    say(dispatcher, _STATE_RESPONSES.get(case.state, "utter_case_working"), case_no=case.number)
