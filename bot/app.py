"""Wires the parts together; nothing else does. Nothing is opened at import."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from bot import api, desk
from bot import content as contents
from bot import running as at_work
from bot.accounts import adapters_of
from bot.actions.registry import executor
from bot.alone import alone_on
from bot.cases.clocks import House
from bot.cases.paging import Paging
from bot.cases.rulebook import Rulebook
from bot.cases.tick import Ticking
from bot.clock import Clock, SystemClock
from bot.content import Content
from bot.engine import Engine
from bot.engines import Engines
from bot.installation import identity, same_secret
from bot.knowledge.entries import articles
from bot.knowledge.index import Index
from bot.knowledge.library import Library
from bot.links import Links
from bot.loop.asking import Asking
from bot.loop.assigning import Assigning
from bot.loop.calling import Calling
from bot.loop.caring import Caring
from bot.loop.cases import Desk
from bot.loop.casework import Casework
from bot.loop.closer_look import PATIENCE, Closer, CloserLook
from bot.loop.commenting import Commenting
from bot.loop.delivery import Delivery
from bot.loop.episodes import Episodes
from bot.loop.fetching import Fetching
from bot.loop.figures import Figures
from bot.loop.intake import Intake
from bot.loop.lanes import Lanes
from bot.loop.local import LocalModel
from bot.loop.passing import Passing
from bot.loop.people import People
from bot.loop.policy import Conversations, Understands
from bot.loop.relationships import Relationships
from bot.loop.relearning import Relearning
from bot.loop.remedying import Remedying
from bot.loop.retention import Kept, Retention
from bot.loop.routing import Router
from bot.loop.second_look import SecondLook
from bot.loop.shares import Shares, lane_of_place
from bot.loop.splitting import Splitting
from bot.loop.talking import Talking, Talks
from bot.loop.timers import Timers
from bot.loop.turn import Turns
from bot.outgoing.courier import Courier
from bot.outgoing.hooks import Hooks
from bot.outgoing.mail import Mail
from bot.outgoing.service import Webhooks
from bot.outgoing.targets import permits
from bot.service import Role, Service
from bot.settings import Settings, SettingsError, make_data_dir, server_secret
from bot.surveys import versions
from bot.takeover.assignment import Giving
from bot.web import chat, health, hooks, pages
from bot.web.front import Front
from bot.web.live import Live
from bot.web.server import application, put_before
from channels.base import Adapter, Capabilities
from channels.http import Http
from nlu import model, rasa_data
from nlu.apart import Apart
from nlu.encoders import available
from nlu.rating import rating
from storage.buckets import Buckets
from storage.database import Database, SQLite, open_database
from storage.schema import upgrade

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from bot.tracing import Collector

log = structlog.get_logger()

GONE = Capabilities(text_limit=4_000)
"""Of a channel that was taken out of the settings: its conversations still hear their timers; nothing is sent."""


_IN_ONE = ("release", "assign", "files", "care", "retention")
"""What one process at a time does: two would be in each other's way."""

running = at_work.running
"""Makes a service work: the other half of `opened`."""

Adapters = Mapping[tuple[str, str], Adapter[Any]]


