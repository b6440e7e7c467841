"""One turn: a message in, what to say and do out. Rasa's prediction loop, without events kept or anything written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from rasa_sdk.executor import ActionExecutor

from bot.engine.assistant import Assistant
from bot.engine.domain import DEACTIVATE, FALLBACK, LISTEN, NLU_FALLBACK, REQUESTED_SLOT, RESTART
from bot.engine.forms import run_form
from bot.engine.message import Command, Response, Turn, UserMessage
from bot.engine.responses import FILLED_LATER
from bot.engine.running import (
    Followup,
    FormRejected,
    LoopSet,
    Outcome,
    Rejected,
    Restarted,
    Rewound,
    Runner,
    SlotSet,
    SlotsReset,
)
from bot.engine.talk import Talk
from bot.errors import ActionError, ContentError, Problem

MOST_ACTIONS = 10
"""A message that leads to more actions than this is going round in circles."""
_FILLED_LATER = re.compile(r"\[\[(\w*)\]\]")


class Engine:
    """Stateless between turns: whoever calls keeps the tracker. Safe to share among tasks of one event loop."""

    def __init__(self, assistant: Assistant, executor: ActionExecutor) -> None:
        """Raises ContentError if the domain names an action that `executor` does not have."""
        self._assistant = assistant
        self._executor = executor
        if problems := list(_unregistered(assistant, executor)):
            raise ContentError(problems)

    async def turn(self, tracker: dict[str, Any] | None, message: UserMessage) -> Turn:
        """What to say and ask for, and the tracker to keep for the next turn; `tracker` None begins a conversation and
        is not changed. An intent that the domain does not know counts as not understood. Raises ActionError."""
        domain = self._assistant.domain
        intent = message.intent if message.intent in domain.intents else NLU_FALLBACK
        talk = Talk.load(domain, tracker)
        talk.hear(intent, _now(message))
        heard = message if intent == message.intent else replace(message, intent=intent)
        run = _Run(self._assistant, Runner(self._executor, heard), talk, tracker)
        await run.through()
        _check_filled_later(run.steps)
        return Turn(run.talk.dump(), run.steps)


class _Run:
    """The actions of one turn."""

    def __init__(self, assistant: Assistant, runner: Runner, talk: Talk, stored: dict[str, Any] | None) -> None:
        self._assistant = assistant
        self._runner = runner
        self._stored = stored
        self.talk = talk
        self.steps: list[Response | Command] = []
        self._followup: str | None = None
        self._refused: str | None = None
        self._over = False

    async def through(self) -> None:
        self._apply("action_extract_slots", await self._runner.extract(self.talk))
        policy = self._assistant.policy
        done = 0
        while True:
            states = self.talk.states(policy.slots)
            action, self._followup = self._followup, None
            if action is None:
                loop = self.talk.loop
                found = policy.predict(states, rejected=loop is not None and loop.rejected)
                action = found.action or FALLBACK
                if loop is not None:
                    # A rule that goes straight back to a form which just refused the message would have it refuse
                    # again, for ever (Rasa hangs): the form repeats its question instead.
                    again = self._refused == loop.name and self.talk.previous == LISTEN
                    loop.interrupted = action == loop.name and (found.interrupted or again)
            if action == LISTEN:
                return
            if done == MOST_ACTIONS:
                raise ActionError(action, f"would be one more after {MOST_ACTIONS} actions for one message")
            done += 1
            try:
                outcomes = await self._perform(action)
            except FormRejected:
                if action not in self._assistant.domain.forms:
                    raise ActionError(action, "rejects to run, where nothing else can") from None
                if self.talk.loop_name != action:
                    raise ActionError(action, "rejects the message that activates it") from None
                self._refuse()
                continue
            if not any(isinstance(each, Rejected) for each in outcomes):
                self.talk.acted(action, states)
            self._apply(action, outcomes)
            if self._over:
                return

    async def _perform(self, action: str) -> list[Outcome]:
        domain = self._assistant.domain
        if action in domain.responses:
            return [self._runner.utter(self.talk, action, action)]
        if form := domain.forms.get(action):
            return await run_form(self._runner, self.talk, form)
        if action in domain.actions:
            return await self._runner.custom(self.talk, action)
        match action:
            case "action_deactivate_loop" if action == DEACTIVATE:
                return [LoopSet(None), SlotSet(REQUESTED_SLOT, None)]
            case "action_restart" if action == RESTART:
                return [*self._maybe("utter_restart"), Restarted()]
        return [*self._maybe("utter_default"), Rewound()]

    def _maybe(self, response: str) -> list[Outcome]:
        return (
            [self._runner.utter(self.talk, response, response)] if response in self._assistant.domain.responses else []
        )

    def _apply(self, action: str, outcomes: Iterable[Outcome]) -> None:
        for each in outcomes:
            match each:
                case Response() | Command():
                    self.steps.append(each)
                case SlotSet():
                    self.talk.set(each.name, each.value)
                case LoopSet():
                    self.talk.activate(each.name)
                case Followup():
                    self._followup = each.action
                case SlotsReset():
                    self.talk.slots |= {name: slot.initial for name, slot in self.talk.domain.slots.items()}
                case Rejected():
                    if action != self.talk.loop_name:
                        raise ActionError(action, "rejects to run, where nothing else can")
                    self._refuse()
                case Restarted():
                    self.talk.restart()
                    self._over = True
                case Rewound():
                    self._rewind()

    def _refuse(self) -> None:
        self._refused = self.talk.loop_name
        self.talk.reject()

    def _rewind(self) -> None:
        """As if the message had not been said; what was answered stays said."""
        before = self.talk
        self.talk = Talk.load(before.domain, self._stored)
        self.talk.turn, self.talk.heard_at = before.turn, before.heard_at
        self._over = True


def _now(message: UserMessage) -> datetime | None:
    """Business time, which the caller tells among the facts; None: sessions do not end."""
    facts = message.metadata.get("earful")
    told = facts.get("now") if isinstance(facts, dict) else None
    if not isinstance(told, str):
        return None
    try:
        now = datetime.fromisoformat(told)
    except ValueError:
        return None
    return now if now.tzinfo else None


def _check_filled_later(steps: list[Response | Command]) -> None:
    """A place that is filled when the case is written needs the case."""
    opened = sum(isinstance(step, Command) and step.body["command"] == "open_case" for step in steps)
    if opened > 1:
        raise ActionError("open_case", "two cases are opened for one message")
    for step in steps:
        if isinstance(step, Response) and "[[" in step.text:
            for name in _FILLED_LATER.findall(step.text):
                if name not in FILLED_LATER or not opened:
                    raise ActionError(step.name or "a text", f"speaks of [[{name}]], which this turn does not provide")


def _unregistered(assistant: Assistant, executor: ActionExecutor) -> Iterable[Problem]:
    for name, (file, line) in assistant.domain.actions.items():
        if name not in executor.actions:
            yield Problem(
                file,
                line,
                f"the action `{name}` has no code",
                "Write its class in bot/actions and name it in bot/actions/registry.py, or take it off the list",
            )
