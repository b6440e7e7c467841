"""Parts for tests of the desk in a real browser."""

from __future__ import annotations

from typing import Any

import browser_parts
from desk_parts import Agent, Place
from playwright.async_api import Browser, BrowserContext, expect

from bot.desk.guard import COOKIE


class Screen(browser_parts.Screen):
    """The desk on a screen."""

    async def claim(self) -> None:
        """By its key, as soon as the conversation that was chosen is there."""
        await expect(self.page.locator("#claim")).to_be_visible()
        await self.page.keyboard.press("c")

    async def count(self, selector: str, number: int) -> None:
        await expect(self.page.locator(selector)).to_have_count(number)


async def desk_of(
    browser: Browser, place: Place, agent: Agent, language: str = "en", *, undo: bool = False, **more: Any
) -> Screen:
    """The agent's desk, open; replies are held for a while only with `undo`."""
    context: BrowserContext = await browser.new_context(locale="en-GB", **more)
    (cookie,) = [each for each in agent.session.cookie_jar if each.key == COOKIE]
    await context.add_cookies(
        [
            {"name": COOKIE, "value": cookie.value, "url": place.origin},
            {"name": "earful_lang", "value": language, "url": place.origin},
        ]
    )
    if not undo:
        await context.add_init_script("localStorage.setItem('earful.undo', 'off')")
    screen = Screen(await context.new_page())
    await screen.page.goto(f"{place.origin}/desk")
    return screen
