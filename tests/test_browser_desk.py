"""The desk in a real browser: what an agent does all day, with a customer at the other end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from browser_parts import NEEDS_CHROMIUM, PHONE
from desk_parts import Place, opened
from desk_screens import Screen, desk_of
from playwright.async_api import Browser, Page, Route, WebSocketRoute, expect
from web_parts import START

from bot import app
from bot.clock import ManualClock
from bot.desk.guard import COOKIE
from bot.settings import Settings
from bot.staff import sessions
from bot.staff.service import ensure_admin
from bot.web.server import serve
from storage import tables
from storage.database import Database

pytestmark = NEEDS_CHROMIUM


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    """A service at work, whose bot answers from a script."""
    async with opened(sqlite) as place, app.running(place.service):
        yield place


async def test_a_first_day_at_the_desk(browser: Browser, tmp_path: Path) -> None:
    """The whole service: the one-time password, a customer at the chat who asks for a person, the answer that they
    see, handing back, and resolving, after which they are asked for a rating."""
    settings = Settings(data_dir=tmp_path, language="en", company="Acme", port=0)
    async with app.opened(settings, clock=ManualClock(START)) as service:
        one_time = await ensure_admin(service.database, service.clock, None)
        assert one_time
        runner, port = await serve(app.web_application(service), "127.0.0.1", 0)
        async with app.running(service):
            origin = f"http://127.0.0.1:{port}"
            customer = Screen(await (await browser.new_context(locale="en-GB")).new_page())
            await customer.page.goto(f"{origin}/chat?lang=en")
            await customer.page.locator("#words").fill("I want to talk to a real person, please")
            await customer.page.keyboard.press("Enter")

            at_work = await browser.new_context(locale="en-GB")
            await at_work.add_init_script("localStorage.setItem('earful.undo', 'off')")
            agent = Screen(await at_work.new_page())
            page = agent.page
            await sign_in(page, origin, one_time)

            row = page.locator("a.row")
            await expect(row).to_contain_text("I want to talk to a real person")
            await expect(row).to_contain_text("Asked for a person")
            await row.click()
            await expect(page.get_by_role("log")).to_contain_text("I want to talk to a real person")
            await expect(page.locator("#reply")).to_be_hidden()
            await page.keyboard.press("c")
            await expect(page.locator("#reply")).to_be_focused()
            await page.keyboard.type("Good morning, how can I help?")
            await page.keyboard.press("Enter")
            await expect(page.locator(".message.agent")).to_contain_text("Good morning, how can I help?")
            await expect(page.locator(".message.agent .delivery")).to_have_attribute("data-state", "sent")
            await expect(customer.page.get_by_role("log")).to_contain_text("Good morning, how can I help?")

            await customer.page.locator("#words").fill("My parcel is late")
            await customer.page.keyboard.press("Enter")
            await expect(page.get_by_role("log")).to_contain_text("My parcel is late")

            await page.keyboard.press("Escape")
            await page.keyboard.press("b")
            await page.locator("#summary").fill("A late parcel; refund promised")
            await page.locator("#yes").click()
            await expect(page.locator(".toast")).to_contain_text("Back with the bot")
            await expect(customer.page.get_by_role("log")).to_contain_text("My colleague is done here")

            await resolve(page, customer.page)
            assert agent.complaints == []
        await runner.cleanup()


async def sign_in(page: Page, origin: str, one_time: str) -> None:
    """For the first time, after a slip, and with a password of their own."""
    await page.goto(f"{origin}/desk?lang=en")
    await page.goto(f"{origin}/desk/sign-in?lang=en")
    await page.get_by_label("Login").fill("admin")
    await page.get_by_label("Password").fill("not this one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("don't match")
    await page.get_by_label("Password").fill(one_time)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("Current password").fill(one_time)
    await page.get_by_label("New password", exact=True).fill("four quiet grey horses")
    await page.get_by_label("New password again").fill("four quiet grey horses")
    await page.get_by_role("button", name="Save").click()


async def resolve(page: Page, customer: Page) -> None:
    """Taken over from the bot and settled: the customer is asked for a rating, which the agent does not see."""
    await page.keyboard.press("4")
    await page.locator("a.row").click()
    await page.locator("#claim").click()
    await expect(page.locator("#reply")).to_be_focused()
    await page.locator("#resolve").click()
    await page.locator("#yes").click()
    await expect(page.locator(".toast")).to_contain_text("The customer was asked for a rating")
    await expect(customer.get_by_role("log")).to_contain_text("How did our colleague do")
    await page.keyboard.press("4")
    await page.locator("a.row").click()
    await expect(page.get_by_role("log")).to_contain_text("resolved the conversation")
    await expect(page.get_by_role("log")).not_to_contain_text("How did our colleague do")


async def test_two_agents_reach_for_one_customer(browser: Browser, place: Place) -> None:
    """Twenty rounds: one has the customer, the other reads who it is and may watch."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    desks = [await desk_of(browser, place, agent) for agent in (ann, bob)]
    both = asyncio.Barrier(2)

    async def hold(route: Route) -> None:
        await both.wait()  # neither claim goes on before the other one is on its way
        await route.continue_()

    for desk in desks:
        await desk.page.route("**/claim", hold)
    for n in range(20):
        await place.say("a person please", f"v{n}", settle=False)

    async def reach(page: Page, n: int) -> None:
        await page.evaluate(f"location.hash = '#/queue/{n}'")
        await expect(page.locator(f'a.row[data-id="{n}"]')).to_have_attribute("aria-current", "true")
        await page.locator("#claim").click()
        await expect(page.locator(".where.mine, .toast.problem").first).to_be_visible()

    for n in range(1, 21):
        await asyncio.gather(*(reach(desk.page, n) for desk in desks))
        mine = [await desk.page.locator(".where.mine").count() for desk in desks]
        assert sorted(mine) == [0, 1]
        loser = desks[mine.index(0)].page
        winner = ("Ann", "Bob")[mine.index(1)]
        await expect(loser.locator(".toast.problem")).to_contain_text(f"{winner} has already taken this conversation")
        await expect(loser.locator(".note")).to_contain_text(f"{winner} has this conversation")
        await expect(loser.locator("#reply")).to_be_hidden()
        await loser.locator(".toast.problem button").click()
    assert [desk.complaints for desk in desks] == [[], []]


