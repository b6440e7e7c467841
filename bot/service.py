"""Everything that runs, as one value. `app.py` alone makes it; the faces are given it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from aiohttp import web

from bot.cases.paging import Paging
from bot.cases.rulebook import Rulebook
from bot.cases.tick import Ticking
from bot.clock import Clock
from bot.content import Content
from bot.knowledge.library import Library
from bot.links import Links
from bot.loop.assigning import Assigning
from bot.loop.calling import Calling
from bot.loop.caring import Caring
from bot.loop.casework import Casework
from bot.loop.delivery import Delivery
from bot.loop.episodes import Episodes
from bot.loop.fetching import Fetching
from bot.loop.figures import Figures
from bot.loop.intake import Intake
from bot.loop.lanes import Lanes
from bot.loop.passing import Passing
from bot.loop.people import People
from bot.loop.policy import Conversations
from bot.loop.relationships import Relationships
from bot.loop.relearning import Relearning
from bot.loop.remedying import Remedying
from bot.loop.retention import Retention
from bot.loop.routing import Router
from bot.loop.second_look import SecondLook
from bot.loop.shares import Shares
from bot.loop.splitting import Splitting
from bot.loop.timers import Timers
from bot.loop.turn import Turns
from bot.outgoing.courier import Courier
from bot.outgoing.mail import Mail
from bot.outgoing.service import Webhooks
from bot.settings import Settings
from bot.web.live import Live
from channels.base import Adapter, Capabilities
from storage.database import Database

Role = Literal["all", "gateway", "worker"]
"""What a process does of everything: a gateway serves the faces, a worker takes the turns and sends."""


@dataclass(slots=True)
class Service:
    settings: Settings
    clock: Clock
    secret: bytes
    database: Database
    content: Content
    adapters: dict[tuple[str, str], Adapter[Any]]
    links: Links
    live: Live
    lanes: Lanes
    intake: Intake
    policy: Conversations
    turns: Turns
    timers: Timers
    delivery: Delivery
    episodes: Episodes
    relationships: Relationships
    people: People
    passing: Passing
    assigning: Assigning
    second_look: SecondLook
    ticking: Ticking
    casework: Casework
    splitting: Splitting
    remedying: Remedying
    calling: Calling
    webhooks: Webhooks
    mail: Mail
    paging: Paging
    courier: Courier
    caring: Caring
    shares: Shares
    router: Router
    figures: Figures
    library: Library
    rulebook: Rulebook
    fetching: Fetching
    retention: Retention
    role: Role = "all"
    works: frozenset[str] = frozenset()
    """The tasks, by name, without which this process does not do its part."""
    counts: dict[str, int] = field(default_factory=dict)
    relearning: Relearning | None = None

    def adapter(self, channel: str, account: str) -> Adapter[Any] | None:
        return self.adapters.get((channel, account))

    def capabilities(self, channel: str) -> Capabilities:
        """What a channel can do. Raises KeyError for a channel without an account."""
        return next(adapter.capabilities for (name, _), adapter in self.adapters.items() if name == channel)

    def count(self, name: str, by: int = 1) -> None:
        """Counters for /metrics: `what.channel`."""
        self.counts[name] = self.counts.get(name, 0) + by

    async def follow(self) -> None:
        """Take in what staff changed of the content, here or in another process."""
        await self.library.follow(self.database)
        if await self.rulebook.follow(self.database):
            self.content = replace(self.content, **self.rulebook.values)

    async def settle(self) -> None:
        """Work everything that waits at the clock's present time, until nothing is left: for simulations and tests."""
        while True:
            fired = await self.timers.fire() + await self.ticking.tick()
            worked = await self.turns.settle()
            worked += await self.second_look.look()
            worked += await self.passing.release() + await self.assigning.look()
            worked += await self.relationships.run_due()
            await self.delivery.settle()
            worked += await self.paging.page() + await self.courier.settle()
            if not fired and not worked and not self.lanes.waiting:
                return


SERVICE: web.AppKey[Service] = web.AppKey("service", Service)
