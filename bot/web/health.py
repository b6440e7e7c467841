"""Whether the service lives, whether it works, and how much: for supervisors and Prometheus. No text, no ids."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import ColumnElement, Connection, func, literal_column, select, text

from bot.service import SERVICE, Service
from bot.web.limits import LIMITS
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
    """200 if the database answers and the loop is at work, else 503 with which of them does not."""
    service = request.app[SERVICE]
    found = {
        "database": await _answers(service),
        "loop": {task.get_name() for task in asyncio.all_tasks()} >= (service.works or LOOP),
    }
    body = {name: "ok" if well else "failing" for name, well in found.items()}
    return web.json_response(body, status=200 if all(found.values()) else 503)


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


@dataclass(frozen=True, slots=True)
class _Waiting:
    inbox: Mapping[str, int]
    oldest: datetime | None
    outbox: Mapping[str, int]
    owners: Mapping[str, int]


def _waiting(connection: Connection) -> _Waiting:
    unread = among(inbox.c.state, "new")

    def counted(column: ColumnElement[str], *where: ColumnElement[bool]) -> dict[str, int]:
        # Of a bare column SQLite would read an index of everything in its order, rather than that of what waits.
        named = func.coalesce(column, literal_column("''"))
        statement = select(named, func.count()).where(*where).group_by(named)
        return {str(row[0]): int(row[1]) for row in connection.execute(statement)}

    return _Waiting(
        inbox=counted(inbox.c.channel, unread),
        oldest=connection.execute(select(func.min(inbox.c.received_at)).where(unread)).scalar(),
        outbox=counted(outbox.c.channel, among(outbox.c.state, "queued", "sending")),
        owners=counted(conversations.c.owner, other_than(conversations.c.owner, "bot")),
    )


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
    sends = CounterMetricFamily("earful_sends", "Attempts to send, by outcome.", labels=["outcome"])
    for outcome, number in sorted(service.delivery.counts.items()):
        sends.add_metric([outcome], number)
    yield sends
    yield CounterMetricFamily("earful_turns", "Turns of conversations.", value=service.turns.turns)
    yield GaugeMetricFamily("earful_chat_sockets", "Open web chats.", value=sockets)


def _stored(waiting: _Waiting, now: datetime) -> Iterable[Metric]:
    for name, words, label, figures in (
        ("earful_inbox_waiting", "Events that wait for their turn.", "channel", waiting.inbox),
        ("earful_outbox_waiting", "Messages that wait to be sent.", "channel", waiting.outbox),
        ("earful_conversations_with_people", "Conversations in the queue or with an agent.", "owner", waiting.owners),
    ):
        family = GaugeMetricFamily(name, words, labels=[label])
        for value, number in sorted(figures.items()):
            family.add_metric([value], number)
        yield family
    age = max(0.0, (now - waiting.oldest).total_seconds()) if waiting.oldest else 0.0
    yield GaugeMetricFamily("earful_inbox_oldest_seconds", "Age of the oldest event that waits.", value=age)
