"""DECIDE: what to do about everything heard in a lane. Routes each event; the rest is surveys and conversation."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, cast

import structlog

from bot.clock import Clock
from bot.contacts import rules as contacts
from bot.loop import due, filing, waiting
from bot.loop.asking import Asking, Quoted
from bot.loop.closer_look import CloserLook
from bot.loop.commenting import Commenting
from bot.loop.effects import Effects
from bot.loop.events import LoopEvent, TimerDue, Undelivered
from bot.loop.notices import Notices
from bot.loop.state import TAP, Heard, LaneState
from bot.loop.talking import APART, MAY_BE_A_QUESTION, Talking
from bot.loop.turn import Later
from bot.takeover.rules import Doing, Owner, bot_may
from channels.base import Button, Capabilities, Comment, Consent, Media, Receipt, Tap, Text, option_numbers
from nlu.model import FALLBACK
from nlu.understanding import Language, Understanding
from storage.records import Message

log = structlog.get_logger()

IN_QUEUE: Mapping[str, Doing] = {
    "ask_queue_position": "position",
    "ask_human": "position",
    "cancel": "cancel",
    "ask_question": "question",
}
GREETING = "/greet"

LOOKED_AT = 1_000
"""Characters of a message that are looked at for its language."""

SURE = 0.5
"""From this confidence on a request for a person or a new complaint is no answer to a survey's open question."""

COURTESIES = frozenset({"thank", "goodbye", "affirm", "deny"})
"""Words to which whoever waits expects no answer."""

NO_ANSWER = frozenset({"ask_human", "ask_question", "cancel"})


class Understands(Protocol):
    async def parse_many(self, texts: Sequence[str], languages: Sequence[Language | None]) -> list[Understanding]: ...


