"""Runs actions: responses of the domain, custom actions through rasa-sdk's executor, and extraction at a message.

What an action returns is checked here. Rasa drops a bad event with a line in the log; for us it is an ActionError.
"""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from rasa_sdk.executor import ActionExecutor, CollectingDispatcher
from rasa_sdk.interfaces import ActionExecutionRejection, Tracker

from bot.engine import commands, payload
from bot.engine.domain import REQUESTED_SLOT, Slot
from bot.engine.domain_reading import fits
from bot.engine.extraction import clean, extract
from bot.engine.message import ButtonSpec, Command, Response, UserMessage
from bot.engine.talk import VALUE_LIMIT, Talk
from bot.errors import ActionError


@dataclass(frozen=True, slots=True)
class SlotSet:
    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class LoopSet:
    name: str | None


@dataclass(frozen=True, slots=True)
class Followup:
    action: str


@dataclass(frozen=True, slots=True)
class Restarted: ...


@dataclass(frozen=True, slots=True)
class Rewound: ...


@dataclass(frozen=True, slots=True)
class SlotsReset: ...


@dataclass(frozen=True, slots=True)
class Rejected: ...


Outcome = SlotSet | LoopSet | Followup | Restarted | Rewound | SlotsReset | Rejected | Response | Command
"""What an action leaves behind, in order."""


class FormRejected(Exception):
    """The form, or its validation, did not take the message."""


