"""Conversation in a turn: what was understood goes to the engine, and what it says and commands becomes effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, cast

from bot.cases import numbers
from bot.cases.calendar import is_open, moment_words, opens_at
from bot.engine import Response, Turn, UserMessage
from bot.engine.payload import parse as parse_payload
from bot.knowledge.index import Found
from bot.loop.cases import Desk
from bot.loop.effects import HIGH_VALUE, Effects, Kind, Option
from bot.loop.entering import rated_unasked
from bot.loop.notices import Notices
from bot.loop.state import LaneState
from bot.surveys.scales import nearest
from bot.takeover import rules as takeover
from bot.takeover.rules import Ownership
from nlu.understanding import Entity, Intent, Language, Sentiment, Understanding, Urgency
from storage import tables
from storage.changes import Insert
from storage.records import Case, Report

APART = "/something_else"
"""The payload of the button that says: what just joined a case is another matter."""

MAY_BE_A_QUESTION = frozenset({"ask_question", "nlu_fallback", "out_of_scope"})
"""Intents for which the knowledge base is asked as well: a greeting needs no search."""


class Answers(Protocol):
    """The knowledge base."""

    def search(self, text: str, language: Language) -> list[Found]:
        """The best first, in the customer's language where there is one."""
        ...

    def certain(self, text: str, language: Language) -> bool:
        """Whether the words of `text` alone find its answer."""
        ...


class Talks(Protocol):
    """An engine: the embedded one, or a Rasa server."""

    async def turn(self, tracker: dict[str, Any] | None, message: UserMessage) -> Turn: ...


