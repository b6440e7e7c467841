"""Conversation by a Rasa server that was trained on the assistant: rules, forms and slots are its affair.

Our tracker is the truth. Each turn sets Rasa's to it, says the message, and reads what became of it:

    PUT  /conversations/{id}/tracker/events    what was so far: session, slots, form
    POST /webhooks/rest/webhook                the words, or the payload of a tapped button; our facts as metadata
    GET  /conversations/{id}/tracker           what it did, said and remembers

So a turn may be repeated at will, by any process, after any restart of either side, and Rasa needs no store of its
own. The embedded engine keeps its tracker in the same form: it takes over any turn that Rasa cannot do, and gives the
next one back.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import structlog

from bot.engine import Assistant, Turn, UserMessage
from bot.engine.domain import LANGUAGE, LISTEN, REQUESTED_SLOT, Domain
from bot.engine.extraction import clean
from bot.engine.talk import Loop, Talk
from bot.loop.remote.server import Ask, Failed, Server
from bot.loop.remote.transcript import Step, Unusable, steps_of
from bot.loop.remote.twin import Twin
from bot.loop.remote.understanding import NEARLY_SURE, defused

log = structlog.get_logger()


class Embedded(Protocol):
    """The embedded engine."""

    async def turn(self, tracker: dict[str, Any] | None, message: UserMessage) -> Turn: ...


@dataclass(frozen=True, slots=True)
class RasaDialogue:
    """A `Talks`. A turn that the server fails, leaves unfinished, or answers with what our channels cannot take is the
    embedded engine's; so is one in which an action of the server's seems not to have run."""

    server: Server
    assistant: Assistant
    embedded: Embedded
    twin: Twin = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "twin", Twin(self.assistant.domain, self.server.breaker.clock))

    async def turn(self, tracker: dict[str, Any] | None, message: UserMessage) -> Turn:
        """As the embedded engine's. Raises ActionError where that one does."""
        if not message.text.strip() or message.intent not in self.assistant.domain.intents:
            return await self.embedded.turn(tracker, message)
        talk = Talk.load(self.assistant.domain, tracker)
        talk.hear(message.intent, _now(message))
        try:
            state, mark = await self._ask(talk, message)
            steps = steps_of(self.assistant.domain, state, mark, message.channel, talk.turn)
            _remember(talk, state)
        except Failed:
            return await self.embedded.turn(tracker, message)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            self.server.note("garbage")
            why = str(error) if isinstance(error, Unusable) else type(error).__name__
            log.warning("a turn of Rasa's cannot be taken; the embedded engine takes it", why=why)
            return await self.embedded.turn(tracker, message)
        if not (_acted(self.assistant.domain, steps) and talk.slots.get(LANGUAGE) in (None, _language(message))):
            self.server.note("idle")
            return await self.embedded.turn(tracker, message)
        return Turn(talk.dump(), [each.said for each in steps if each.said is not None])

    async def _ask(self, talk: Talk, message: UserMessage) -> tuple[dict[str, Any], str]:
        """What Rasa's tracker is after the message, and the mark by which this turn is known in it."""
        mark = secrets.token_hex(8)
        path = f"/conversations/{conversation_id(message.sender_id)}/tracker"
        said = {
            "sender": conversation_id(message.sender_id),
            "message": words(message),
            "input_channel": message.channel,
            "metadata": {**message.metadata, "mark": mark},
        }

        async def work(ask: Ask) -> dict[str, Any]:
            await self.twin.check(ask)
            _mapping(await ask("PUT", f"{path}/events", events(talk, mark), {"include_events": "NONE"}))
            if not isinstance(await ask("POST", "/webhooks/rest/webhook", said), list):
                raise ValueError("no messages")
            return _mapping(await ask("GET", path, None, {"include_events": "ALL"}))

        state = await self.server.attempt(work)
        return state, mark


def conversation_id(sender_id: str) -> str:
    """The name of a conversation at Rasa's: the same for the same customer, and telling nothing about them."""
    return hashlib.sha256(sender_id.encode()).hexdigest()[:32]


def words(message: UserMessage) -> str:
    """What Rasa is told: a tapped button's payload, or what a person wrote, which is never a payload."""
    if message.confidence <= NEARLY_SURE:
        return defused(message.text)
    values: dict[str, Any] = {}
    for each in message.entities:
        values.setdefault(each["entity"], []).append(each["value"])
    if not values:
        return f"/{message.intent}"
    single = {name: found[0] if len(found) == 1 else found for name, found in values.items()}
    return f"/{message.intent}{json.dumps(single, ensure_ascii=False)}"


def events(talk: Talk, mark: str) -> list[dict[str, Any]]:
    """Rasa's events that bring a tracker to where `talk` is."""
    domain = talk.domain
    made: list[dict[str, Any]] = [
        {"event": "action", "name": "action_session_start", "metadata": {"mark": mark}},
        {"event": "session_started"},
    ]
    made += [
        {"event": "slot", "name": name, "value": talk.slots[name]}
        for name, slot in domain.slots.items()
        if talk.slots[name] != slot.initial
    ]
    if talk.loop is not None:
        made += [
            {"event": "action", "name": talk.loop.name},
            {"event": "active_loop", "name": talk.loop.name},
            {"event": "slot", "name": REQUESTED_SLOT, "value": talk.slots[REQUESTED_SLOT]},
        ]
        if talk.loop.rejected:
            made.append({"event": "action_execution_rejected", "name": talk.loop.name})
    return [*made, {"event": "action", "name": LISTEN}]


def _remember(talk: Talk, state: Mapping[str, Any]) -> None:
    """`talk` becomes what Rasa's tracker is. Raises ValueError if Rasa has not come to an end."""
    if state["latest_action_name"] != LISTEN or state["paused"]:
        raise Unusable("the turn is not over")
    slots, domain = state["slots"], talk.domain
    talk.slots = domain.initial_slots() | {name: _kept(slots[name]) for name in domain.slots if name in slots}
    loop = state["active_loop"]
    name = loop.get("name") if loop else None
    if name is None:
        talk.loop = None
    elif name in domain.forms:
        talk.loop = Loop(name, rejected=loop.get("rejected") is True)
        talk.slots[REQUESTED_SLOT] = slots.get(REQUESTED_SLOT)
    else:
        raise Unusable("a form that the domain does not have")
    talk.latest_action = next(
        (each["name"] for each in reversed(state["events"]) if each["event"] == "action" and each["name"] != LISTEN),
        LISTEN,
    )


def _kept(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _acted(domain: Domain, steps: list[Step]) -> bool:
    """Whether something was said, and the last action of ours left something behind. Where the action server cannot be
    reached Rasa goes on as if the action had nothing to say, and where its rules go round in circles it stops without a
    word. A turn that is meant to be silent is asked again in this process, which costs less than a customer without
    an answer."""
    ours = domain.actions.keys() | domain.forms.keys()
    acted = [each.left_something for each in steps if each.said is None and each.action in ours]
    return any(each.said is not None for each in steps) and (not acted or acted[-1])


def _now(message: UserMessage) -> datetime | None:
    told = message.metadata.get("earful", {}).get("now")
    now = datetime.fromisoformat(told) if isinstance(told, str) else None
    return now if now and now.tzinfo else None


def _language(message: UserMessage) -> Any:
    """The language that the turn's first action sets before anything is said."""
    return message.metadata.get("earful", {}).get("language")


def _mapping(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise ValueError("no tracker")
    return answer
