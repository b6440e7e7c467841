"""Parts for tests of the loop: an adapter that can be told to fail, a policy that echoes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.clock import ManualClock
from bot.loop.delivery import Delivery
from bot.loop.effects import Effects
from bot.loop.intake import Intake
from bot.loop.lanes import Lanes
from bot.loop.state import LaneState
from bot.loop.timers import Timers
from bot.loop.turn import Turns
from channels.base import AccountSettings, Adapter, AnyEvent, Capabilities, Outgoing, Request, Sent, Text
from storage.database import Database

START = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)  # a Thursday, 10:00 in Shanghai


class Memory(Adapter[AccountSettings]):
    """A channel that keeps what is sent. `fault` may raise for a message, or say that it arrived and then raise."""

    channel = "memory"
    capabilities = Capabilities(text_limit=1000, buttons=10)
    Settings = AccountSettings

    def __init__(self, capabilities: Capabilities | None = None) -> None:
        self.account = "a"
        self.sent: list[Outgoing] = []
        self.fault: Callable[[Outgoing], BaseException | None] = lambda _: None
        self.lost_answer: Callable[[Outgoing], bool] = lambda _: False
        if capabilities:
            self.capabilities = capabilities  # type: ignore[misc] # one account's own, for a test

    def verify(self, request: Request) -> None:
        return None

    def parse(self, body: bytes) -> list[AnyEvent]:
        return []

    async def send(self, outgoing: Outgoing) -> Sent:
        error = self.fault(outgoing)
        if error is not None:
            raise error
        self.sent.append(outgoing)
        return Sent(f"p{len(self.sent)}")

    def texts(self, address: str | None = None) -> list[str]:
        return [o.text for o in self.sent if address in (None, o.address)]


@dataclass
class Echo:
    """Answers every text with itself; `fail` names texts whose turn raises."""

    clock: ManualClock
    capability: Capabilities
    fail: set[str] = field(default_factory=set)
    decided: list[str] = field(default_factory=list)
    before: Callable[[LaneState], None] = lambda _: None

    def capabilities(self, channel: str) -> Capabilities:
        return self.capability

    def start(self, state: LaneState) -> Effects:
        return Effects(state, self.clock.now(), self.capability)

    async def decide(self, states: Sequence[LaneState]) -> list[Effects | Exception]:
        return [self._one(state) for state in states]

    def _one(self, state: LaneState) -> Effects | Exception:
        self.before(state)
        effects = self.start(state)
        for heard in state.heard:
            if not isinstance(heard.event, Text):  # a survey that did not arrive is told to its lane
                effects.done.append(heard.id)
                continue
            self.decided.append(heard.event.text)
            if heard.event.text in self.fail:
                return RuntimeError("no turn for this one")
            effects.hear(heard.event.text, at=heard.received_at)
            effects.say(f"echo {heard.event.text}")
            effects.done.append(heard.id)
        effects.finish()
        return effects

    def give_up(self, state: LaneState, reason: str) -> Effects:
        effects = self.start(state)
        effects.dead[state.heard[0].id] = reason
        effects.say("sorry", kind="notice")
        effects.own("queue", effects.epoch + 1, queued_at=self.clock.now())
        effects.finish()
        return effects


class Rig:
    """A loop over a database, with one memory channel and the echo policy, moved by hand."""

    def __init__(self, database: Database, capabilities: Capabilities | None = None) -> None:
        self.database = database
        self.clock = ManualClock(START)
        self.adapter = Memory(capabilities)
        self.policy = Echo(self.clock, self.adapter.capabilities)
        self.lanes = Lanes()
        self.watched: list[str] = []
        self.delivery = Delivery(
            database, self.clock, lambda channel, account: self.adapter if account == "a" else None, self.watch
        )
        self.turns = Turns(database, self.clock, self.policy, self.lanes, self.delivery.hint, self.watch)
        self.intake = Intake(database, self.clock, self.lanes.wake)
        self.timers = Timers(database, self.clock, self.lanes.wake)

    def watch(self, lanes: Iterable[str]) -> None:
        self.watched += lanes

    async def hear(self, *texts: str, thread: str = "t", key: str | None = None) -> None:
        await self.intake.accept(
            "memory", "a", [Text(dedupe_key=key or f"{thread}:{text}", thread=thread, text=text) for text in texts]
        )

    async def settle(self) -> None:
        while True:
            fired = await self.timers.fire()
            worked = await self.turns.settle()
            await self.delivery.settle()
            if not fired and not worked:
                return
