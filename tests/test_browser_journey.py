"""The main job in two real browsers: a customer in the widget of a shop, an agent at the desk, from complaint to
takeover to rating. With EARFUL_TEST_PICTURES set to a folder, the pictures of the README are made on the way."""

from __future__ import annotations

import asyncio
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from browser_parts import NEEDS_CHROMIUM
from playwright.async_api import Browser, Frame, Page, expect
from sqlalchemy import select
from web_parts import START

from bot import app
from bot.clock import ManualClock
from bot.service import Service
from bot.settings import load
from bot.staff.service import ensure_admin
from bot.web.server import serve
from storage import tables

PICTURES = os.environ.get("EARFUL_TEST_PICTURES")
PASSWORD = "four quiet grey horses"

expect.set_options(timeout=20_000)  # two browsers and a service on two cores

pytestmark = NEEDS_CHROMIUM

WORDS = {
    "zh": {
        "locale": "zh-CN",
        "company": "云帆快递",
        "greeting": "你好",
        "complaint": "快递三天没到，客服也不理我",
        "order": "订单号 20260301123",
        "person": "转人工",
        "joined": "来为您服务",
        "reply": "您好，我查到包裹在转运中心，今天下午一定送到。",
        "thanks": "好的，谢谢您",
        "rate": "非常满意",
        "recorded": "谢",
    },
    "en": {
        "locale": "en-GB",
        "company": "Acme",
        "greeting": "Hello",
        "complaint": "My parcel is three days late and nobody answers",
        "order": "order number 20260301123",
        "person": "I want to talk to a person",
        "joined": "has joined",
        "reply": "Hello, I found it: it is at the depot and will be with you this afternoon.",
        "thanks": "Great, thank you",
        "rate": "Excellent",
        "recorded": "[Tt]hank|[Gg]lad",
    },
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", animations="disabled")


async def say(talk: Frame, text: str) -> None:
    await talk.locator("#words").fill(text)
    await talk.locator("#words").press("Enter")
    await expect(talk.locator("#pending li")).to_have_count(0)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_from_complaint_to_takeover_to_rating(
    browser: Browser, tmp_path: Path, models: Path, language: str
) -> None:
    """Nobody is lost on the way: the number comes at once, the person comes, the bot is silent, the rating counts."""
    words = WORDS[language]
    settings = load(
        environment={}, data_dir=tmp_path, language=language, company="云帆快递" if language == "zh" else "Acme"
    )
    async with app.opened(settings, clock=(clock := ManualClock(START)), models=models) as service:
        await ensure_admin(service.database, service.clock, PASSWORD, language)
        runner, port = await serve(app.web_application(service), "127.0.0.1", 0)
        shop, shop_port = await _shop(port)
        async with app.running(service):
            context = await browser.new_context(
                locale=words["locale"], viewport={"width": 420, "height": 760}, timezone_id="Asia/Shanghai"
            )
            guest = await context.new_page()
            await guest.goto(f"http://127.0.0.1:{shop_port}/")
            talk = await _chat(guest)
            bubbles = talk.locator("#messages .bubble")

            await say(talk, words["greeting"])
            await expect(bubbles).to_have_count(2)
            await say(talk, words["complaint"])
            await expect(talk.locator("#messages")).to_contain_text("1007")
            await say(talk, words["order"])
            await expect(bubbles).to_have_count(7)
            await picture(guest, f"chat-{language}")
            await say(talk, words["person"])

            desk = await (
                await browser.new_context(locale=words["locale"], viewport={"width": 1280, "height": 800})
            ).new_page()
            await desk.goto(f"http://127.0.0.1:{port}/desk?lang={language}")
            await desk.locator("input[name=login]").fill("admin")
            await desk.locator("input[type=password]").fill(PASSWORD)
            await desk.keyboard.press("Enter")
            await desk.locator("a.row").first.click()
            await expect(desk.get_by_role("log")).to_contain_text(words["complaint"])
            await desk.locator("#claim").click()
            await expect(talk.locator("#messages")).to_contain_text(words["joined"])
            await expect(desk.locator("#reply")).to_be_focused()
            await desk.keyboard.type(words["reply"])
            await desk.keyboard.press("Enter")
            await _let_go(service, clock, words["reply"])
            await expect(talk.locator("#messages")).to_contain_text(words["reply"], timeout=20_000)
            before = await bubbles.count()
            await say(talk, words["thanks"])
            await expect(desk.get_by_role("log")).to_contain_text(words["thanks"])
            await expect(bubbles).to_have_count(before + 1)  # the bot does not answer while a person is there
            await picture(desk, f"desk-{language}")

            await _press(desk, "#resolve", "#yes")
            await talk.get_by_role("button", name=words["rate"]).click()
            await expect(bubbles.last).to_contain_text(re.compile(words["recorded"]))
            await picture(guest, f"rating-{language}")
            found = select(tables.ratings.c.score, tables.surveys.c.definition).join(
                tables.surveys, tables.surveys.c.id == tables.ratings.c.survey_id
            )
            rows = await service.database.read(lambda connection: [tuple(row) for row in connection.execute(found)])
            assert rows == [(100.0, "agent")]
            assert await talk.evaluate("document.scrollingElement.scrollTop + document.body.scrollTop") == 0
        await shop.cleanup()
        await runner.cleanup()


async def _chat(guest: Page) -> Frame:
    """The chat inside the widget, opened and ready."""
    await guest.wait_for_function("window.Earful")
    async with guest.context.expect_event("request", lambda request: "/chat?" in request.url):
        await guest.evaluate("Earful.open()")
    talk = guest.frames[1]
    await expect(talk.locator("body[data-ready]")).to_have_count(1)
    return talk


async def _desk(browser: Browser, address: str, locale: str) -> Page:
    """The desk, signed in."""
    context = await browser.new_context(locale=locale, viewport={"width": 1280, "height": 800})
    desk = await context.new_page()
    await desk.goto(address)
    await desk.locator("input[name=login]").fill("admin")
    await desk.locator("input[type=password]").fill(PASSWORD)
    await desk.keyboard.press("Enter")
    return desk


async def _shop(port: int) -> tuple[web.AppRunner, int]:
    """Somebody's website with the widget's one line."""

    async def page(request: web.Request) -> web.Response:
        tag = f'<script src="http://127.0.0.1:{port}/chat/widget.js" async></script>'
        return web.Response(text=f"<!doctype html><title>Shop</title>{tag}", content_type="text/html")

    theirs = web.Application()
    theirs.router.add_get("/", page)
    return await serve(theirs, "127.0.0.1", 0)


async def _press(page: Page, *buttons: str) -> None:
    for each in buttons:
        await page.locator(each).click()


async def _let_go(service: Service, clock: ManualClock, words: str) -> None:
    """Wait until a reply is with the service, which the page may show before, and let the time to undo it pass."""
    found = select(tables.outbox.c.id).where(tables.outbox.c.text == words)
    async with asyncio.timeout(20):
        while await service.database.read(lambda connection: connection.execute(found).first()) is None:  # noqa: ASYNC110 - the page may be ahead
            await asyncio.sleep(0.02)
    clock.advance(timedelta(seconds=5))