@dataclass(slots=True)
class Conversations:
    """The policy of every lane. `closer_look` None: what the fast heads do not understand is not understood."""

    clock: Clock
    understands: Understands
    talking: Talking
    asking: Asking
    commenting: Commenting
    notices: Notices
    company: str
    language: Language
    text_limit: int
    capabilities_of: Callable[[str], Capabilities]
    closer_look: CloserLook | None = None
    _routes: dict[type[Any], Any] = field(init=False)

    def __post_init__(self) -> None:
        self._routes = {
            Text: self._text,
            Tap: self._tap,
            Media: self._media,
            Consent: self._consent,
            Receipt: self._receipt,
            Comment: self._comment,
            TimerDue: self._timer,
            Undelivered: self._undelivered,
        }

    # ---- the seam to turns ----

    def capabilities(self, channel: str) -> Capabilities:
        return self.capabilities_of(channel)

    def start(self, state: LaneState) -> Effects:
        effects = Effects(state, self.clock.now(), self.capabilities_of(state.channel))
        if state.conversation is None and not (state.contact and state.contact.language):
            effects.language = self.language
        return effects

    async def decide(self, states: Sequence[LaneState]) -> list[Effects | Exception]:
        """Understands all that was said in one go, then decides each lane; a failure is that lane's own."""
        said = [
            (heard, words) for state in states for heard in state.heard if (words := _words(heard.event)) is not None
        ]
        spoken = {heard.id: _spoken(state) for state in states for heard in state.heard}
        hints = [_stated(heard.event) or spoken[heard.id] for heard, _ in said]
        found = await self.understands.parse_many([words[: self.text_limit] for _, words in said], hints)
        understood = {heard.id: each for (heard, _), each in zip(said, found, strict=True)}
        hinted = {heard.id: hint for (heard, _), hint in zip(said, hints, strict=True)}
        results: list[Effects | Exception] = []
        for state in states:
            try:
                later = self._look_closer(state, understood, hinted)
                results.append(later or await self._decide(state, understood))
            except Exception as error:
                log.warning("a lane could not be decided", row=state.heard[0].id, error=type(error).__name__)
                log.debug("why", exc_info=True)
                results.append(error)
        return results

    def _look_closer(
        self, state: LaneState, understood: dict[int, Understanding], hinted: Mapping[int, Language | None]
    ) -> Later | None:
        """Where the bot has to answer words that nobody understood: what a closer look makes of them, put into
        `understood`; where its words find no certain answer to a question: that it was looked for by meaning. Or that
        the lane waits for it."""
        if self.closer_look is None or (state.conversation and state.conversation.owner != "bot"):
            return None
        ready: list[asyncio.Future[None]] = []
        for heard in state.heard:
            fast = understood.get(heard.id)
            if fast is None or isinstance(heard.event, Comment):
                continue
            if fast.intent.name == FALLBACK:
                found = self.closer_look.at(fast, hinted[heard.id])
                if isinstance(found, Later):
                    ready += found.ready
                    continue
                understood[heard.id] = fast = found
            if fast.intent.name in MAY_BE_A_QUESTION and not self.talking.answers.certain(fast.text, fast.language):
                later = self.closer_look.answers(fast.text)
                ready += later.ready if later else ()
        return Later(ready) if ready else None

    async def _decide(self, state: LaneState, understood: Mapping[int, Understanding]) -> Effects:
        effects = self.start(state)
        for heard in state.heard:
            if heard.event is None:
                effects.dead[heard.id] = "it cannot be read: written by another version of Earful"
                continue
            await self._routes[type(heard.event)](effects, heard.event, heard, understood.get(heard.id))
            effects.done.append(heard.id)
        effects.finish()
        return effects

    def give_up(self, state: LaneState, reason: str) -> Effects:
        """The customer is told, in short, and given to a person with everything they said."""
        effects = self.start(state)
        first = state.heard[0]
        effects.dead[first.id] = reason
        words = _words(first.event)
        if words is not None:
            effects.hear(words, at=first.received_at)
            if self.talking.hand_off(effects, "failure", effects.now):
                effects.say(self.notices.failure.said(effects.tongue), kind="notice")
        effects.finish()
        return effects

    # ---- events ----

    async def _text(self, effects: Effects, event: Text, heard: Heard, understood: Understanding) -> None:
        self._meet(effects, event.sender_name)
        change = contacts.consent_of(event.text)
        stopped = effects.state.address and effects.state.address.stopped_at
        if change is not None:
            effects.hear(event.text, at=heard.received_at)
            self._agree(effects, change, cares=change == "start" and not stopped)
            return
        known = effects.language if effects.state.conversation or effects.state.contact else None
        effects.language = contacts.language_after(
            cast("Language | None", known), _shown(event.text, understood), default=self.language
        )
        effects.hear(event.text, at=heard.received_at, data={"understood": _brief(understood)})
        self.talking.desk.heard(effects)
        if await self._option(effects, event.text, heard):
            return
        quoted = _quoted(effects.state, event)
        if self._may_answer(effects, understood, quoted) and self.asking.typed(
            effects, event.text, heard.received_at, quoted
        ):
            return
        intent, before = understood.intent.name, len(effects.changes) if effects.owner == "queue" else None
        if bot_may(cast(Owner, effects.owner), IN_QUEUE.get(intent, "free_text")):
            await self.talking.hear(effects, understood, heard.received_at)
        elif effects.owner == "queue":
            self.talking.note(effects, understood, heard.received_at)
        if before is not None and intent not in COURTESIES:
            waiting.acknowledge(effects, self.notices, before, heard.received_at)

    def _may_answer(self, effects: Effects, understood: Understanding, quoted: Quoted | None) -> bool:
        """Whether words may answer a survey: while a person owns the conversation only if they quote its message, and
        not if they clearly ask for something else."""
        if not bot_may(cast(Owner, effects.owner), "survey_reply" if quoted else "typed_answer"):
            return False
        intent = understood.intent
        praise = understood.nature[:1] == ("praise",)
        if intent.name == "complain" and not praise and not self.asking.is_low(effects):
            return False  # only after a low rating are angry words what was asked for
        return intent.name not in NO_ANSWER or intent.confidence < SURE

    async def _option(self, effects: Effects, text: str, heard: Heard) -> bool:
        """On a channel without buttons a bare number chooses among the options last listed, by the numbers that they
        were listed under."""
        message = effects.state.last_options
        if (
            message is None
            or message.created_at > heard.received_at
            or not bot_may(cast(Owner, effects.owner), "typed_answer")
        ):
            return False
        listed = option_numbers([Button(str(button["title"]), "x") for button in _buttons(message)])
        typed = unicodedata.normalize("NFKC", text).strip()
        if not typed.isdecimal() or int(typed) not in listed:
            return False
        nowhere = Tap(dedupe_key="", thread="", data="")
        await self._pressed(effects, message, listed.index(int(typed)), nowhere, heard.received_at)
        return True

    async def _tap(self, effects: Effects, event: Tap, heard: Heard, _: object) -> None:
        self._meet(effects, event.sender_name)
        found = TAP.fullmatch(event.data)
        message = effects.state.messages.get(int(found[1])) if found else None
        if found is None or message is None or int(found[2]) >= len(_buttons(message)):
            self._answer_tap(effects, event, self.notices.stale_button.said(effects.tongue))
            return
        title = str(_buttons(message)[int(found[2])]["title"])
        effects.hear(title, at=heard.received_at, data={"tapped": message.id})
        await self._pressed(effects, message, int(found[2]), event, heard.received_at)

    async def _pressed(self, effects: Effects, message: Message, place: int, event: Tap, at: datetime) -> None:
        button = _buttons(message)[place]
        payload = button["payload"]
        if isinstance(payload, dict):
            survey = effects.state.surveys.get((message.data or {}).get("survey", 0))
            if survey:
                self.asking.tap(effects, survey, payload, event, message.text, at)
            return
        if effects.capabilities.toasts and event.handle:
            effects.send(str(button["title"]), kind="notice", form="toast", target=event.handle)
        report = effects.state.reports.get((message.data or {}).get("report", 0))
        if report is not None and str(payload).startswith(APART):
            self.talking.apart(effects, report, at)
            return
        if effects.owner != "agent":  # the bot never talks over a person; the tap is on the transcript
            await self.talking.tap(effects, str(payload), str(button["title"]), at)

    def _answer_tap(self, effects: Effects, event: Tap, words: str) -> None:
        if effects.capabilities.toasts and event.handle:
            effects.send(words, kind="notice", form="toast", target=event.handle)
        elif effects.owner != "agent":
            effects.say(words, kind="notice")

    async def _media(self, effects: Effects, event: Media, heard: Heard, understood: Understanding | None) -> None:
        self._meet(effects, event.sender_name)
        said = {"media": event.kind} | filing.heard(effects, event)
        effects.hear(event.caption or f"[{event.kind}]", at=heard.received_at, data=said)
        if effects.owner != "bot":
            return
        if understood:
            await self.talking.hear(effects, understood, heard.received_at)
        else:
            effects.say(self.notices.media.said(effects.tongue))

    async def _consent(self, effects: Effects, event: Consent, heard: Heard, _: object) -> None:
        if event.text:
            effects.hear(event.text, at=heard.received_at)
        match event.change:
            case "start" if not (effects.state.address and effects.state.address.stopped_at):
                # "/start" is also how a conversation begins where the person must begin it.
                if effects.owner == "bot":
                    await self.talking.tap(effects, GREETING, event.text or "/start", heard.received_at)
            case "stop" | "start" | "help":
                self._agree(effects, event.change)
            case "blocked":
                effects.change_address(blocked_at=heard.received_at)
            case "unblocked":
                effects.change_address(blocked_at=None)

    def _agree(self, effects: Effects, change: contacts.Change, *, cares: bool = False) -> None:
        """Consent is obeyed at once, and confirmed. `cares`: they agree to hear from us by ourselves."""
        if cares:
            effects.change_contact(care_agreed_at=effects.now)
            effects.say(contacts.AGREED.said(effects.tongue, company=self.company), kind="consent")
            return
        if change == "stop":
            effects.change_address(stopped_at=effects.now)
            effects.change_contact(care_agreed_at=None)
        elif change == "start":
            effects.change_address(stopped_at=None)
        if effects.capabilities.answers_stop and change != "start":
            return
        words = contacts.CONFIRMATIONS[change].said(effects.tongue, company=self.company)
        effects.say(words, kind="consent")

    async def _receipt(self, effects: Effects, event: Receipt, heard: Heard, _: object) -> None:
        effects.receipts.append((event.reference, event.status))

    async def _comment(self, effects: Effects, event: Comment, heard: Heard, understood: Understanding | None) -> None:
        self.commenting.hear(effects, event, heard.received_at, understood)

    async def _timer(self, effects: Effects, event: TimerDue, heard: Heard, _: object) -> None:
        timer = effects.state.timers.get(event.timer)
        if timer is None or timer.generation != event.generation or timer.state != "fired":
            return  # moved or cancelled since
        kind, _, number = timer.subject.partition(":")
        survey = effects.state.surveys.get(int(number)) if kind == "survey" and number.isdecimal() else None
        if survey and timer.kind == "ask":
            due.ask(self.asking, effects, survey)
        elif survey:
            self.asking.timer(effects, survey, timer.kind, effects.now)

    async def _undelivered(self, effects: Effects, event: Undelivered, heard: Heard, _: object) -> None:
        message = effects.state.messages.get(event.message)
        survey = effects.state.surveys.get((message.data or {}).get("survey", 0)) if message else None
        if survey:
            self.asking.undelivered(effects, survey, event.reason)

    def _meet(self, effects: Effects, name: str | None) -> None:
        contact = effects.state.contact
        if name and (contact is None or contact.name is None):
            effects.change_contact(name=name[:200])


