"""Whether the service lives, whether it works, and how much: for supervisors and Prometheus. No text, no ids."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import ColumnElement, Connection, func, literal_column, select, text

from bot.loop.figures import BOUNDS
from bot.outgoing import posts
from bot.service import SERVICE, Service
from bot.web.limits import LIMITS
from bot.web.server import CLOSING
from storage.sets import among, other_than
from storage.tables import conversations, inbox, outbox

log = structlog.get_logger()

ANSWERS_WITHIN = 2.0
"""Seconds within which the database must answer."""

LOOP = frozenset({"turns", "delivery", "timers"})
"""The tasks (by name) without which nothing is worked."""

routes = web.RouteTableDef()


@routes.get("/healthz")
async def healthz(request: web.Request) -> web.Response:
    """The process answers."""
    return web.Response(text="ok")


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """200 if the database answers, every task of this process is at work and it is not about to stop, else 503 with
    what is not so. Redis is told and does not count: nothing needs it."""
    service = request.app[SERVICE]
    found = {
        "database": await _answers(service),
        "loop": {task.get_name() for task in asyncio.all_tasks()} >= (service.works or LOOP),
    }
    body = {name: "ok" if well else "failing" for name, well in found.items()}
    if request.app[CLOSING].is_set():
        body["stopping"] = "yes"
    if service.router.stream:
        body["redis"] = "ok" if service.router.stream.well else "away"
    well = all(found.values()) and "stopping" not in body
    return web.json_response(body, status=200 if well else 503)


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """Prometheus' text format."""
    service = request.app[SERVICE]
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Figures(list(_counted(service, request.app[LIMITS].held("sockets-of")))))
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            waiting = await service.database.read(_waiting)
        registry.register(_Figures(list(_stored(waiting, service.clock.now()))))
    except Exception as error:  # the figures that need no database are wanted most when it is gone
        log.warning("metrics without the database's", error=type(error).__name__)
    body = generate_latest(registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _answers(service: Service) -> bool:
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            await service.database.read(lambda connection: connection.execute(text("select 1")).scalar())
    except Exception as error:
        log.warning("the database does not answer", error=type(error).__name__)
        return False
    return True


_Oldest = Mapping[str, tuple[int, datetime]]
"""By channel: how many wait, and since when the oldest does."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    inbox: _Oldest
    outbox: _Oldest
    owners: Mapping[str, int]
    posts: Mapping[tuple[str, str], int]


def _waiting(connection: Connection) -> _Waiting:
    unread = among(inbox.c.state, "new")

    def counted(column: ColumnElement[str], *where: ColumnElement[bool]) -> dict[str, int]:
        # Of a bare column SQLite would read an index of everything in its order, rather than that of what waits.
        named = func.coalesce(column, literal_column("''"))
        statement = select(named, func.count()).where(*where).group_by(named)
        return {str(row[0]): int(row[1]) for row in connection.execute(statement)}

    def oldest(column: ColumnElement[str], at: ColumnElement[datetime], where: ColumnElement[bool]) -> _Oldest:
        named = func.coalesce(column, literal_column("''"))
        statement = select(named, func.count(), func.min(at)).where(where).group_by(named)
        return {str(row[0]): (int(row[1]), row[2]) for row in connection.execute(statement)}

    return _Waiting(
        inbox=oldest(inbox.c.channel, inbox.c.received_at, unread),
        outbox=oldest(outbox.c.channel, outbox.c.created_at, among(outbox.c.state, "queued", "sending")),
        posts=_posts(connection),
        owners=counted(conversations.c.owner, other_than(conversations.c.owner, "bot")),
    )


def _posts(connection: Connection) -> Mapping[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for receiver, states in posts.counts(connection).items():
        for state, number in states.items():
            found["mail" if receiver is None else "webhook", state] += number
    return found


class _Figures(Collector):
    """Figures that were gathered before Prometheus asked: a collector cannot await."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counted(service: Service, sockets: int) -> Iterable[Metric]:
    events = CounterMetricFamily("earful_events", "What happened, by channel.", labels=["what", "channel"])
    for name, number in sorted(service.counts.items()):
        what, _, channel = name.partition(".")
        events.add_metric([what, channel], number)
    yield events
    sends = CounterMetricFamily("earful_sends", "Attempts to send, by outcome.", labels=["outcome", "channel"])
    for (outcome, channel), number in sorted(service.delivery.counts.items()):
        sends.add_metric([outcome, channel], number)
    yield sends
    made = CounterMetricFamily("earful_posts", "Attempts at webhooks and mail, by outcome.", labels=["way", "outcome"])
    for (way, outcome), number in sorted(service.courier.counts.items()):
        made.add_metric([way, outcome], number)
    yield made
    expired = CounterMetricFamily(
        "earful_expired", "Rows that were kept for long enough and are gone.", labels=["what"]
    )
    for what, number in sorted(service.retention.gone.items()):
        expired.add_metric([what], number)
    yield expired
    done = "When all that was due had last gone (0: not since this process started; one does it for all)."
    at = service.retention.done_at
    yield GaugeMetricFamily("earful_retention_done_timestamp_seconds", done, at.timestamp() if at else 0)
    dead = CounterMetricFamily("earful_dead_letters", "Events given up after several attempts.", labels=["channel"])
    for channel, number in sorted(service.figures.dead.items()):
        dead.add_metric([channel], number)
    yield dead
    took = HistogramMetricFamily(
        "earful_stage_seconds",
        "intake: until an event is committed; turn: from there until its turn is; send: one attempt.",
        labels=["stage", "channel"],
    )
    for (stage, channel), histogram in sorted(service.figures.stages.items()):
        bounds = ["+Inf" if math.isinf(bound) else str(bound) for bound in BOUNDS]
        sums = accumulate(histogram.counts)
        took.add_metric([stage, channel], list(zip(bounds, sums, strict=True)), histogram.total)
    yield took
    yield GaugeMetricFamily(
        "earful_parts", "Parts of the lanes that this process works, of 64.", len(service.shares.parts)
    )
    yield GaugeMetricFamily("earful_workers", "Processes that work, as this one knows.", service.shares.members)
    if service.router.stream:
        yield GaugeMetricFamily("earful_redis_up", "Whether Redis answers.", int(service.router.stream.well))
    yield CounterMetricFamily("earful_turns", "Turns of conversations.", value=service.turns.turns)
    yield GaugeMetricFamily("earful_chat_sockets", "Open web chats.", value=sockets)


def _stored(waiting: _Waiting, now: datetime) -> Iterable[Metric]:
    for name, words, waits in (
        ("inbox", "Events that wait for their turn", waiting.inbox),
        ("outbox", "Messages that wait to be sent", waiting.outbox),
    ):
        count = GaugeMetricFamily(f"earful_{name}_waiting", f"{words}.", labels=["channel"])
        age = GaugeMetricFamily(f"earful_{name}_oldest_seconds", f"{words}: age of the oldest.", labels=["channel"])
        for channel, (number, since) in sorted(waits.items()):
            count.add_metric([channel], number)
            age.add_metric([channel], max(0.0, (now - since).total_seconds()))
        yield count
        yield age
    held = GaugeMetricFamily(
        "earful_posts_held", "Webhook calls and mail, waiting or given up.", labels=["way", "state"]
    )
    for (way, state), number in sorted(waiting.posts.items()):
        held.add_metric([way, state], number)
    yield held
    people = "Conversations in the queue or with an agent."
    family = GaugeMetricFamily("earful_conversations_with_people", people, labels=["owner"])
    for owner, number in sorted(waiting.owners.items()):
        family.add_metric([owner], number)
    yield family
