"""Plays a scenario and writes down what came of it."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, insert, select

from bot.api.contacts import CareIn
from bot.api.episodes import EpisodeIn, person, places
from bot.app import opened
from bot.cases import numbers
from bot.cases.call_backs import CallRefused
from bot.cases.remedies import RemedyRefused
from bot.cases.tasks import TaskRefused
from bot.clock import ManualClock
from bot.contacts import consent
from bot.loop.case_moves import IllegalMove
from bot.loop.casework import CaseRefused
from bot.loop.episodes import Reported
from bot.loop.events import chat_lane, decode
from bot.loop.people import Refused
from bot.service import Service
from bot.settings import Settings
from bot.simulation import casework
from bot.simulation.channels import FAULTS, MemoryChannel, all_channels
from bot.simulation.scenario import Scenario, ScenarioError, Step
from bot.takeover.rules import Agent
from channels.base import AnyEvent, Tap, Text
from storage import tables
from storage.tables import cases, conversations, messages, outbox, ratings, staff, surveys, timers

PATIENCE = timedelta(minutes=5)
"""After the last step what waits for its rate or retry still goes out, for this long."""


async def play(scenario: Scenario, settings: Settings, models: Path | None = None) -> dict[str, Any]:
    """The result of a scenario as `simulate --json` writes it. Raises ScenarioError for a step that cannot be done."""
    with tempfile.TemporaryDirectory(prefix="earful-simulation-") as place:
        private = settings.model_copy(
            update={"data_dir": Path(place), "database_url": None, "channels": {}, **scenario.settings}
        )
        clock = ManualClock(scenario.start)
        async with opened(
            private, clock=clock, adapters=lambda _: all_channels(), models=models, patience=None
        ) as service:
            player = _Player(scenario, service, clock)
            for step in scenario.steps:
                await player.advance(scenario.start + step.after)
                await player.do(step)
                await service.settle()
            await player.advance(clock.now() + PATIENCE)
            return await player.written()


class _Player:
    def __init__(self, scenario: Scenario, service: Service, clock: ManualClock) -> None:
        self._scenario = scenario
        self._service = service
        self._clock = clock
        self._ids = itertools.count(1)
        self._agents: dict[str, Agent] = {}
        self.said: list[dict[str, Any]] = []

    async def advance(self, until: datetime) -> None:
        """Move the clock, stopping wherever something falls due on the way."""
        until = until.astimezone(UTC)
        while True:
            await self._service.settle()
            while await self._service.caring.run_due():
                await self._service.settle()
            due = [
                await self._service.caring.next_due(),
                await self._service.timers.next_due(),
                await self._service.ticking.next_due(),
                self._service.delivery.next_due(),
            ]
            following = min((each for each in due if each is not None), default=None)
            if following is None or following > until:
                break
            self._clock.move_to(max(following, self._clock.now()))
        if until > self._clock.now():
            self._clock.move_to(until)

    async def do(self, step: Step) -> None:
        match step.action:
            case "say":
                await self._hear(step, Text(**self._event(step), text=str(step.value)))
            case "tap":
                await self._tap(step)
            case "agent":
                await self._agent(step)
            case "api":
                await self._api(step)
            case "webhook":
                await self._webhook(step)
            case "fault":
                adapter = self._channel(step)
                error = FAULTS.get(str(step.value))
                if error is None:
                    raise self._wrong(step, f"there is no fault '{step.value}'; there are {', '.join(FAULTS)}")
                adapter.faults.append(error())

    async def _hear(self, step: Step, event: AnyEvent) -> None:
        adapter = self._channel(step)
        await self._service.intake.accept(adapter.channel, adapter.account, [event])

    async def _tap(self, step: Step) -> None:
        adapter = self._channel(step)
        found = adapter.button(self._address(step), str(step.value))
        if found is None:
            raise self._wrong(step, f"{step.contact} has no button '{step.value}' on {adapter.channel}")
        button, message, number = found
        if adapter.capabilities.digits:
            await self._hear(step, Text(**self._event(step), text=str(number)))
        else:
            handle = f"q{next(self._ids)}"
            await self._hear(step, Tap(**self._event(step), data=button.data, handle=handle, message=message))

    async def _agent(self, step: Step) -> None:
        doing = dict(step.value) if isinstance(step.value, Mapping) else {}
        agent = await self._known(str(doing.get("name", "amy")))
        lane = chat_lane(self._channel(step).channel, self._channel(step).account, self._address(step))
        people, action = self._service.people, doing.get("do")
        try:
            match action:
                case "claim":
                    await people.claim(lane, agent)
                case "reply":
                    await people.reply(lane, agent, str(doing["text"]), f"k{next(self._ids)}")
                case "hand_back":
                    await people.hand_back(lane, agent)
                case "requeue":
                    await people.requeue(lane, agent)
                case "resolve":
                    await people.resolve(lane, agent)
                case _ if action in casework.ACTS:
                    await casework.act(self._service, agent, doing)
                case _:
                    known = "claim, reply, hand_back, requeue or resolve"
                    raise self._wrong(step, f"an agent can {known}, and with a case {', '.join(casework.ACTS)}")
        except (Refused, IllegalMove, CaseRefused, TaskRefused, RemedyRefused, CallRefused) as refused:
            self.said.append({"step": step.number, "refused": refused.code, "said": refused.said("en")})

    async def _api(self, step: Step) -> None:
        given = step.value if isinstance(step.value, Mapping) else {}
        if "care" in given:
            care, now = CareIn.model_validate(given["care"]), self._clock.now()
            told = care.model_dump(exclude={"customer", "manager"})
            await self._service.database.write(lambda c: consent.tell(c, care.customer, now, "simulation", **told))
            return
        body = given.get("episodes")
        if body is None:
            raise self._wrong(step, "write api: {episodes: {...}} or {care: {...}}, a body of POST /api/v1/…")
        said = EpisodeIn.model_validate({"ended_at": self._clock.now().isoformat(), **body})
        facts = said.model_dump(exclude={"customer"})
        reported = Reported(**facts, person=person(said.customer), places=places(said.customer))
        await self._service.episodes.take(reported, "simulation")

    async def _webhook(self, step: Step) -> None:
        """An event that only a platform can tell: a comment, a receipt, a block; or several at once."""
        given = step.value if isinstance(step.value, list) else [step.value]
        thread = self._address(step) if step.contact else ""
        events: list[AnyEvent] = []
        for each in given:
            if not isinstance(each, Mapping):
                raise self._wrong(step, "write webhook: {type: comment, ...}")
            try:
                events.append(cast(AnyEvent, decode({"dedupe_key": f"w{next(self._ids)}", "thread": thread, **each})))
            except (KeyError, TypeError, ValueError) as error:
                raise self._wrong(step, f"this is no event: {error}") from None
        adapter = self._channel(step)
        await self._service.intake.accept(adapter.channel, adapter.account, events)

    def _event(self, step: Step) -> dict[str, Any]:
        return {"dedupe_key": f"s{next(self._ids)}", "thread": self._address(step), "sent_at": self._clock.now()}

    def _channel(self, step: Step) -> MemoryChannel:
        for (channel, _), adapter in self._service.adapters.items():
            if channel == self._channel_name(step):
                return cast(MemoryChannel, adapter)
        raise self._wrong(step, f"there is no channel '{step.channel}'")

    def _channel_name(self, step: Step) -> str | None:
        """The channel said, else the only one of the contact."""
        own = list(self._scenario.contacts.get(step.contact or "", {}))
        return step.channel or (own[0] if len(own) == 1 else None)

    def _address(self, step: Step) -> str:
        address = self._scenario.contacts.get(step.contact or "", {}).get(self._channel_name(step) or "")
        if address is None:
            raise self._wrong(step, f"{step.contact} has no address on {step.channel}: add it under contacts")
        return address

    async def _known(self, name: str) -> Agent:
        if name not in self._agents:
            row = {"login": name, "name": name, "password": "-", "role": "agent", "created_at": self._clock.now()}
            made = await self._service.database.write(
                lambda connection: connection.execute(insert(staff).values(row).returning(staff.c.id)).scalar_one()
            )
            self._agents[name] = Agent(made, name)
        return self._agents[name]

    def _wrong(self, step: Step, why: str) -> ScenarioError:
        return ScenarioError(f"{self._scenario.name}: step {step.number}: {why}")

    async def written(self) -> dict[str, Any]:
        """Everything that came of it, as JSON."""
        result = await self._service.database.read(_written)
        return result | {"refused": self.said}


def _written(connection: Connection) -> dict[str, Any]:
    def rows(statement: Any) -> list[dict[str, Any]]:
        found = connection.execute(statement)
        return [{str(name): _json(value) for name, value in row._mapping.items()} for row in found]

    lane = conversations.c.lane.label("lane")
    said = (
        select(lane, messages.c.id, messages.c.author, messages.c.text, messages.c.data, messages.c.created_at)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .order_by(messages.c.id)
    )
    rated = select(ratings, surveys.c.definition).join(surveys, surveys.c.id == ratings.c.survey_id)
    known = tables.knowledge
    found = {
        "transcript": rows(said),
        "conversations": rows(select(conversations).order_by(conversations.c.id)),
        "cases": rows(select(cases).order_by(cases.c.id)),
        "ratings": rows(rated.order_by(ratings.c.id)),
        "rating_history": rows(select(tables.rating_history)),
        "surveys": rows(select(surveys).order_by(surveys.c.id)),
        "timers": rows(select(timers).order_by(timers.c.id)),
        "outbox": rows(select(outbox).order_by(outbox.c.id)),
        "knowledge": rows(select(known).where(known.c.helpful + known.c.unhelpful > 0)),
        "deadlines": rows(select(tables.deadlines).order_by(tables.deadlines.c.id)),
        "tasks": rows(select(tables.case_tasks).order_by(tables.case_tasks.c.id)),
        "remedies": rows(select(tables.case_remedies).order_by(tables.case_remedies.c.id)),
        "alerts": rows(select(tables.alerts).order_by(tables.alerts.c.id)),
        "timeline": rows(select(tables.case_events).order_by(tables.case_events.c.id)),
        "calls": rows(select(tables.call_tries).order_by(tables.call_tries.c.id)),
        "care_messages": rows(select(tables.care_messages).order_by(tables.care_messages.c.id)),
        "contacts": rows(select(tables.contacts).order_by(tables.contacts.c.id)),
        "dead_letters": rows(select(tables.inbox.c.id, tables.inbox.c.reason).where(tables.inbox.c.state == "dead")),
    }
    for case in found["cases"]:
        case["number"] = numbers.number(case["id"])
    return found


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
