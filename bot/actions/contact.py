"""Ways to reach the customer."""

from __future__ import annotations

import re
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from bot.actions.facts import Facts
from bot.actions.speech import Events, ask_for, say, update_case

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}")
_PHONE = re.compile(r"(?<![\w+])\+?\d[\d ()-]{5,20}\d(?!\w)", re.ASCII)


class RememberContact(Action):
    """A name, a phone number or a mail address, given unasked."""

    def name(self) -> str:
        return "action_remember_contact"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        facts = Facts(tracker)
        found = {
            "name": (facts.entity("name") or "")[:80] or None,
            "phone": as_phone(facts.entity("phone") or facts.text),
            "email": as_email(facts.entity("email") or facts.text),
        }
        kept = {kind: value for kind, value in found.items() if value}
        if kept:
            ask_for(dispatcher, "remember", **kept)
            if facts.cases:
                update_case(dispatcher, {"contact": found["phone"] or found["email"] or ""})
            say(dispatcher, "utter_contact_thanks")
        else:
            say(dispatcher, "utter_contact_unclear")
        return []


def as_email(text: str) -> str | None:
    """The first mail address in `text`."""
    found = _EMAIL.search(text[:1000])
    return found[0].lower() if found else None


def as_phone(text: str) -> str | None:
    """The first thing in `text` that may be a phone number: 7 to 15 digits, with a leading + kept."""
    for found in _PHONE.finditer(text[:1000]):
        digits = re.sub(r"\D", "", found[0])
        if 7 <= len(digits) <= 15:
            return ("+" if found[0].startswith("+") else "") + digits
    return None