async def test_what_people_write_is_only_ever_text(browser: Browser, place: Place) -> None:
    """Names and messages full of markup, scripts and direction marks are shown as they were written."""
    hostile = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\u202e {name} &amp; `${1}`'
    ann = await place.agent(hostile)
    await place.say(f"a person please {hostile}", "v1", settle=False, name=hostile)
    desk = await desk_of(browser, place, ann)
    page = desk.page
    await page.locator("a.row").click()
    await expect(page.locator(".who h2")).to_have_text(hostile)
    await expect(page.locator(".message.customer .bubble")).to_have_text(f"a person please {hostile}")
    await page.keyboard.press("c")
    await page.locator("#reply").fill(hostile)
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.agent .bubble")).to_have_text(hostile)
    await expect(page.locator(".about h3.name")).to_have_text(hostile)
    assert await page.evaluate("window.hacked") is None
    assert await page.locator("#desk script, #desk img[src=x]").count() == 0
    assert desk.complaints == []


async def test_keys_do_what_the_sheet_says(browser: Browser, place: Place) -> None:
    """J, K and the rest work from the list, never while somebody writes, nor while an input method is choosing."""
    ann = await place.agent()
    desk = await desk_of(browser, place, ann)
    page = desk.page
    for n in range(3):
        await place.say(f"a person please {n}", f"v{n}", settle=False)
        await desk.count("a.row", n + 1)  # of several lanes worked at once any may be first
    current = page.locator("a.row[aria-current]")
    for key, shown in (("j", 0), ("j", 1), ("j", 2), ("j", 2), ("k", 1)):
        await page.keyboard.press(key)
        await expect(current).to_contain_text(f"a person please {shown}")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Shortcuts")
    await page.keyboard.press("c")  # under a dialog keys do nothing
    await page.keyboard.press("Escape")
    await expect(page.locator("#claim")).to_be_visible()
    await page.keyboard.press("c")
    field = page.locator("#reply")
    await expect(field).to_be_focused()
    await page.keyboard.type("jce")
    await page.keyboard.press("Control+Enter")
    await page.keyboard.type("two")
    await expect(field).to_have_value("jce\ntwo")
    await field.dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    await expect(field).to_have_value("jce\ntwo")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.agent .bubble")).to_have_text("jce\ntwo")
    await page.keyboard.press("Escape")
    await page.keyboard.press("e")
    await expect(page.get_by_role("dialog")).to_contain_text("Resolve this conversation?")
    await page.keyboard.press("Escape")
    await expect(page.locator("#resolve")).to_be_visible()
    await page.keyboard.press("e")
    await page.keyboard.press("Enter")
    await expect(page.locator(".toast")).to_contain_text("Resolved")
    assert desk.complaints == []


