"""Parts for tests in a real browser."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect

from bot.loop.effects import Effects, Option
from bot.loop.state import LaneState
from bot.service import Service
from bot.web.visitors import known

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
KINDS = ("chromium-headless-shell", "chromium", "chromium-browser")
"""The first draws the same pages, without windows and menus that nobody sees: half the time."""
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, KINDS)), None)
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install -y chromium-headless-shell")
PHONE: ViewportSize = {"width": 390, "height": 844}
ZOOMED: ViewportSize = {"width": 195, "height": 422}
"""A phone whose owner has everything at 200 %."""

SCRIPT = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield started
        await started.close()


class Screen:
    """A page, and everything that its scripts or the content policy complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.on("console", self._console)

    def _console(self, message: Any) -> None:
        lost = ("Failed to load resource", "WebSocket connection to")  # a line that is cut on purpose
        if message.type in ("error", "warning") and not message.text.startswith(lost):
            self.complaints.append(message.text)

    async def say(self, text: str) -> None:
        await self.page.fill("#words", text)
        await self.page.keyboard.press("Enter")

    async def reads(self, text: str) -> None:
        """The last thing that the other side said."""
        await expect(self.page.locator("#messages .message:not(.you) .bubble").last).to_contain_text(text)

    async def ready(self) -> None:
        await expect(self.page.locator("body[data-ready]")).to_have_count(1)

    async def quiet(self) -> None:
        """Nothing is on its way any more."""
        await expect(self.page.locator("#pending li")).to_have_count(0)

    async def texts(self) -> list[str]:
        return await self.page.locator("#messages .bubble").all_inner_texts()

    async def lane(self, service: Service) -> str:
        visitor = known(service, await self.page.evaluate("localStorage.getItem('earful.chat.token')"))
        assert visitor is not None
        return visitor.lane


async def screen(browser: Browser, address: str, *, languages: str = "en-GB", **more: Any) -> Screen:
    context: BrowserContext = await browser.new_context(locale=languages, **more)
    made = Screen(await context.new_page())
    await made.page.goto(address)
    return made


def says(text: str, options: list[Option] | None = None) -> Callable[[LaneState, Effects], None]:
    """The bot says something of itself."""

    def decide(state: LaneState, effects: Effects) -> None:
        effects.say(text, options or [], kind="notice")

    return decide
