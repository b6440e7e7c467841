"""Two agents and three customers at their browsers at once; every page for those who hear it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped] # it comes without types
from browser_parts import NEEDS_CHROMIUM, PHONE, Screen
from desk_parts import Agent, Place, form, opened
from desk_screens import desk_of
from playwright.async_api import Browser, Page, ViewportSize, expect

from bot import app
from bot.cases import numbers
from bot.desk import words
from bot.desk.routes import routes
from storage import tables
from storage.database import Database

pytestmark = NEEDS_CHROMIUM

STATIC = Path(words.__file__).parent / "static"
MAGNIFIED: ViewportSize = {"width": 320, "height": 256}
"""A screen of 1280 by 1024 at 400 %."""

SHEETS = (
    *("/desk/figures", "/desk/team", "/desk/admin", "/desk/admin/channels", "/desk/admin/tokens"),
    *("/desk/admin/replies", "/desk/admin/knowledge", "/desk/admin/knowledge/new", "/desk/admin/knowledge/entry/entry"),
    *("/desk/admin/house", "/desk/admin/house/calendar.yml", "/desk/admin/house/deadlines.yml"),
    *("/desk/admin/house/departments.yml", "/desk/admin/house/surveys.yml"),
    *("/desk/improvements", "/desk/improvements/1"),
    *("/desk/alerts", "/desk/call-backs", "/desk/cases", f"/desk/cases/{numbers.number(1)}", "/desk/risk"),
    *("/desk/entry", "/desk/surveys", "/desk/password", "/desk/name"),
    *(
        "/desk/admin/dead-letters",
        "/desk/admin/dead-letters/999",
        "/desk/admin/paging",
        "/desk/admin/webhooks",
        "/desk/admin/webhooks/1",
    ),
)
"""Every page beside the console and the door: a test asks the routes."""


@pytest.fixture
async def still(sqlite: Database) -> AsyncIterator[Place]:
    """A service that works only when it is told to settle."""
    async with opened(sqlite) as place:
        yield place


async def customer(browser: Browser, place: Place, words: str) -> Screen:
    """Somebody at the chat who has said something."""
    screen = Screen(await (await browser.new_context(locale="en-GB")).new_page())
    await screen.page.goto(f"{place.origin}/chat?lang=en")
    await screen.ready()
    await screen.say(words)
    return screen


async def test_two_agents_and_three_customers(browser: Browser, still: Place) -> None:
    """Claimed, passed on with a note, taken back before it goes out: each customer reads their own answers, and none
    reads what the agents say among themselves."""
    place = still
    async with app.running(place.service):
        ann, bob = await place.agent("Ann"), await place.agent("Bob")
        customers = [await customer(browser, place, f"a person please, number {n}") for n in range(3)]
        desks = [await desk_of(browser, place, agent, undo=True) for agent in (ann, bob)]
        mine, his = (each.page for each in desks)
        await expect(mine.locator("a.row")).to_have_count(3)

        await thinks_again(place, mine, customers[0])
        await passes_on(place, mine, his, bob.id, customers[0])
        for n, page in ((1, mine), (2, his)):
            await page.keyboard.press("Escape")
            await page.keyboard.press("1")
            await page.locator("a.row", has_text=f"number {n}").click()
            await expect(page.locator("#claim")).to_be_visible()
            await page.keyboard.press("c")
            await expect(page.locator("#reply")).to_be_focused()
            await page.keyboard.type(f"Hello, number {n}")
            await page.keyboard.press("Enter")
            await expect(page.locator(".delivery.held")).to_be_visible()
            place.clock.advance(timedelta(seconds=5))
            place.service.delivery.hint([await address(place, f"number {n}")])
            await customers[n].reads(f"Hello, number {n}")
        said = [await each.texts() for each in customers]
        assert not any("SECRET" in text or "wrong" in text for texts in said for text in texts)
        assert [sum("Hello" in text for text in texts) for texts in said] == [0, 1, 1]
        assert [each.complaints for each in (*desks, *customers)] == [[]] * 5


async def held(place: Place, words: str) -> None:
    """Wait until a reply is with the service: what the page shows of it may come before."""
    async with asyncio.timeout(20):
        while not any(row["text"] == words for row in await place.rows(tables.outbox)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)


async def thinks_again(place: Place, mine: Page, customer: Screen) -> None:
    """A reply is taken back before it goes out, and written anew."""
    await mine.locator("a.row", has_text="number 0").click()
    await expect(mine.locator("#claim")).to_be_visible()
    await mine.keyboard.press("c")
    await expect(mine.locator("#reply")).to_be_focused()
    await mine.keyboard.type("You are plainly wrong")
    await mine.keyboard.press("Enter")
    await expect(mine.locator(".delivery.held")).to_contain_text("Undo")
    await mine.keyboard.press("Escape")
    await mine.keyboard.press("z")
    await expect(mine.locator("#reply")).to_have_value("You are plainly wrong")
    await mine.locator("#reply").fill("Let me look into it")
    await mine.keyboard.press("Enter")
    await held(place, "Let me look into it")
    place.clock.advance(timedelta(seconds=5))
    place.service.delivery.hint([await address(place, "number 0")])
    await customer.reads("Let me look into it")


async def passes_on(place: Place, mine: Page, his: Page, bob: int, customer: Screen) -> None:
    """A note that calls the colleague, the conversation with another note, and his answer from those kept ready."""
    await mine.keyboard.press("Escape")
    await mine.keyboard.press("n")
    await expect(mine.locator("#reply")).to_be_focused()
    await mine.keyboard.type("@B")
    await expect(mine.get_by_role("option", name="@Bob")).to_be_visible()
    await mine.keyboard.press("Enter")
    await expect(mine.locator("#reply")).to_have_value("@Bob ")
    await mine.keyboard.type("SECRET: is order 17 yours?")
    await mine.keyboard.press("Enter")
    await expect(mine.locator(".whisper")).to_contain_text("@Bob SECRET")
    await expect(his.locator(".called")).to_contain_text("You are mentioned in 1", timeout=10_000)

    await mine.keyboard.press("Escape")
    await mine.keyboard.press("t")
    await mine.get_by_label("Colleague or department").select_option(f"p{bob}")
    await mine.get_by_label("A note for them").fill("SECRET: he is right")
    await mine.locator("#yes").click()
    await expect(mine.locator(".toast")).to_contain_text("Passed on")
    await his.keyboard.press("2")
    await his.locator("a.row").click()
    await expect(his.locator(".whisper")).to_have_count(2)
    await expect(his.locator(".called")).to_be_hidden()
    await his.locator("#reply").fill("/ord")
    await expect(his.get_by_role("option", name="/order")).to_be_visible()
    await his.keyboard.press("Tab")
    await expect(his.locator("#reply")).to_have_value(re.compile("order number"))
    await his.keyboard.press("Enter")
    await expect(his.locator(".delivery.held")).to_be_visible()
    place.clock.advance(timedelta(seconds=5))
    place.service.delivery.hint([await address(place, "number 0")])
    await customer.reads("order number")


async def address(place: Place, words: str) -> tuple[str, str, str]:
    """Where the customer who said this is written to."""
    from storage import tables

    said = next(row for row in await place.rows(tables.messages) if words in row["text"])
    talk = next(row for row in await place.rows(tables.conversations) if row["id"] == said["conversation_id"])
    return talk["channel"], talk["account"], talk["thread"]


async def test_what_the_bot_had_ready_does_not_go_out(browser: Browser, still: Place) -> None:
    """Its reply is decided and queued; the agent claims before it is sent. It is struck, and the customer never reads
    it; a desk that slept meanwhile shows each message once when it wakes."""
    ann = await still.agent()
    chat = await customer(browser, still, "hello bot")
    await still.service.lanes.some()
    await still.service.turns.settle()
    desk = await desk_of(browser, still, ann)
    page = desk.page
    await page.keyboard.press("4")
    await page.locator("a.row").click()
    await page.locator("#claim").click()
    await expect(page.locator("#reply")).to_be_focused()
    await still.service.settle()
    await expect(page.locator(".message.dropped")).to_contain_text("You said: hello bot")
    await expect(page.locator(".message.dropped")).to_contain_text("the conversation went to a person first")
    await chat.reads("Ann has joined")

    await page.context.set_offline(True)
    for n in range(3):
        await chat.say(f"still here {n}")
        await still.service.lanes.some()
        await still.service.settle()
        await chat.quiet()
    await page.context.set_offline(False)
    await expect(page.locator(".message.customer", has_text="still here")).to_have_count(3)
    await page.reload()
    await expect(page.locator(".message.customer", has_text="still here")).to_have_count(3)
    assert not any("You said" in text for text in await chat.texts())
    assert [desk.complaints, chat.complaints] == [[], []]


async def test_outside_office_hours_the_desk_and_the_customer_know(browser: Browser, still: Place) -> None:
    """At night the desk says when the office opens; who writes waits in order, and keeps their place."""
    still.clock.advance(timedelta(hours=13))  # 23:00 in Shanghai
    ann = await still.agent()
    chat = await customer(browser, still, "a person please, call me at 9 on 13800138000")
    await still.service.lanes.some()
    await still.service.settle()
    await expect(chat.page.locator("body")).to_contain_text("We open on Friday at")
    desk = await desk_of(browser, still, ann)
    await expect(desk.page.locator(".closed")).to_contain_text("The office is closed until")
    await expect(desk.page.locator("a.row")).to_contain_text("call me at 9 on 13800138000")
    assert desk.complaints == []


async def test_a_correction_takes_two_clicks(browser: Browser, still: Place) -> None:
    """The agent says what a message meant; it is shown as corrected, and so to whoever looks next."""
    ann = await still.agent()
    await still.say("a person please, the parcel is late")
    page = (await desk_of(browser, still, ann)).page
    await page.locator("a.row").click()
    await page.locator(".fix").first.click()
    await page.get_by_label("What it is about").select_option("logistics")
    await page.locator("#yes").click()
    await expect(page.locator(".understood").first).to_contain_text("Corrected")
    await expect(page.locator(".understood").first).to_contain_text("Delivery")
    await page.locator("#search").fill("parcel is")
    await expect(page.locator("a.row")).to_have_count(1)
    await page.locator("#search").fill("no such words")
    await expect(page.locator(".empty h2").first).to_have_text("Nothing found")


def test_no_page_is_forgotten() -> None:
    """Whatever the desk answers with a page is in the round of axe."""
    apart = re.compile(r"/desk|/desk/(api/.*|static.*|ws|sign-in)|.*/(knowledge\.yml|text)")
    found = {each.resource.canonical for each in application_routes() if each.resource is not None}
    pages = {path for path in found if path.startswith("/desk") and not apart.fullmatch(path)}
    shapes = {path: re.compile(re.sub(r"\{.*?\}", "[^/]+", path)) for path in pages}
    assert [path for path, shape in shapes.items() if not any(shape.fullmatch(each) for each in SHEETS)] == []


def application_routes() -> list[Any]:
    made = web.Application()
    made.add_routes(routes)
    return [each for each in made.router.routes() if each.method == "GET"]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_page_is_for_everybody(browser: Browser, still: Place, language: str) -> None:
    """No serious finding of axe on any page, light or dark; nothing scrolls sideways on a phone, nor at 400 %."""
    ann = await still.agent("Ann", "admin")
    talk = await still.say("I complain, and a person please", name="王小曼")
    await still.say("a person please")
    await ann.do("claim", talk)
    await ann.post(f"conversations/{talk}/whispers", {"text": "a note", "client_key": "n"})
    await fill(still, ann)
    screen = await desk_of(browser, still, ann, language, color_scheme="dark" if language == "zh" else "light")
    page = screen.page
    for path in (f"/desk#/mine/{talk}", *SHEETS):
        answer = await page.goto(still.origin + path)
        assert answer is None or answer.ok, path
        if "#" in path:
            await expect(page.locator(".whisper")).to_be_visible()
            await page.locator("#link-case").click()
            await expect(page.get_by_role("dialog")).to_be_visible()
            assert await findings(page) == [], "a dialog"
            await page.keyboard.press("Escape")
        assert await findings(page) == [], path
        for size in (PHONE, MAGNIFIED):
            await page.set_viewport_size(size)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, size)
        await page.set_viewport_size({"width": 1280, "height": 720})
    assert screen.complaints == []
    stranger = await browser.new_page()
    await stranger.goto(f"{still.origin}/desk/sign-in?lang={language}")
    assert await findings(stranger) == []


async def fill(place: Place, root: Agent) -> None:
    """Something to show on each page."""
    lost = {"id": 999, "channel": "web", "account": "default", "dedupe_key": "lost", "lane": "chat:web:default:v9"}
    lost |= {
        "event": {"type": "text", "text": "hello", "thread": "v9", "dedupe_key": "lost"},
        "reason": "failed 3 times",
    }
    values = lost | {"state": "dead", "attempts": 3, "received_at": place.clock.now()}
    await place.database.write(lambda connection: connection.execute(tables.inbox.insert().values(values)))
    await place.service.library.follow(place.database)
    entry = {"zh_question": "几点开门", "zh_answer": "九点", "do": "save"}
    topic = {"topic": "product:quality", "impact": "5", "difficulty": "1", "owner": str(root.id), "due": "2020-01-01"}
    for path, fields in (
        ("/desk/admin/knowledge/save", entry),
        ("/desk/admin/webhooks", {"name": "CRM", "url": "https://crm.example.com/x", "kind": "*"}),
        ("/desk/improvements", topic | {"title": "Better boxes", "measure": "Thicker"}),
        ("/desk/cases/views?urgent=1", {"name": "Urgent ones"}),
    ):
        async with await form(root.session, path, root.origin, **fields) as answer:
            assert answer.status in (200, 303), (path, await answer.text())


async def findings(page: Page) -> list[Any]:
    """What axe calls serious or worse."""
    found = await Axe().run(page)
    return [
        (each["id"], [node["html"][:200] for node in each["nodes"]])
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]


async def test_the_first_paint_is_small(browser: Browser, still: Place) -> None:
    """Under 100 kB of our own script and style, uncompressed, until the queue stands there."""
    ann = await still.agent()
    await still.say("a person please")
    loaded: set[str] = set()
    context = await browser.new_context()
    await context.add_cookies(
        [{"name": each.key, "value": each.value, "url": still.origin} for each in ann.session.cookie_jar]
    )
    page = await context.new_page()
    page.on("request", lambda request: loaded.add(request.url.rpartition("/")[2]))
    await page.goto(f"{still.origin}/desk")
    await expect(page.locator("a.row")).to_be_visible()
    own = {path.name: path.stat().st_size for path in STATIC.iterdir() if path.name in loaded}
    assert {"desk.js", "desk.css", "list.js"} <= set(own)
    assert sum(own.values()) < 100_000