@dataclass(slots=True)
class Talking:
    """`company` is the name that customers know us by."""

    engine: Talks
    answers: Answers
    desk: Desk
    notices: Notices
    company: str
    _hours: dict[tuple[Language, int], dict[str, Any]] = field(default_factory=dict)

    async def hear(self, effects: Effects, understood: Understanding, at: datetime) -> None:
        """Words for the bot."""
        intent, confidence = understood.intent.name, understood.intent.confidence
        entities = [{"entity": e.entity, "value": e.value} for e in understood.entities]
        await self._turn(effects, understood, intent, confidence, entities, at)

    def note(self, effects: Effects, understood: Understanding, at: datetime) -> None:
        """What somebody who waits for a person adds in passing goes to their case: an order number, how to reach
        them."""
        said = {entity.entity: entity.value[:200] for entity in understood.entities}
        reach = {name: said[name] for name in ("phone", "email") if name in said}
        if reach:
            effects.change_contact(**reach)
        contact = said.get("phone") or said.get("email")
        fields = {"order_number": said.get("order_number"), "contact": contact}
        given = {name: value for name, value in fields.items() if value}
        if given:
            self.desk.complete(effects, given, None, at)

    async def tap(self, effects: Effects, payload: str, title: str, at: datetime) -> None:
        """A tap on a button of the assistant: its payload is an intent, whatever the words on it."""
        intent, entities = parse_payload(payload)
        understood = Understanding(
            text=title,
            language=cast(Language, effects.language),
            intent=Intent(intent, 1.0),
            sentiment=Sentiment("neutral", 0.0),
            entities=tuple(Entity(str(e["entity"]), str(e["value"]), 0, 0) for e in entities),
        )
        await self._turn(effects, understood, intent, 1.0, entities, at)

    async def shown(self, hit: Found, language: Language, channel: str, at: datetime) -> list[Response]:
        """What the bot says on `channel` to a question that `hit` answers. Nobody hears it."""
        understood = Understanding(
            text=hit.question,
            language=language,
            intent=Intent("ask_question", 1.0),
            sentiment=Sentiment("neutral", 0.0),
        )
        found = {"key": hit.key, "score": hit.score, "question": hit.question, "answer": hit.answer}
        facts = {
            "channel": channel,
            "language": language,
            "now": at.isoformat(),
            "owner": "bot",
            "understanding": understood.as_json(),
            "knowledge": [found],
            "company": self.company,
            **self._house(language, at),
        }
        message = UserMessage(hit.question, "ask_question", 1.0, [], {"earful": facts}, channel, "preview")
        return list((await self.engine.turn(None, message)).responses)

    def apart(self, effects: Effects, report: Report, at: datetime) -> None:
        """A tap on "something else": what joined a case becomes one of its own, once, whoever has the conversation."""
        language = cast(Language, effects.language)
        if report.split_into is not None:
            effects.say(self.notices.case_apart_already.said(language), kind="notice")
            return
        urgency = cast(Urgency, report.urgency)
        self.desk.apart(effects, report, at, actor="customer")
        words = self.notices.case_apart.said(
            language, number="[[case_number]]", promise=self.desk.promise(urgency, at, language)
        )
        if "order_number" not in report.fields:
            words += ("" if language == "zh" else " ") + self.notices.case_apart_order.said(language)
        effects.say(words, kind="notice")

    def hand_off(self, effects: Effects, reason: str, at: datetime) -> bool:
        """Give the conversation to a person; False if it is with one, or waits, already."""
        now = ownership(effects)
        new = takeover.request_person(now)
        if not isinstance(new, Ownership):
            return False
        effects.own(new.owner, new.epoch, agent_id=None, queued_at=at, reason=reason)
        return True

    async def _turn(
        self,
        effects: Effects,
        understood: Understanding,
        intent: str,
        confidence: float,
        entities: list[dict[str, Any]],
        at: datetime,
    ) -> None:
        turn = await self.engine.turn(
            effects.tracker,
            UserMessage(
                text=understood.text,
                intent=intent,
                confidence=confidence,
                entities=entities,
                metadata={"earful": self._facts(effects, understood, intent, at)},
                channel=effects.state.channel,
                sender_id=effects.state.lane,
            ),
        )
        effects.tracker = turn.tracker
        # Commands first: a text may speak of the case that a command of the same turn opens.
        for command in turn.commands:
            _COMMANDS[command["command"]](self, effects, command, understood, at)
        handed_over = any(command["command"] == "hand_off" for command in turn.commands)
        joined = next((c for c in effects.changes if isinstance(c, Insert) and c.table is tables.case_reports), None)
        for response in turn.responses:
            options = [Option(button.title, button.payload) for button in response.buttons]
            # What is said while handing over is no reply that a takeover should stop.
            kind: Kind = "notice" if handed_over else "reply"
            report = joined if any(option.payload.startswith(APART) for option in options) else None
            effects.say(response.text, options, kind=kind, report=report)

    # ---- facts ----

    def _facts(self, effects: Effects, understood: Understanding, intent: str, at: datetime) -> dict[str, Any]:
        language = cast(Language, effects.language)
        state = effects.state
        contact = state.contact
        known = self.answers.search(understood.text, language) if intent in MAY_BE_A_QUESTION else []
        return {
            "channel": state.channel,
            "language": language,
            "now": at.isoformat(),
            "owner": effects.owner,
            "understanding": understood.as_json(),
            "cases": [
                {
                    "number": numbers.number(case.id),
                    "state": case.state,
                    "title": case.title,
                    "urgency": case.urgency,
                    "nature": case.nature,
                    "aspect": case.aspect,
                    "order": case.fields.get("order_number"),
                    "told_at": (case.reported_at or case.opened_at).isoformat(),
                }
                for case in state.cases
            ],
            "current": numbers.number(current.id) if (current := self.desk.current(effects)) else None,
            "other_cases": [
                {"number": numbers.number(case.id), "state": _standing(state, case), "title": case.title}
                for case in state.named.values()
                if contact is not None and case.contact_id == contact.id
            ],
            "knowledge": [
                {"key": hit.key, "score": hit.score, "question": hit.question, "answer": hit.answer} for hit in known
            ],
            "queue": {"position": state.queue_position},
            "contact": {
                "name": contact.name if contact else None,
                "phone": contact.phone if contact else None,
                "email": contact.email if contact else None,
                "high_value": bool(contact and contact.segment == HIGH_VALUE),
            },
            "company": self.company,
            **self._house(language, at),
        }

    def _house(self, language: Language, at: datetime) -> dict[str, Any]:
        """Office hours and promises of this minute: they are counted through once a minute, not for every message."""
        minute = int(at.timestamp()) // 60
        known = self._hours.get((language, minute))
        if known is None:
            calendar = self.desk.calendar
            open_now = is_open(calendar, at)
            opens = None if open_now else moment_words(calendar, opens_at(calendar, at), at, language)
            urgencies: tuple[Urgency, ...] = ("urgent", "important", "normal")
            known = {
                "office": {"open": open_now, "opens_at": opens},
                "promises": {urgency: self.desk.promise(urgency, at, language) for urgency in urgencies},
            }
            if len(self._hours) > 8:
                self._hours.clear()
            self._hours[language, minute] = known
        return known

    # ---- commands ----

    def _open_case(self, effects: Effects, body: dict[str, Any], understood: Understanding, at: datetime) -> None:
        self.desk.open(
            effects,
            title=body["summary"],
            nature=body["nature"],
            aspect=body["aspect"],
            urgency=body["urgency"],
            fields=body["fields"],
            origin="conversation",
            at=at,
        )

    def _join_case(self, effects: Effects, body: dict[str, Any], understood: Understanding, at: datetime) -> None:
        told = {name: body[name] for name in ("summary", "nature", "aspect", "urgency", "fields")}
        if not self.desk.join(effects, body["case_no"], at, **told):  # it is settled since: nothing told is lost
            self._open_case(effects, body, understood, at)

    def _update_case(self, effects: Effects, body: dict[str, Any], understood: Understanding, at: datetime) -> None:
        self.desk.complete(effects, body["fields"], body.get("note"), at)

    def _withdraw_case(self, effects: Effects, body: dict[str, Any], understood: Understanding, at: datetime) -> None:
        self.desk.withdraw(effects, body["case_no"], body["reason"], at)

    def _hand_off(self, effects: Effects, body: dict[str, Any], understood: Understanding, at: datetime) -> None:
        self.hand_off(effects, body["reason"], at)

    def _cancel(self, effects: Effects, body: dict[str, Any], understood: Understanding, at: datetime) -> None:
        new = takeover.cancel(ownership(effects))
        if isinstance(new, Ownership):
            effects.own(new.owner, new.epoch, agent_id=None, queued_at=None, reason=None)

    def _remember(self, effects: Effects, body: dict[str, Any], understood: Understanding, at: datetime) -> None:
        effects.change_contact(**{name: body[name] for name in ("name", "phone", "email") if name in body})

    def _helpful(self, effects: Effects, body: dict[str, Any], understood: Understanding, at: datetime) -> None:
        effects.votes.append((body["entry"], effects.language, body["helpful"]))

    def _unanswered(self, effects: Effects, body: dict[str, Any], understood: Understanding, at: datetime) -> None:
        effects.mark_heard(unanswered=True)

    def _volunteered(self, effects: Effects, body: dict[str, Any], understood: Understanding, at: datetime) -> None:
        definition = self.desk.surveys.for_trigger("volunteered")
        if definition is None:
            return
        rated = float(body["score"])
        rated_unasked(effects, definition, nearest(definition.scale, rated), rated, "text", at)


