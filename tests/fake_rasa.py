"""A Rasa 3.6 server as its HTTP API behaves: understanding, trackers, and its REST channel, conducted by our engine."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from fake_platform import Call, FakePlatform

from bot.engine import Command, Engine, UserMessage
from bot.engine import payload as payloads
from bot.engine.talk import Talk
from bot.loop.remote.dialogue import events


class FakeRasa(FakePlatform):
    """`understood` answers /model/parse by text; what it does not have is `nlu_fallback`. With `engine` and `talk` it
    converses: as in Rasa, whatever begins with a slash is a payload, and texts are those of no channel of ours."""

    def __init__(self, engine: Engine | None = None, domain: Any = None) -> None:
        super().__init__()
        self.understood: dict[str, Any] = {}
        self.trackers: dict[str, list[dict[str, Any]]] = {}
        self.keeps = False  # as SQL stores do: what is there already stays
        self.acts = True  # False: the action server cannot be reached
        self.unlike: dict[str, Any] = {}  # what its domain has in place of ours
        self.said: list[dict[str, Any]] = []
        self._engine = engine
        self._domain = domain

    async def answer(self, call: Call) -> web.Response:
        body: Any = json.loads(call.body) if call.body else None
        match call.method, call.path.strip("/").split("/"):
            case "POST", ["model", "parse"]:
                return web.json_response(self.parse(body["text"]))
            case "GET", ["domain"]:
                domain = self._domain
                lists = {kind: sorted(getattr(domain, kind)) for kind in ("intents", "actions")}
                tables: dict[str, Any] = {
                    kind: {name: {} for name in getattr(domain, kind)} for kind in ("responses", "slots", "forms")
                }
                return web.json_response({**lists, **tables} | self.unlike)
            case "PUT", ["conversations", name, "tracker", "events"]:
                if not (self.keeps and name in self.trackers):
                    self.trackers[name] = list(body)
                return web.json_response(self.state(name, events=None))
            case "POST", ["webhooks", "rest", "webhook"]:
                return web.json_response(await self.converse(body))
            case "GET", ["conversations", name, "tracker"]:
                return web.json_response(self.state(name, events=self.trackers[name]))
        return web.json_response({"status": "failure", "reason": "NotFound", "code": 404}, status=404)

    def parse(self, text: str) -> dict[str, Any]:
        """The shape that /model/parse documents."""
        if text.strip().startswith("/"):
            intent, entities = payloads.parse(text.strip())
            return {"text": text, "intent": {"name": intent, "confidence": 1.0}, "entities": entities}
        given = self.understood.get(text, {"intent": "nlu_fallback", "confidence": 0.4})
        named = {"name": given["intent"], "confidence": given["confidence"]}
        found = [
            {"extractor": "RegexEntityExtractor", "start": 0, "end": len(text), **each}
            for each in given.get("entities", ())
        ]
        return {"text": text, "intent": named, "entities": found, "text_tokens": [], "intent_ranking": [named]}

    async def converse(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """One message through the REST channel; what it leaves in the tracker is what Rasa's events hold."""
        self.said.append(body)
        assert self._engine is not None
        kept = self.trackers.setdefault(body["sender"], [])
        talk = self._talk(kept)
        parsed = self.parse(body["message"])
        message = UserMessage(
            body["message"],
            parsed["intent"]["name"],
            parsed["intent"]["confidence"],
            [{"entity": each["entity"], "value": each["value"]} for each in parsed["entities"]],
            body["metadata"],
            "collector",
            body["sender"],
        )
        turn = await self._engine.turn(talk.dump(), message)
        after = Talk.load(self._domain, turn.tracker)
        kept.append({"event": "user", "text": body["message"], "metadata": body["metadata"], "parse_data": parsed})
        messages: list[dict[str, Any]] = []
        steps = turn.steps if self.acts else []
        kept.append({"event": "action", "name": after.latest_action or "action_answer", "metadata": {}})
        for step in steps:
            data = {"elements": None, "quick_replies": None, "buttons": None, "attachment": None, "image": None}
            if isinstance(step, Command):
                kept.append({"event": "bot", "text": None, "data": {**data, "custom": {"earful": step.body}}})
                messages.append({"recipient_id": body["sender"], "custom": {"earful": step.body}})
                continue
            buttons = [{"title": each.title, "payload": each.payload} for each in step.buttons]
            facts = body["metadata"].get("earful", {})
            values = {"promise": next(iter(facts.get("promises", {}).values()), None), "company": facts.get("company")}
            kept.append(
                {
                    "event": "bot",
                    "text": step.text,
                    "data": {**data, "buttons": buttons, "custom": None},
                    "metadata": {"utter_action": step.name, **{k: v for k, v in values.items() if v}},
                }
            )
            messages.append({"recipient_id": body["sender"], "text": step.text, "buttons": buttons})
        if self.acts:
            kept += [each for each in events(after, "")[2:] if each["event"] != "action"]
            kept += [
                {"event": "slot", "name": name, "value": slot.initial}
                for name, slot in self._domain.slots.items()
                if after.slots[name] == slot.initial != talk.slots[name]
            ]
            if after.loop is None and talk.loop is not None:
                kept.append({"event": "active_loop", "name": None})
        kept.append({"event": "action", "name": "action_listen"})
        return messages

    def state(self, name: str, events: list[dict[str, Any]] | None) -> dict[str, Any]:
        """A tracker's state as Rasa writes it."""
        talk = self._talk(self.trackers[name])
        loop = {"name": talk.loop.name, "is_interrupted": False, "rejected": False} if talk.loop else {}
        return {
            "sender_id": name,
            "slots": talk.slots,
            "active_loop": loop,
            "latest_action_name": next(
                (each["name"] for each in reversed(self.trackers[name]) if each["event"] == "action"), None
            ),
            "paused": False,
            "latest_message": next(
                (each["parse_data"] for each in reversed(self.trackers[name]) if each["event"] == "user"), {}
            ),
            "events": events,
        }

    def _talk(self, kept: list[dict[str, Any]]) -> Talk:
        """The state that a list of events leads to."""
        talk = Talk.load(self._domain, None)
        talk.latest_action = "action_listen"
        for each in kept:
            if each["event"] == "slot":
                talk.slots[each["name"]] = each["value"]
            elif each["event"] == "active_loop":
                talk.activate(each["name"])
        return talk