async def test_a_desk_without_its_socket_still_learns_what_happens(browser: Browser, place: Place) -> None:
    """It says so, asks every few seconds, and writes go out as ever."""
    ann = await place.agent()
    desk = await desk_of(browser, place, ann)
    page = desk.page
    await expect(page.locator(".live")).to_have_attribute("data-state", "on")

    async def shut(route: WebSocketRoute) -> None:
        await route.close()

    await page.context.route_web_socket("**/desk/ws", shut)
    await page.reload()
    await expect(page.locator(".live")).to_contain_text("Reconnecting")
    await place.say("a person please", "v1", settle=False)
    await expect(page.locator("a.row")).to_contain_text("a person please", timeout=15_000)


async def test_an_ended_session_keeps_what_was_being_written(browser: Browser, place: Place) -> None:
    """The desk asks to sign in again; afterwards the words are where they were."""
    ann = await place.agent()
    await place.say("a person please", "v1", settle=False)
    desk = await desk_of(browser, place, ann)
    page = desk.page
    await page.locator("a.row").click()
    await desk.claim()
    await page.locator("#reply").fill("half a sentence")
    await place.database.write(lambda connection: connection.execute(tables.staff_sessions.delete()))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("Your session has ended")
    address = page.url
    await page.keyboard.press("Enter")  # typed a moment too late: it presses nothing
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert page.url == address

    def renew(connection: Any) -> str:
        return sessions.open_session(connection, ann.id, place.clock.now())

    token = await place.database.write(renew)
    await page.context.add_cookies([{"name": COOKIE, "value": token, "url": place.origin}])
    await page.goto(f"{place.origin}/desk/sign-in")
    await page.goto(address)
    await expect(page.locator("#reply")).to_have_value("half a sentence")


async def test_a_telephone_shows_one_thing_at_a_time(browser: Browser, place: Place) -> None:
    """The list, the conversation, the customer, and back; nothing stands wider than the screen, in both languages."""
    ann = await place.agent()
    for n, name in enumerate(["王小曼", "A customer whose name is as long as a very long name can be " * 2]):
        await place.say("a person please " + "x" * 300, f"v{n}", settle=False, name=name)
    for language in ("en", "zh"):
        desk = await desk_of(browser, place, ann, language, viewport=PHONE, has_touch=True)
        page = desk.page
        await desk.count("a.row", 2)
        await expect(page.locator("#talk")).to_be_hidden()
        await page.locator("a.row").nth(1).tap()
        await expect(page.locator("#lists")).to_be_hidden()
        await expect(page.locator(".message")).to_have_count(2)
        await fits(page)
        await page.locator("#details").tap()
        await expect(page.locator("#about h3.name")).to_be_visible()
        await fits(page)
        await page.locator("#about .back").tap()
        await page.locator("#talk .back").tap()
        await expect(page.locator("a.row").first).to_be_visible()
        await fits(page)
        await page.set_viewport_size({"width": 320, "height": 450})  # 1280 pixels at 400 %
        await fits(page)
        assert desk.complaints == []


async def fits(page: Page) -> None:
    """Nothing makes the page scroll sideways."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate("[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth)")


async def test_everything_that_is_pressed_has_a_name(browser: Browser, place: Place) -> None:
    """For those who hear the page: buttons, links and fields are called something, in the page's language."""
    ann = await place.agent()
    for words in ("I complain", "a person please"):
        await place.say(words, "v1", settle=False)
    desk = await desk_of(browser, place, ann)
    page = desk.page
    await page.locator("a.row").click()
    await desk.claim()
    await expect(page.locator("#reply")).to_be_focused()
    for trigger in ("#me", "#filter", ".actions [popovertarget]"):
        await page.locator(trigger).click()
        nameless = await page.evaluate(NAMELESS)
        assert nameless == []
        await page.keyboard.press("Escape")
    assert await page.evaluate("document.documentElement.lang") == "en"
    levels = await page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3')].filter(e => e.checkVisibility()).map(e => e.tagName)"
    )
    assert levels[0] == "H1", json.dumps(levels)


NAMELESS = """
() => [...document.querySelectorAll('button, a, input, select, textarea')]
  .filter(e => e.checkVisibility() && e.type !== 'hidden')
  .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length))
  .map(e => e.outerHTML)
"""


async def test_the_language_and_the_look_are_kept_by_the_browser(browser: Browser, place: Place) -> None:
    """Chosen in the menu, there after a reload, without a flash of the other one."""
    ann = await place.agent()
    desk = await desk_of(browser, place, ann)
    page = desk.page
    await page.locator("#me").click()
    await page.get_by_role("radio", name="Dark").check()
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("heading", name="服务台")).to_be_visible()
    await page.goto(f"{place.origin}/desk")
    await expect(page.get_by_role("heading", name="服务台")).to_be_visible()
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 25, 23)"
    assert desk.complaints == []