class Runner:
    """Runs the actions of one turn. `message` and what actions are told of it are the same throughout."""

    def __init__(self, executor: ActionExecutor, message: UserMessage) -> None:
        self._executor = executor
        self.message = message
        told: dict[str, Any] = {"name": message.intent, "confidence": message.confidence}
        self._latest = {
            "text": message.text,
            "intent": told,
            "intent_ranking": [told],
            "entities": message.entities,
            "metadata": message.metadata,
        }
        self._heard = {
            "event": "user",
            "timestamp": None,
            "text": message.text,
            "parse_data": self._latest,
            "input_channel": message.channel,
            "metadata": message.metadata,
        }

    # ---- the domain's responses ----

    def utter(self, talk: Talk, name: str, action: str, extra: Mapping[str, Any] | None = None) -> Response:
        """The response `name`, said by `action`. Raises ActionError if it cannot be said."""
        response = talk.domain.responses.get(name)
        if response is None:
            raise ActionError(action, f"says `{name}`, which the domain does not have")
        try:
            said = response.say(talk.slots, self.message.channel, talk.turn, extra or {})
        except LookupError as error:
            raise ActionError(action, f"says `{name}` without its {error.args[0]!r}") from None
        if said is None:
            raise ActionError(action, f"says `{name}`, which has no variation for these slots")
        return said

    # ---- custom actions ----

    async def custom(self, talk: Talk, action: str, events: Sequence[dict[str, Any]] = ()) -> list[Outcome]:
        """Run a custom action. `events` follow the message in what it sees of the conversation. Raises FormRejected if
        it rejects, ActionError if it fails."""
        dispatcher = CollectingDispatcher()
        try:
            made = await self._run(talk, action, events, dispatcher)
        except ActionExecutionRejection:
            raise FormRejected from None
        except ActionError:
            raise
        except Exception as error:
            # The words of the exception may be a customer's; where it came from is enough to mend it.
            raise ActionError(action, f"raised {type(error).__name__} at {_where(error)}") from None
        outcomes: list[Outcome] = []
        for said in dispatcher.messages:
            outcomes += self._said(talk, action, said)
        outcomes += [self._event(talk, action, event) for event in made]
        return outcomes

    async def _run(
        self, talk: Talk, action: str, events: Sequence[dict[str, Any]], dispatcher: CollectingDispatcher
    ) -> list[dict[str, Any]]:
        """What `ActionExecutor.run` does with a call that came over HTTP, without the call: an action runs three times
        in a turn, and making and reading JSON would cost as much as the rest of the turn."""
        loop = talk.loop
        tracker = Tracker(
            self.message.sender_id,
            dict(talk.slots),
            self._latest,
            [self._heard, *events],
            False,
            None,
            {"name": loop.name, "is_interrupted": loop.interrupted, "rejected": loop.rejected} if loop else {},
            talk.previous,
        )
        made = self._executor.actions[action](dispatcher, tracker, talk.domain.as_rasa)
        if isawaitable(made):
            made = await made
        if dispatcher.is_streaming_active:
            await dispatcher.stream_end()
        checked: list[dict[str, Any]] = self._executor.validate_events(made or [], action)
        return checked

    def _said(self, talk: Talk, action: str, said: Mapping[str, Any]) -> list[Outcome]:
        more = {key: value for key, value in said.items() if key not in _SAID}
        for key in ("image", "attachment", "elements"):
            if said.get(key):
                raise ActionError(action, f"says something with `{key}`, which not every channel can show")
        outcomes: list[Outcome] = []
        custom = said.get("custom")
        if custom:
            if not isinstance(custom, dict) or set(custom) != {"earful"}:
                raise ActionError(action, 'says a json_message that is not {"earful": {...}}')
            try:
                outcomes.append(Command(commands.check(custom["earful"])))
            except ValueError as error:
                raise ActionError(action, str(error)) from None
        buttons = tuple(self._button(talk, action, button) for button in said.get("buttons") or ())
        name = said.get("response")
        if name:
            made = self.utter(talk, name, action, more)
            outcomes.append(Response(said.get("text") or made.text, made.buttons + buttons, name))
        elif said.get("text"):
            outcomes.append(Response(str(said["text"]), buttons))
        elif buttons:
            raise ActionError(action, "offers buttons without a text")
        return outcomes

    def _button(self, talk: Talk, action: str, button: Any) -> ButtonSpec:
        try:
            made = ButtonSpec(str(button["title"]), str(button["payload"]))
            intent, entities = payload.parse(made.payload)
        except (KeyError, TypeError, ValueError):
            raise ActionError(action, "offers a button without a title or with a payload that cannot be read") from None
        if intent not in talk.domain.intents or any(e["entity"] not in talk.domain.entities for e in entities):
            raise ActionError(action, "offers a button whose intent or entity the domain does not know")
        return made

    def _event(self, talk: Talk, action: str, event: Mapping[str, Any]) -> Outcome:
        match event.get("event"):
            case "slot":
                name, value = event.get("name"), event.get("value")
                return SlotSet(str(name), self._checked(talk, action, name, value))
            case "active_loop":
                name = event.get("name")
                if name is not None and name not in talk.domain.forms:
                    raise ActionError(action, f"activates the unknown form {str(name)[:60]!r}")
                return LoopSet(name)
            case "followup":
                name = event.get("name")
                if not isinstance(name, str) or not talk.domain.knows_action(name):
                    raise ActionError(action, f"wants the unknown action {str(name)[:60]!r} to follow")
                return Followup(name)
            case "restart":
                return Restarted()
            case "rewind":
                return Rewound()
            case "reset_slots":
                return SlotsReset()
            case "action_execution_rejected":
                return Rejected()
            case kind:
                raise ActionError(action, f"returned an event of the kind {str(kind)[:60]!r}, which is not supported")

    def _checked(self, talk: Talk, action: str, name: Any, value: Any) -> Any:
        if name == REQUESTED_SLOT:
            if value is not None and value not in talk.domain.slots:
                raise ActionError(action, "requests a slot that the domain does not have")
            return value
        slot = talk.domain.slots.get(name) if isinstance(name, str) else None
        if slot is None:
            raise ActionError(action, f"sets the unknown slot {str(name)[:60]!r}")
        if isinstance(value, str):
            value = clean(value)
        elif isinstance(value, list | tuple | dict | float):
            value = _plain(action, slot, value)
        if slot.type == "list" and value is not None and not isinstance(value, list):
            value = [value]
        if not fits(slot, value):
            raise ActionError(action, f"sets the slot {slot.name} to what is not of its type ({slot.type})")
        return value

    # ---- extraction ----

    async def extract(self, talk: Talk) -> list[Outcome]:
        """Slots from the message. A custom mapping's action may set slots and speak, nothing else."""
        outcomes: list[Outcome] = []
        for found in extract(talk, self.message):
            if isinstance(found, str):
                try:
                    more = await self.custom(talk, found)
                except FormRejected:
                    raise ActionError(found, "rejects, where it shall fill slots") from None
                for outcome in more:
                    if not isinstance(outcome, SlotSet | Response | Command):
                        raise ActionError(found, "does more than fill slots, where it shall fill slots")
                outcomes += more
            else:
                slot, value = found
                outcomes.append(SlotSet(slot.name, value))
        return outcomes


_SAID = frozenset(("text", "buttons", "elements", "custom", "template", "response", "image", "attachment"))


def _plain(action: str, slot: Slot, value: Any) -> Any:
    """The value as JSON gives it back. Raises ActionError where it is none, or a large one."""
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise ActionError(action, f"sets the slot {slot.name} to what JSON cannot hold")
    try:
        text = json.dumps(value, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        raise ActionError(action, f"sets the slot {slot.name} to what JSON cannot hold") from None
    if len(text) > VALUE_LIMIT:
        raise ActionError(action, f"sets the slot {slot.name} to more than {VALUE_LIMIT} characters")
    return json.loads(text)


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "an unknown place"
