"""Plays a journey through Rasa's REST channel and holds what the customer hears against the embedded engine's words."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bench.rasa.journeys import Journey, Lived
from bot.engine import Assistant, Command, Response, Turn, UserMessage
from bot.engine.talk import Talk
from bot.loop.remote import RasaDialogue, Server
from bot.loop.remote.dialogue import conversation_id, events, words
from bot.loop.remote.transcript import steps_of

SAME = "the same, word for word"
VARIED = "the same but for the lot: another variation of the same response, or one written for a channel"
UNDERSTOOD = "Rasa understood another intent"
ENTITIES = "Rasa found other entities"
OTHERWISE = "different"


@dataclass(slots=True)
class Verdict:
    """How one turn came out. `said` shows both sides where they differ."""

    journey: str
    number: int
    text: str
    kind: str
    reason: str = ""
    said: tuple[str, str] = ("", "")


@dataclass(slots=True)
class Comparison:
    """All turns, through the REST channel as it is, and through `RasaDialogue`."""

    assistant: Assistant
    server: Server
    rest: list[Verdict] = field(default_factory=list)
    adapter: list[Verdict] = field(default_factory=list)

    async def play(self, journey: Journey) -> None:
        """One conversation, from an empty tracker; where Rasa took another way it is set back on ours afterwards."""
        name = f"check-{secrets.token_hex(6)}"
        astray = False
        for number, lived in enumerate(journey.turns, start=1):
            talk = _talk(self.assistant, lived)
            mark = secrets.token_hex(6)
            if number == 1 or astray or not _follows(journey.turns[number - 2], lived, talk):
                await self._call("PUT", f"/conversations/{name}/tracker/events", events(talk, mark))
            said = {
                "sender": name,
                "message": words(lived.message),
                "metadata": {**lived.message.metadata, "mark": mark},
            }
            heard = await self._call("POST", "/webhooks/rest/webhook", said)
            state = await self._call("GET", f"/conversations/{name}/tracker", None)
            verdict = self._judged(journey.name, number, lived, heard, state, mark, talk)
            self.rest.append(verdict)
            astray = verdict.kind not in (SAME, VARIED)
            await self._adapted(journey.name, number, lived)

    async def _call(self, method: str, path: str, body: Any) -> Any:
        return await self.server.call(method, path, body, lambda answer: answer, query={"include_events": "ALL"})

    def _judged(
        self, journey: str, number: int, lived: Lived, heard: Any, state: Any, mark: str, talk: Talk
    ) -> Verdict:
        ours, theirs = _written(lived.turn), _received(heard)
        message = lived.message
        verdict = Verdict(journey, number, message.text, SAME, said=(ours, theirs))
        if ours == theirs:
            return verdict
        try:
            made = steps_of(self.assistant.domain, _since(state, mark), mark, message.channel, talk.turn)
            varied = [each.said for each in made if each.said is not None] == lived.turn.steps
        except ValueError as error:
            varied, verdict.reason = False, str(error)
        latest = _heard(state)
        if varied:
            verdict.kind = VARIED
        else:
            _explain(verdict, message, latest)
        return verdict

    async def _adapted(self, journey: str, number: int, lived: Lived) -> None:
        """The same turn through what production would use."""
        fallen = _Fallen()
        dialogue = RasaDialogue(self.server, self.assistant, fallen)
        turn = await dialogue.turn(lived.before, lived.message)
        verdict = Verdict(journey, number, lived.message.text, SAME, said=(_written(lived.turn), _written(turn)))
        if fallen.asked and not lived.turn.steps:
            verdict.reason = "silent: asked of the embedded engine"
        elif fallen.asked:
            verdict.kind, verdict.reason = OTHERWISE, "Rasa's turn could not be taken"
        elif turn.steps != lived.turn.steps or not _alike(turn.tracker, lived.turn.tracker):
            state = await self._call("GET", f"/conversations/{conversation_id(lived.message.sender_id)}/tracker", None)
            _explain(verdict, lived.message, _heard(state))
            if turn.steps == lived.turn.steps:
                verdict.said = (json.dumps(lived.turn.tracker["slots"]), json.dumps(turn.tracker["slots"]))
        self.adapter.append(verdict)


class _Fallen:
    """Stands where the embedded engine does, and tells that it was needed."""

    asked = False

    async def turn(self, tracker: dict[str, Any] | None, message: UserMessage) -> Turn:
        self.asked = True
        return Turn({})


def _explain(verdict: Verdict, message: UserMessage, latest: dict[str, Any]) -> None:
    named = latest["intent"]["name"]
    found = Counter((each["entity"], str(each["value"])) for each in latest["entities"])
    known = Counter((each["entity"], str(each["value"])) for each in message.entities)
    if named != message.intent:
        verdict.kind = UNDERSTOOD
        verdict.reason = f"{message.intent} here, {named} ({latest['intent']['confidence']:.2f}) there"
    elif found != known:
        verdict.kind = ENTITIES
        verdict.reason = f"{_listed(known - found)} here, {_listed(found - known)} there"
    else:
        verdict.kind = OTHERWISE


def _listed(entities: Counter[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in entities) or "nothing more"


def _talk(assistant: Assistant, lived: Lived) -> Talk:
    talk = Talk.load(assistant.domain, lived.before)
    talk.hear(lived.message.intent, datetime.fromisoformat(lived.message.metadata["earful"]["now"]))
    return talk


def _follows(last: Lived, lived: Lived, talk: Talk) -> bool:
    """Whether Rasa's conversation stands where ours does: the engine had the last word, in the same session."""
    return lived.before == last.turn.tracker and not (lived.before and lived.before["active_loop"] and not talk.loop)


def _since(state: dict[str, Any], mark: str) -> dict[str, Any]:
    """A tracker that begins with this turn's message, in the shape that `steps_of` reads."""
    found = state["events"]
    place = next(n for n, each in enumerate(found) if each["event"] == "user" and each["metadata"].get("mark") == mark)
    return {
        **state,
        "events": [{"event": "action", "metadata": {"mark": mark}}, *_slots(found[:place]), *found[place:]],
    }


def _heard(state: dict[str, Any]) -> dict[str, Any]:
    """How Rasa understood the last message; a turn that was rewound keeps it among the events alone."""
    found: dict[str, Any] = next(each for each in reversed(state["events"]) if each["event"] == "user")["parse_data"]
    return found


def _slots(before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in before if each["event"] == "slot"]


def _alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(
        one["slots"] == other["slots"]
        and (one["active_loop"] or {}).get("name") == (other["active_loop"] or {}).get("name")
        and one["requested_slot"] == other["requested_slot"]
    )


def _written(turn: Turn) -> str:
    return "\n".join(_line(each) for each in turn.steps)


def _line(step: Response | Command) -> str:
    if isinstance(step, Command):
        return json.dumps(step.body, ensure_ascii=False, sort_keys=True)
    return " ".join([step.text, *(f"[{each.title}]({each.payload})" for each in step.buttons)])


def _received(messages: list[dict[str, Any]]) -> str:
    """What Rasa's REST channel answered, a line for each message as `_line` writes it."""
    lines: list[str] = []
    for each in messages:
        if each.get("custom"):
            lines.append(json.dumps(each["custom"].get("earful"), ensure_ascii=False, sort_keys=True))
        if each.get("text"):
            buttons = (f"[{button['title']}]({button['payload']})" for button in each.get("buttons") or ())
            lines.append(" ".join([each["text"], *buttons]))
    return "\n".join(lines)