Command = Callable[[Talking, Effects, dict[str, Any], Understanding, datetime], None]
_COMMANDS: dict[str, Command] = {
    "open_case": Talking._open_case,
    "join_case": Talking._join_case,
    "update_case": Talking._update_case,
    "withdraw_case": Talking._withdraw_case,
    "hand_off": Talking._hand_off,
    "cancel_hand_off": Talking._cancel,
    "remember": Talking._remember,
    "helpful": Talking._helpful,
    "unanswered": Talking._unanswered,
    "volunteer_rating": Talking._volunteered,
}


def _standing(state: LaneState, case: Case) -> str:
    """A case that was merged stands where the one stands that it became a part of."""
    survivor = state.case(case.merged_into) if case.merged_into is not None else None
    return survivor.state if survivor is not None else case.state


def ownership(effects: Effects, agent_name: str | None = None) -> Ownership:
    """Who owns the conversation at this point of the turn."""
    agent = effects.conversation.get("agent_id") if "agent_id" in effects.conversation else None
    known = effects.state.conversation
    if "agent_id" not in effects.conversation and known:
        agent = known.agent_id
    return Ownership(cast(takeover.Owner, effects.owner), effects.epoch, agent, agent_name)


def commands() -> Sequence[str]:
    """What Talking carries out; a test holds it against what actions may ask."""
    return tuple(_COMMANDS)
