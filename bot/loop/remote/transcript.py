"""What Rasa did in a turn, read from its tracker's events and checked as the embedded engine checks its own.

Rasa's REST channel says texts only. Its events also say which response each text was made from and with which values,
so our responses are said here as the embedded engine says them: written for the customer's channel, the same variation
for the same turn, and nothing that a person wrote taken for a place to be filled in later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.engine import ButtonSpec, Command, Response, commands
from bot.engine import payload as payloads
from bot.engine.domain import Domain
from bot.engine.responses import FILLED_LATER

MOST_EVENTS = 500
MOST_BUTTONS = 20
TEXT_LIMIT = 8_000
_FILLED_LATER = re.compile(r"\[\[(\w*)\]\]")
_OTHER = ("elements", "quick_replies", "attachment", "image")


class Unusable(ValueError):
    """What Rasa did cannot be said or done here. The message bears no text of anybody's."""


@dataclass(slots=True)
class Step:
    """Something `said`, or an `action` that ran and whether it `left_something` (words, slots, a form) behind."""

    action: str = ""
    said: Response | Command | None = None
    left_something: bool = False


def steps_of(domain: Domain, state: Mapping[str, Any], mark: str, channel: str, turn: int) -> list[Step]:
    """What followed the message of the turn that bears `mark`, in order. Raises ValueError if this is not its tracker,
    or holds what we cannot say or do."""
    slots = dict(domain.initial_slots())
    steps: list[Step] = []
    for event in _after_message(state["events"], mark, slots):
        kind = event["event"]
        match kind:
            case "bot":
                steps += [Step(said=each) for each in _said(domain, event, slots, channel, turn)]
            case "action":
                steps.append(Step(action=event["name"]))
                continue
            case "slot":
                slots[event["name"]] = event["value"]
        for step in reversed(steps):  # of the action before it, or of the extraction of slots
            if step.said is None:
                step.left_something = step.left_something or kind != "user_featurization"
                break
    _check_filled_later(steps)
    return steps


def _after_message(events: list[dict[str, Any]], mark: str, slots: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The events after the turn's message; `slots` are brought to where they were then."""
    if len(events) > MOST_EVENTS or _mark(events[0]) != mark:
        raise Unusable("this tracker was not set for this turn: its store keeps what it should replace")
    heard = False
    for event in events:
        if heard:
            if event["event"] == "user":
                raise Unusable("two messages in one turn")
            yield event
        elif event["event"] == "slot":
            slots[event["name"]] = event["value"]
        elif event["event"] == "user":
            if _mark(event) != mark:
                raise Unusable("the message of another turn")
            heard = True
    if not heard:
        raise Unusable("the message was not heard")


def _mark(event: Mapping[str, Any]) -> Any:
    return (event.get("metadata") or {}).get("mark")


def _said(
    domain: Domain, event: Mapping[str, Any], slots: Mapping[str, Any], channel: str, turn: int
) -> Iterator[Response | Command]:
    data = event.get("data") or {}
    if any(data.get(name) for name in _OTHER):
        raise Unusable("something that not every channel can show")
    custom = data.get("custom")
    if custom:
        if set(custom) != {"earful"}:
            raise Unusable("a message that is none of our commands")
        yield Command(commands.check(custom["earful"]))
    values = event.get("metadata") or {}
    name = values.get("utter_action")
    response = domain.responses.get(name) if isinstance(name, str) else None
    said = None
    if response is not None:
        try:
            said = response.say(slots, channel, turn, values)
        except LookupError:
            said = None
    buttons = (data.get("buttons") or [])[:MOST_BUTTONS]
    if said is not None:
        more = tuple(_button(domain, each) for each in buttons[len(said.buttons) :])  # an action's own beside ours
        yield Response(said.text, said.buttons + more, said.name)
    elif event.get("text"):
        yield Response(str(event["text"])[:TEXT_LIMIT], tuple(_button(domain, each) for each in buttons))


def _button(domain: Domain, given: Mapping[str, Any]) -> ButtonSpec:
    made = ButtonSpec(str(given["title"]), str(given["payload"]))
    intent, entities = payloads.parse(made.payload)
    if intent not in domain.intents or any(each["entity"] not in domain.entities for each in entities):
        raise Unusable("a button that the domain does not know")
    return made


def _check_filled_later(steps: list[Step]) -> None:
    opened = sum(isinstance(each.said, Command) and each.said.body["command"] == "open_case" for each in steps)
    if opened > 1:
        raise Unusable("two cases for one message")
    for each in steps:
        if isinstance(each.said, Response):
            for name in _FILLED_LATER.findall(each.said.text):
                if name not in FILLED_LATER or not opened:
                    raise Unusable("a text speaks of what this turn does not provide")
