"""The rating page on a phone, in both languages: by keyboard alone, with a screen reader's labels."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped] # it has no stubs
from browser_parts import NEEDS_CHROMIUM, PHONE, ZOOMED, Screen, screen
from page_parts import surveyed
from playwright.async_api import Browser, expect
from web_parts import Site

from storage import tables

pytestmark = NEEDS_CHROMIUM
SPOKEN = {"zh": "zh-CN", "en": "en-GB"}
ASKED = {"zh": "您有多愿意推荐我们", "en": "How likely are you to recommend us"}
REASONS = {"zh": "哪些地方我们还得做得更好", "en": "Where should we do better"}
CALL = {"zh": "想给您打个电话", "en": "May we call you"}
THANKS = {"zh": "谢谢您", "en": "Thank you"}


async def clean(shown: Screen) -> None:
    """Nothing that axe knows of stands in anybody's way, nothing is cut off, and the page complained of nothing."""
    found = await Axe().run(shown.page)
    assert found.violations_count == 0, found.generate_report()
    assert await shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert shown.complaints == []


async def focused(shown: Screen) -> str:
    """What a screen reader says of the element in focus."""
    said: Any = await shown.page.evaluate(
        """() => {
            const at = document.activeElement;
            return (at.getAttribute("aria-label") || at.labels?.[0]?.textContent || at.textContent || "").trim();
        }"""
    )
    return " ".join(str(said).split())


async def to(shown: Screen, words: str) -> None:
    """Tab on until the element in focus says these words."""
    for _ in range(40):
        await shown.page.keyboard.press("Tab")
        if words in await focused(shown):
            return
    raise AssertionError(f"nothing says {words} by keyboard")


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_survey_is_answered_by_keyboard_alone(browser: Browser, place: Site, language: str) -> None:
    """A number, several choices, words, a consent; each page is clean, and each answer is kept."""
    _, survey, reader = await surveyed(place, "relationship")
    shown = await screen(browser, reader.address, languages=SPOKEN[language], viewport=PHONE)
    await shown.page.goto(f"{reader.address}?lang={language}")
    heading = shown.page.get_by_role("heading", level=1)
    await expect(heading).to_contain_text(ASKED[language])
    assert await shown.page.locator("[aria-pressed=true], :checked").count() == 0
    await clean(shown)
    place.clock.advance(timedelta(seconds=2))
    await to(shown, "6")
    await shown.page.keyboard.press("Enter")
    await expect(heading).to_contain_text(REASONS[language])
    await clean(shown)
    await to(shown, "价格" if language == "zh" else "Prices")
    await shown.page.keyboard.press("Space")
    await to(shown, "也可以写几句" if language == "zh" else "Or in your own words")
    await shown.page.keyboard.type("5 ☕")
    await shown.page.keyboard.press("Tab")
    await shown.page.keyboard.press("Enter")
    await expect(heading).to_contain_text(CALL[language])
    await clean(shown)
    await to(shown, "不用了" if language == "zh" else "No, thank you")
    await shown.page.keyboard.press("Space")
    await expect(heading).to_contain_text(THANKS[language])
    await clean(shown)
    [rating] = await place.rows(tables.ratings)
    assert (rating["survey_id"], rating["value"]) == (survey, 6)
    assert [(each["options"], each["option"], each["text"]) for each in rating["answers"]] == [
        (["price"], None, "5 ☕"),
        ([], "no", ""),
    ]


async def test_every_scale_is_clean_on_a_phone_and_at_twice_the_size(browser: Browser, place: Site) -> None:
    """Each button has its words, also where only a face or a number is seen."""
    shown_at = (("post_service", PHONE), ("self_service", PHONE), ("agent", ZOOMED), ("thumbs", ZOOMED))
    for key, viewport in shown_at:
        _, _, reader = await surveyed(place, key)
        shown = await screen(browser, reader.address, viewport=viewport)
        await clean(shown)
        for button in await shown.page.get_by_role("button").all():
            assert any(sign.isalpha() for sign in await button.inner_text())
        await shown.page.context.close()


async def test_a_tap_too_fast_for_a_person_is_told_so_and_the_next_one_counts(browser: Browser, place: Site) -> None:
    """In words on the page, with the buttons still there."""
    _, _, reader = await surveyed(place)
    shown = await screen(browser, reader.address, viewport=PHONE)
    good = shown.page.get_by_role("button", name="Good")
    await good.click()
    await expect(shown.page.get_by_text("quicker than a person reads")).to_be_visible()
    await clean(shown)
    place.clock.advance(timedelta(seconds=1))
    await good.click()
    await expect(shown.page.get_by_text("Recorded: 🙂 Good")).to_be_visible()
    assert [row["value"] for row in await place.rows(tables.ratings)] == [4]