def _words(event: LoopEvent | None) -> str | None:
    match event:
        case Text(text=text) | Comment(text=text) if text:
            return text
        case Media(caption=caption) if caption:
            return caption
    return "" if isinstance(event, Text) else None


def _quoted(state: LaneState, event: Text) -> Quoted | None:
    """The survey whose message is quoted."""
    message = state.messages.get(state.quoted.get(event.reply_to or "", 0))
    survey = state.surveys.get((message.data or {}).get("survey", 0)) if message else None
    if message is None or survey is None:
        return None
    payloads = [button["payload"] for button in _buttons(message)[:1]]
    return Quoted(survey, str(payloads[0]["question"]) if payloads and isinstance(payloads[0], dict) else None)


def _stated(event: LoopEvent | None) -> Language | None:
    language = event.language if isinstance(event, Text) else None
    return cast("Language | None", language if language in ("zh", "en") else None)


def _spoken(state: LaneState) -> Language | None:
    """The language of the conversation so far."""
    known = state.conversation.language if state.conversation else state.contact.language if state.contact else None
    return cast("Language | None", known)


def _shown(text: str, understood: Understanding) -> Language | None:
    """The language that the words show: an order number, an address, a link or an emoji shows none."""
    words = (word for word in text[:LOOKED_AT].split() if not any(sign.isdigit() or sign == "@" for sign in word))
    written = (word for word in words if not word.startswith(("http://", "https://")))
    return understood.language if any(sign.isalpha() for word in written for sign in word) else None


def _brief(understood: Understanding) -> dict[str, Any]:
    """What the desk shows of it, with the words that decided."""
    full = understood.as_json()
    return {name: full[name] for name in ("intent", "sentiment", "nature", "urgency", "evidence")}


def _buttons(message: Message) -> list[dict[str, Any]]:
    return list((message.data or {}).get("buttons", ()))