@contextlib.asynccontextmanager
async def opened(
    settings: Settings,
    *,
    clock: Clock | None = None,
    adapters: Callable[[Http], Adapters] | None = None,
    models: Path | None = None,
    alone: bool = True,
    patience: float | None = PATIENCE,
    role: Role = "all",
) -> AsyncIterator[Service]:
    """A service that is wired and migrated, but does nothing by itself: `running` makes it work. Raises ContentError,
    SettingsError, AlreadyRunning, NewerSchema, Unusable. `alone` False: beside a service at work. `models`: where
    trained models are kept, if not in data_dir. `patience`: seconds that a reply may wait to be understood better, None
    where no customer waits. `role`: a gateway takes in and leaves the turns to others, a worker
    has no faces; both only on PostgreSQL."""
    if role != "all" and settings.database.startswith("sqlite"):
        raise SettingsError(
            "SQLite is for one process that does everything: run `earful serve` alone, or set EARFUL_DATABASE_URL to a "
            "postgresql://… address for several"
        )
    content = contents.load(settings.assistant_dir)
    make_data_dir(settings)
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(_database(settings, alone=alone))
        http = Http()
        stack.push_async_callback(http.close)
        made = dict(adapters(http) if adapters else adapters_of(settings, http))
        for adapter in made.values():
            stack.push_async_callback(adapter.close)
        content = replace(content, surveys=await versions.kept(database, content.surveys, clock or SystemClock()))
        library = Library(content.knowledge)
        await library.open(database, (clock or SystemClock()).now())
        rulebook = rulebook_of(content)
        await rulebook.follow(database)
        content = replace(content, **rulebook.values)
        engines = Engines(settings, clock or SystemClock(), content, library)
        stack.push_async_callback(engines.close)
        encoders = settings.encoders and role != "gateway"
        mind = local_mind(content, models or settings.data_dir / "models", patience, library.index, encoders=encoders)
        if mind.closer is not None:
            stack.callback(mind.closer.close)
        talks, understands = engines.talks(mind.talks), engines.understands(mind.understands)
        mind = replace(mind, talks=talks, understands=understands, counts=engines.counts)
        secret = server_secret(settings)
        shared = not database.url.startswith("sqlite")
        if shared:
            await same_secret(database, secret, given=settings.secret is not None)
        shares = Shares(
            database if shared else None, works=role != "gateway", exclusive=(*at_work.polled(made), *_IN_ONE)
        )
        redis = _redis(settings.redis_url) if shared and settings.redis_url else None
        space = await identity(database) if redis else ""
        buckets = Buckets(redis, space) if redis else None
        collector = traced(settings, role)
        if collector:
            stack.push_async_callback(asyncio.to_thread, collector.close)
        known = (settings, clock or SystemClock(), database, content, made, mind, secret)
        service = wire(*known, shares, buckets, Figures(collector), library, rulebook)
        service.role = role
        stack.push_async_callback(service.courier.close)
        if redis:
            from storage.stream import Stream  # noqa: PLC0415 - who has no Redis need not wait for its client

            router, told = service.router, service.live.changed
            router.stream = Stream(
                redis, space, shares.me, lambda: shares.parts, router.woken, None if role == "worker" else told
            )
            stack.push_async_callback(router.stream.close)
        if alone and isinstance(database, SQLite):
            lost = await service.delivery.abandon()
            if lost:
                log.warning("messages were under way when the service stopped; the desk shows them", unknown=lost)
        yield service


@contextlib.asynccontextmanager
async def _database(settings: Settings, *, alone: bool) -> AsyncIterator[Database]:
    """The database, migrated. On SQLite nobody else works on it before it is closed, unless `alone` is False."""
    database = open_database(settings.database)
    with contextlib.ExitStack() as held:
        try:
            if alone and isinstance(database, SQLite):
                held.enter_context(alone_on(database.path))
            await upgrade(database)
            yield database
        finally:
            await database.close()


def _redis(url: str) -> Redis:
    from storage.stream import client  # noqa: PLC0415

    return client(url)


def traced(settings: Settings, role: Role) -> Collector | None:
    """Where traces go, if they are wanted."""
    if not settings.traces_url:
        return None
    from bot.tracing import Collector  # noqa: PLC0415 - a quarter of a second that only traces should cost

    return Collector(settings.traces_url, role)


def rulebook_of(content: Content) -> Rulebook:
    """Of the content files; `follow` makes it what staff made of them."""
    return Rulebook(content.directory, House(content.deadlines, content.calendar, content.departments, content.surveys))


@dataclass(frozen=True, slots=True)
class Mind:
    """What thinks: understands, talks, knows answers and ratings in words, and looks twice where `closer` is there."""

    understands: Understands
    talks: Talks
    answers: Index
    closer: Closer | None = None
    patience: float | None = PATIENCE  # seconds that a reply waits for `closer`; None where no customer waits
    typed_rating: Callable[[str, int | None], float | None] = rating
    relearning: Relearning | None = None
    counts: dict[str, int] = field(default_factory=dict)  # what became of calls to other engines


def local_mind(
    content: Content,
    models: Path,
    patience: float | None = PATIENCE,
    index: Index | None = None,
    *,
    encoders: bool = False,
) -> Mind:
    """All of it on this machine; models are kept in `models`. With `encoders` it looks twice, where they are installed,
    as soon as they are trained for this content: Earful's own comes so, an operator's is trained in the background.
    `index`: of the knowledge base, where it is built already."""
    data = model.learned(content.training, models)
    local = LocalModel(model.load_or_train(data, models))
    closer = Apart(data, models) if encoders and available() else None
    talks = Engine(content.assistant, executor())

    def examples() -> rasa_data.TrainingData:
        return model.learned(rasa_data.read(content.directory / "data" / "nlu"), models)

    relearning = Relearning(local, data, examples, models, closer)
    index = index or Index(articles(content.knowledge))
    return Mind(local, talks, index, closer, patience, relearning=relearning)


