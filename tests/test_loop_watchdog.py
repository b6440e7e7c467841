"""Nothing keeps the event loop from everybody else's work: no long calculation, and no wait in the middle of it."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import gc
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, CookieJar
from fleet_parts import until
from sqlalchemy import func, select
from watchdog_parts import watchdog

from bot import app, demo
from bot.api.episode_import import take
from bot.api.episode_rows import rows_of
from bot.desk.sheets import paths
from bot.service import Service
from bot.settings import Settings
from bot.staff.service import ensure_admin
from bot.web.form_page import form_link
from bot.web.server import serve
from channels.base import Text
from storage.tables import inbox

PASSWORD, TOKEN = "four quiet grey horses", "the-first-token-of-the-settings"
SAID = (
    "快递三天没到，客服也不理我，太气人了",
    "How long does a refund take?",
    "My parcel arrived broken and nobody answers the phone, this is the third time",
    "订单号 20260301123",
    "转人工",
    "你们几点上班？" + "请尽快回复。" * 300,
)


async def test_what_holds_up_the_loop_is_found_where_it_stands() -> None:
    """A sleep and a calculation in the middle of a task; what waits as it should is nobody's trouble."""
    with watchdog() as found:
        await asyncio.sleep(0.3)
        await asyncio.to_thread(time.sleep, 0.3)
    assert found == []
    with watchdog() as found:
        await asyncio.create_task(_sleeps())
    assert len(found) == 1
    assert "time.sleep" in found[0]
    with watchdog() as found:
        await asyncio.create_task(_counts())
    assert len(found) == 1
    assert "_counts" in found[0]


async def _sleeps() -> None:
    time.sleep(0.4)  # noqa: ASYNC251 - just that


async def _counts() -> None:
    until = time.thread_time() + 0.4
    while time.thread_time() < until:
        pass


async def test_no_part_of_the_product_holds_up_the_loop(tmp_path: Path) -> None:
    """The whole service at work: customers who write at once, every page, signing in, the API, an import."""
    settings = Settings(data_dir=tmp_path, port=0, encoders=False, api_token=TOKEN, language="en")
    async with app.opened(settings) as service:
        await ensure_admin(service.database, service.clock, PASSWORD)
        runner, port = await serve(app.web_application(service), "127.0.0.1", 0)
        origin = f"http://127.0.0.1:{port}"
        async with app.running(service), ClientSession(origin, cookie_jar=CookieJar(unsafe=True)) as browser:
            await _look_around(browser, origin)  # pages are compiled once, at the first look
            with _as_served(), watchdog() as found:
                await demo.seed(service)
                said = [
                    Text(dedupe_key=f"{who}:{place}", thread=f"v{who}", text=text)
                    for who in range(20)
                    for place, text in enumerate(SAID)
                ]
                await service.intake.accept("web", "default", said)
                await _look_around(browser, origin)
                await _call(browser)
                await _rate(browser, origin, form_link(service.links, "Counter 3").removeprefix(service.links.address))
                table = tmp_path / "services.csv"
                await asyncio.to_thread(_table, table, 500)
                report = await take(service, rows_of(table), lambda done: None)
                assert report.new == 500
                await until(lambda: _all_worked(service), 60, "all that was said is worked")
        await runner.cleanup()
    assert found == []


@contextlib.contextmanager
def _as_served() -> Iterator[None]:
    """With the garbage collector as `earful serve` sets it: what was made before, by hundreds of tests, is none of its
    business."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


async def _all_worked(service: Service) -> bool:
    waiting = select(func.count()).select_from(inbox).where(inbox.c.state == "new")
    return await service.database.read(lambda connection: connection.execute(waiting).scalar_one()) == 0


async def _look_around(browser: ClientSession, origin: str) -> None:
    form = {"login": "admin", "password": PASSWORD}
    async with browser.post("/desk/sign-in", data=form, headers={"Origin": origin}) as answer:
        assert answer.status == 200
    for path in (
        *("/", "/chat", "/chat/widget.js", "/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/desk"),
        *paths(),
        *("/desk/api/conversations?view=queue", "/desk/api/conversations?view=bot", "/desk/api/search?q=parcel"),
    ):
        async with browser.get(path) as answer:
            assert answer.status == 200, path
            await answer.read()


async def _call(browser: ClientSession) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    told: dict[str, Any] = {
        "external_id": "e1",
        "touchpoint": "store",
        "ended_at": datetime.now(UTC).isoformat(),
        "customer": {"id": "c1", "addresses": []},
    }
    async with browser.post("/api/v1/episodes", json=told, headers=headers) as answer:
        assert answer.status == 202, await answer.text()
    for path in ("surveys", "ratings", "cases", "conversations", "insights/coverage", "insights/indicators"):
        async with browser.get(f"/api/v1/{path}", headers=headers) as answer:
            assert answer.status == 200, path


async def _rate(browser: ClientSession, origin: str, form: str) -> None:
    async with browser.post("/try") as answer:
        assert answer.status == 200
    async with browser.get(form) as answer:
        assert answer.status == 200
    async with browser.post(form, data={"nonce": "forged", "rating": "1"}) as answer:
        assert answer.status == 409


def _table(path: Path, rows: int) -> None:
    ended = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    with path.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        written.writerow(("external_id", "touchpoint", "ended_at", "customer_id"))
        written.writerows((f"i{number}", "store", ended, f"ic{number}") for number in range(rows))
