"""Cases in a real browser: beside the conversation, on their own pages, by keyboard, on a telephone, in both looks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped] # it comes without types
from browser_parts import NEEDS_CHROMIUM, PHONE, ZOOMED
from desk_parts import Place, form, opened
from desk_screens import desk_of
from playwright.async_api import Browser, Page, expect

from bot import app
from bot.cases import numbers
from storage.database import Database

pytestmark = NEEDS_CHROMIUM

ONE, TWO = numbers.number(1), numbers.number(2)


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    async with opened(sqlite) as place:
        yield place


async def findings(page: Page) -> list[Any]:
    """What axe calls serious or worse."""
    found = await Axe().run(page)
    return [
        (each["id"], [node["html"][:200] for node in each["nodes"]])
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]


async def test_a_case_beside_its_conversation(browser: Browser, place: Place) -> None:
    """Opened by a key, worked on without leaving the conversation; a colleague who was faster is named and nothing
    typed is lost; a second case is opened, and the deadlines of both are told apart."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob", "supervisor")
    talk = await place.say("I complain, and a person please", name="Carla")
    await ann.do("claim", talk)
    async with app.running(place.service):
        desk = await desk_of(browser, place, ann)
        page = desk.page
        await page.goto(f"{place.origin}/desk#/mine/{talk}")
        beside = page.locator(".about .case")
        await expect(beside).to_contain_text("Assigned")
        await expect(beside).to_contain_text("First answer")
        await expect(beside.locator(".due .left")).to_contain_text("left")
        await page.keyboard.press("Escape")
        await page.goto(f"{place.origin}/desk#/mine/{talk}")
        await expect(beside).to_be_visible()
        await page.keyboard.press("o")
        case = page.get_by_role("dialog")
        await expect(case).to_contain_text(f"#{ONE}")
        await expect(case.locator(".timeline")).to_contain_text("Ann")
        await case.locator("#act-plan summary").press("Enter")
        await case.locator("#act-plan textarea").fill("We send <b>another</b>")
        answer = await form(bob.session, f"/desk/cases/{ONE}/begin", bob.origin)
        assert answer.status == 303
        await case.locator("#act-plan button").click()
        await expect(case.get_by_role("alert")).to_contain_text("Bob: In progress")
        await expect(case.locator("#act-plan textarea")).to_have_value("We send <b>another</b>")
        assert await findings(page) == []
        await case.locator("#act-plan button").click()
        await expect(case.get_by_role("status")).to_contain_text("Done: Plan")
        await expect(case.locator(".facts")).to_contain_text("We send <b>another</b>")
        await page.keyboard.press("Escape")
        await expect(beside).to_contain_text("Planned")
        await expect(page.get_by_role("log")).to_contain_text("Here is what we are going to do: We send <b>another</b>")

        place.clock.advance(timedelta(hours=1))
        await page.locator("#new-case").click()
        assert await findings(page) == []
        await page.get_by_label("What it is about").fill("Wrong colour as well")
        await page.get_by_label("Kind").select_option("product")
        await page.get_by_label("Urgency").select_option("urgent")
        await page.locator("#yes").click()
        await expect(page.locator(".toast")).to_contain_text(f"Case {TWO} is open")
        await expect(beside).to_have_count(2)
        await expect(page.get_by_role("log")).to_contain_text(f"We have opened case {TWO} for you")
        await expect(page.locator(".about .case", has_text=f"#{ONE}")).to_contain_text("longest")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert desk.complaints == []


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_page_of_cases_is_for_everybody(browser: Browser, place: Place, language: str) -> None:
    """No serious finding of axe, full or empty, light or dark; nothing scrolls sideways on a telephone nor at 200 %."""
    ann = await place.agent("Ann", "supervisor")
    desk = await desk_of(browser, place, ann, language, color_scheme="dark" if language == "zh" else "light")
    page = desk.page

    async def look(path: str) -> None:
        await page.goto(place.origin + path)
        assert await findings(page) == [], path
        for size in (PHONE, ZOOMED):
            await page.set_viewport_size(size)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, size)
        await page.set_viewport_size({"width": 1280, "height": 720})

    for path in ("/desk/cases", "/desk/call-backs"):
        await look(path)
        await expect(page.locator(".none")).to_be_visible()
    await place.say("I complain " + "x" * 300, name="王小曼")
    place.clock.advance(timedelta(hours=5))
    await form(ann.session, f"/desk/cases/{ONE}/take", ann.origin)
    await form(
        ann.session, f"/desk/cases/{ONE}/give_part", ann.origin, department="quality", required="look", version="1"
    )
    await look("/desk/cases")
    await page.locator("input[value=mine]").check(force=True)
    await expect(page).to_have_url(f"{place.origin}/desk/cases?whose=mine&department=&order=waiting&number=")
    await page.locator(".case-list a").click()
    await expect(page.locator(".timeline li").first).to_be_visible()
    await page.locator("#act-give_part summary").click()
    await look(f"/desk/cases/{ONE}")
    await form(ann.session, f"/desk/cases/{ONE}/call_back", ann.origin, required="Ask when they are at home")
    await look("/desk/call-backs")
    await page.locator(".calls details summary").click()
    await page.locator("input[value=again]").check()
    await page.locator("input[name=due]").fill("2026-03-09T10:00")
    await page.locator(".calls details button").click()
    await expect(page.locator(".done")).to_be_visible()
    await expect(page.locator(".calls .timeline li")).to_have_count(1)
    await look("/desk/entry")
    await page.locator("input[value=store]").check()
    await page.locator("input[name=phone]").fill("13800138000")
    await page.locator("textarea[name=words]").fill("kept")
    await page.locator("form.offline button").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.locator("textarea[name=words]")).to_have_value("kept")
    assert await findings(page) == []
    assert desk.complaints == []