def wire(
    settings: Settings,
    clock: Clock,
    database: Database,
    content: Content,
    adapters: Adapters,
    mind: Mind,
    secret: bytes,
    shares: Shares | None = None,
    shared: Buckets | None = None,
    figures: Figures | None = None,
    library: Library | None = None,
    rulebook: Rulebook | None = None,
) -> Service:
    """Every part given what it needs. Without `shares` everything is this process's. `shared`: send rates that all
    processes keep. Without `library` the knowledge base is what `mind` knows, without `rulebook` the house is as in the
    files."""
    links = Links(settings.address, secret)
    live = Live()
    lanes = Lanes()
    shares, figures = shares or Shares(None), figures or Figures()
    router = Router(shares, lanes.wake, lambda places: delivery.hint(places), live.changed)  # noqa: PLW0108 - made below
    rulebook = rulebook or rulebook_of(content)
    desk = Desk(rulebook.house, links)
    asking = Asking(desk, links, content.notices, mind.typed_rating)
    library = library or Library(content.knowledge, mind.answers)
    talking = Talking(mind.talks, library, desk, content.notices, settings.company)
    by_channel = {channel: adapter.capabilities for (channel, _), adapter in adapters.items()}
    closer_look = CloserLook(mind.closer, mind.patience) if mind.closer else None
    if closer_look is not None:
        library.ask(closer_look)
    if mind.relearning is not None:
        mind.relearning.look_of = closer_look
    policy = Conversations(
        clock=clock,
        understands=mind.understands,
        talking=talking,
        asking=asking,
        commenting=Commenting(content.public_replies, asking, talking, content.notices),
        notices=content.notices,
        company=settings.company,
        language="en" if settings.language == "en" else "zh",
        text_limit=settings.text_limit,
        capabilities_of=lambda channel: by_channel.get(channel, GONE),
        closer_look=closer_look,
    )

    delivery = Delivery(
        database,
        clock,
        lambda channel, account: adapters.get((channel, account)),
        router.changed,
        router.wake,
        [channel for channel, capabilities in by_channel.items() if capabilities.idempotent],
        mine=lambda place: shares.mine(lane_of_place(place)),
        shared=shared,
        members=lambda: shares.members,
        figures=figures,
    )
    turns = Turns(database, clock, policy, lanes, router.hint, router.changed, shares.mine, figures)
    people = People(database, turns, asking, content.notices)
    patience = timedelta(minutes=settings.agent_patience_minutes)

    def reaches(channel: str, account: str) -> Capabilities | None:
        found = adapters.get((channel, account))
        return found.capabilities if found else None

    mail = Mail(settings.mail_server, settings.company, f"{settings.address}/desk", settings.zone)
    # A client of its own: whoever hangs there holds up no platform, and not every address may be called.
    hooks = Hooks(Http(permits=permits(settings.networks)), clock, secret)
    casework = Casework(database, turns, asking, content.notices, reaches)
    return Service(
        settings=settings,
        clock=clock,
        secret=secret,
        database=database,
        content=content,
        adapters=dict(adapters),
        links=links,
        live=live,
        lanes=lanes,
        intake=Intake(database, clock, router.wake, figures=figures),
        policy=policy,
        turns=turns,
        timers=Timers(database, clock, router.wake),
        delivery=delivery,
        episodes=Episodes(database, clock, turns, asking, reaches),
        people=people,
        passing=Passing(database, turns, content.notices, desk.house, patience),
        assigning=Assigning(database, turns, people, desk.house, Giving(settings.assignment, settings.agent_load)),
        relationships=Relationships(database, clock, asking, reaches),
        second_look=SecondLook(database, turns, desk, talking, content.notices, mind.closer, shares.mine),
        casework=casework,
        splitting=Splitting(casework),
        remedying=Remedying(casework, content.remedies),
        calling=Calling(database, turns, desk.house, content.care.calls.tries),
        caring=Caring(database, clock, turns, desk, content.care, settings.company, policy.language, reaches),
        ticking=Ticking(database, clock, desk.house, router.changed),
        webhooks=Webhooks(database, clock, secret, settings.networks),
        mail=mail,
        paging=Paging(database, clock, desk.house, router.changed),
        courier=Courier(database, clock, hooks, mail, hooks.http.close),
        shares=shares,
        router=router,
        figures=figures,
        counts=mind.counts,
        library=library,
        rulebook=rulebook,
        relearning=mind.relearning,
        fetching=Fetching(
            database,
            clock,
            lambda channel, account: adapters.get((channel, account)),
            router.changed,
            settings.attachment_limit,
        ),
        retention=Retention(
            database,
            clock,
            Kept.days(settings.keep_messages_days, settings.keep_events_days, settings.keep_audit_days),
        ),
    )


def web_application(service: Service) -> web.Application:
    """Every face that is reached over HTTP; of a worker, its health."""
    if service.role == "worker":
        return application(service, [health.routes])
    made = application(service, [hooks.routes, health.routes, chat.routes, pages.routes, desk.routes, api.routes])
    put_before(made, Front(service))
    return made
