"""What a process tells of itself: a line a turn without a word, figures by channel and stage, traces that meet."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from aiohttp import web
from loop_parts import Rig
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sqlalchemy import insert
from structlog.testing import capture_logs
from web_parts import START, Site, site

from bot.loop import figures
from bot.loop.figures import Figures
from bot.loop.turn import Turns
from bot.tracing import Collector
from storage.database import Database
from storage.tables import posts

DOCS = Path(__file__).parent.parent / "docs"


async def test_each_turn_is_one_line_without_a_word_of_it(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks for a slow conversation finds it; who reads the log finds nobody's words."""
    rig = Rig(sqlite)
    # One that no command line has configured before, at no level that one may have set.
    everything = structlog.make_filtering_bound_logger(0)
    monkeypatch.setattr(figures, "log", structlog.wrap_logger(None, wrapper_class=everything))
    with capture_logs() as lines:
        await rig.hear("my secret", "and more")
        await rig.hear("other", thread="u")
        await rig.settle()
    turns = [line for line in lines if line["event"] == "turn"]
    assert [(line["channel"], line["account"], line["heard"], line["written_to"]) for line in turns] == [
        ("memory", "a", "text,text", 1),
        ("memory", "a", "text", 1),
    ]
    assert all(isinstance(line["conversation"], int) and line["ms"] >= 0 and line["waited_ms"] >= 0 for line in turns)
    assert "secret" not in str(lines)
    assert "'t'" not in str(turns)


async def test_dead_letters_are_counted_by_channel(sqlite: Database) -> None:
    """Somebody must look."""
    rig = Rig(sqlite)
    counted = Figures()
    rig.turns = Turns(sqlite, rig.clock, rig.policy, rig.lanes, rig.delivery.hint, rig.watch, figures=counted)
    rig.policy.fail.add("bad")
    await rig.hear("bad")
    await rig.settle()
    assert counted.dead["memory"] == 1


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Site]:
    async with site(sqlite) as made:
        yield made


_DEAD_POST = insert(posts).values(
    **dict.fromkeys(("at", "since", "next_at"), START),
    address="a@example.com",
    key="k",
    kind="page",
    data={},
    state="dead",
)


@pytest.mark.parametrize("file", ["grafana.json", "alerts.yml"])
async def test_dashboard_and_alerts_ask_for_figures_that_there_are(place: Site, file: str) -> None:
    """A figure renamed would leave a panel empty, and an alert silent, without anybody noticing."""
    guest = await place.guest()
    await guest.say("a person please")
    place.service.figures.dead["web"] += 1
    place.service.courier.counts["webhook", "failed"] += 1
    await place.service.database.write(lambda link: link.execute(_DEAD_POST).rowcount)
    place.service.retention.gone["messages"] += 1
    place.service.count("hook_refused.web")
    await guest.ws.send_json({"type": "text", "id": "A" * 22, "text": "unread"})
    await guest.read("ack")
    async with place.session.get(f"{place.url}/metrics") as answer:
        told = set(re.findall(r"^(\w+)[ {]", await answer.text(), re.MULTILINE))
    text = (DOCS / file).read_text()
    asked = set(re.findall(r"\b(?:earful|process)_\w+", text))
    only_when = {"earful_redis_up", "earful_outbox_waiting", "earful_outbox_oldest_seconds"}
    assert asked - only_when <= told
    assert len(asked) >= 6


def test_every_alert_says_what_to_do_and_the_dashboard_is_whole() -> None:
    """A page at night must help."""
    rules = [rule for group in yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert len(rule["annotations"]["summary"]) > 10
        assert len(rule["annotations"]["action"]) > 20
        assert rule["for"]
    board = json.loads((DOCS / "grafana.json").read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) >= 8
    assert all(target["expr"] for panel in panels for target in panel["targets"])


@asynccontextmanager
async def collector(got: list[Any], arrived: asyncio.Event) -> AsyncIterator[str]:
    """An OpenTelemetry collector, as far as its protocol goes."""

    async def take(request: web.Request) -> web.Response:
        body = ExportTraceServiceRequest.FromString(await _unpacked(request))
        got.extend(span for each in body.resource_spans for scope in each.scope_spans for span in scope.spans)
        arrived.set()
        return web.Response(body=b"")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def _unpacked(request: web.Request) -> bytes:
    return await request.read()


async def test_a_message_is_one_trace_from_the_hook_to_the_platform(sqlite: Database) -> None:
    """Also where its stages are worked by different processes: the trace is found by the message's key alone."""
    got: list[Any] = []
    async with collector(got, asyncio.Event()) as url:
        gateway, worker = Collector(url, "gateway"), Collector(url, "worker")
        rig = Rig(sqlite)
        rig.intake._figures = Figures(gateway)
        rig.turns._figures = rig.delivery._figures = Figures(worker)
        await rig.hear("my secret", thread="t")
        await rig.hear("other", thread="u")
        await rig.settle()
        await asyncio.gather(asyncio.to_thread(gateway.close), asyncio.to_thread(worker.close))
    by_trace: dict[bytes, list[str]] = {}
    for span in got:
        by_trace.setdefault(span.trace_id, []).append(span.name)
        assert span.end_time_unix_nano >= span.start_time_unix_nano
    assert [sorted(names) for names in by_trace.values()] == [["intake", "send", "turn"]] * 2
    assert "secret" not in str(got)


async def test_a_collector_that_is_gone_holds_nobody_up(sqlite: Database) -> None:
    """Spans are dropped; messages go on."""
    away = Collector("http://127.0.0.1:9", "all")
    rig = Rig(sqlite)
    rig.turns._figures = rig.delivery._figures = Figures(away)
    await rig.hear("hello")
    await rig.settle()
    assert rig.adapter.texts() == ["echo hello"]
    async with asyncio.timeout(20):
        await asyncio.to_thread(away.close)
