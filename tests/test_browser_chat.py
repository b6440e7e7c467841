"""The web chat, the widget and the pages in a real browser, over a real service."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect
from web_parts import Site, site

from bot import app
from bot.loop.effects import Effects, Option
from bot.loop.state import LaneState
from bot.service import Service
from bot.settings import Settings
from bot.web import chat
from bot.web.form_page import form_link
from bot.web.server import application, serve
from bot.web.visitors import known
from storage import tables
from storage.database import open_database
from storage.schema import upgrade

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PHONE: ViewportSize = {"width": 390, "height": 844}
ZOOMED: ViewportSize = {"width": 195, "height": 422}
"""A phone whose owner has everything at 200 %."""

SCRIPT = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install -y chromium")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield started
        await started.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    """A service at work whose bot answers from a script."""
    store = open_database(f"sqlite:///{tmp_path / 'earful.db'}")
    await upgrade(store)
    async with site(store) as made, app.running(made.service):
        yield made
    await store.close()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


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


# ---- the main journey, with the real assistant ----


@pytest.mark.parametrize(
    ("languages", "greeting", "complaint", "number", "question", "first", "then", "recorded"),
    [
        ("zh-CN", "你好", "我的快递三天还没到，气死了", "编号", "您觉得怎么样", "满意", "很不满意", "主要是哪里没做好"),
        (
            "en-GB",
            "Hello",
            "My parcel arrived broken and nobody helps me",
            "number",
            "How was the service",
            "Good",
            "Very poor",
            "What went wrong",
        ),
    ],
)
async def test_a_customer_on_a_phone_complains_rates_changes_their_mind_and_finds_it_all_again(
    browser: Browser,
    tmp_path: Path,
    models: Path,
    languages: str,
    greeting: str,
    complaint: str,
    number: str,
    question: str,
    first: str,
    then: str,
    recorded: str,
) -> None:
    """Greet, complain, get a case number, rate with one tap, change it with another, reload: all is there, once."""
    settings = Settings(data_dir=tmp_path, company="Acme")
    async with app.opened(settings, models=models) as service, app.running(service):
        runner, port = await serve(app.web_application(service), "127.0.0.1", 0)
        guest = await screen(browser, f"http://127.0.0.1:{port}/chat", languages=languages, viewport=PHONE)
        await guest.ready()
        await expect(guest.page.locator("#welcome")).to_be_visible()
        await guest.say(greeting)
        await guest.reads("")
        await expect(guest.page.locator("#welcome")).to_be_hidden()
        await guest.say(complaint)
        said = guest.page.locator("#messages .bot .bubble", has_text=number)
        await expect(said.first).to_contain_text(re.compile(r"\d{4}"))
        cases = await service.database.read(lambda at: at.execute(tables.cases.select()).mappings().all())
        assert len(cases) == 1
        lane = await guest.lane(service)
        definition = service.content.surveys.get("post_service")
        assert definition is not None
        await service.turns.act(lane, lambda _, effects: service.policy.asking.ask(effects, definition))
        rating = guest.page.locator(".message", has_text=question)
        await (
            rating.get_by_role("button", name=first, exact=False)
            .filter(has_text=re.compile(f"^.{{1,2}}{first}$"))
            .click()
        )
        await guest.quiet()
        await rating.get_by_role("button", name=then, exact=False).click()
        await guest.reads(recorded)
        await expect(rating.locator('[aria-pressed="true"]')).to_have_text(re.compile(then))
        ratings = await service.database.read(lambda at: at.execute(tables.ratings.select()).mappings().all())
        assert [row["value"] for row in ratings] == [1]
        before = await guest.texts()
        await guest.page.reload()
        await guest.ready()
        assert await guest.texts() == before
        await expect(rating.locator('[aria-pressed="true"]')).to_have_text(re.compile(then))
        assert await guest.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert guest.complaints == []
        await runner.cleanup()


# ---- the line ----


async def test_a_server_that_goes_away_loses_nothing_that_was_written_meanwhile(
    browser: Browser, tmp_path: Path
) -> None:
    """What is written is kept, also over a reload, sent when the line is back, and shown once; what was said meanwhile
    comes too."""
    store = open_database(f"sqlite:///{tmp_path / 'earful.db'}")
    await upgrade(store)
    async with site(store) as place, app.running(place.service):
        runner, port = await serve(application(place.service, [chat.routes]), "127.0.0.1", 0)
        guest = await screen(browser, f"http://127.0.0.1:{port}/chat")
        await guest.say("one")
        await guest.reads("You said: one")
        lane = await guest.lane(place.service)
        await runner.cleanup()
        await guest.say("two")
        await guest.say("three")
        await expect(guest.page.locator("#pending .when").first).to_have_text("Waiting to send")
        await expect(guest.page.locator("#line.shown")).to_contain_text("Reconnecting")
        await place.service.turns.act(lane, says("said while you were away"))
        runner, _ = await serve(application(place.service, [chat.routes]), "127.0.0.1", port)
        await guest.page.evaluate("dispatchEvent(new Event('online'))")
        await guest.reads("You said: three")
        await guest.quiet()
        found = await guest.texts()
        assert sorted(found) == sorted(
            ["one", "You said: one", "said while you were away", "two", "You said: two", "three", "You said: three"]
        )
        assert found.index("two") < found.index("three")
        await expect(guest.page.locator("#line")).to_contain_text("Connected again")
        assert guest.complaints == []
        await runner.cleanup()
    await store.close()


async def test_without_a_network_the_page_says_so_and_a_reload_keeps_what_was_not_sent(
    browser: Browser, place: Site
) -> None:
    """The entry waits in the browser's storage; its id makes it one message however often it is sent."""
    guest = await screen(browser, f"{place.url}/chat")
    await guest.say("before")
    await guest.reads("You said: before")
    await guest.page.context.set_offline(True)
    await expect(guest.page.locator("#line.shown")).to_contain_text("You are offline")
    await guest.say("written in a tunnel")
    await expect(guest.page.locator("#pending .bubble")).to_have_text("written in a tunnel")
    await guest.page.fill("#words", "half a thought")
    # The tab is closed and opened again, on the line.
    other = Screen(await guest.page.context.new_page())
    await guest.page.context.set_offline(False)
    await guest.page.close()
    await other.page.goto(f"{place.url}/chat")
    await other.reads("You said: written in a tunnel")
    await other.quiet()
    customer = [row["text"] for row in await place.rows(tables.messages) if row["author"] == "customer"]
    assert customer == ["before", "written in a tunnel"]
    assert other.complaints == []


async def test_where_no_socket_gets_through_plain_http_does_the_same(browser: Browser, place: Site) -> None:
    """A company's proxy that knows no WebSocket."""
    context = await browser.new_context(locale="en-GB")
    await context.add_init_script("window.WebSocket = undefined")
    guest = Screen(await context.new_page())
    await guest.page.goto(f"{place.url}/chat")
    await guest.say("let me choose")
    await guest.page.get_by_role("button", name="Coffee").click()
    await guest.reads("One coffee.")
    await guest.quiet()
    assert await guest.texts() == ["let me choose", "Which?", "One coffee."]
    await expect(guest.page.get_by_role("button", name="Coffee")).to_have_attribute("aria-pressed", "true")
    await expect(guest.page.get_by_role("button", name="Tea")).to_be_disabled()
    await place.service.turns.act(await guest.lane(place.service), says("and something by ourselves"))
    await guest.reads("and something by ourselves")
    await guest.page.reload()
    await guest.ready()
    assert (await guest.texts())[0] == "let me choose"
    assert guest.complaints == []


# ---- what is shown ----


async def test_text_from_anybody_stays_text_and_only_web_addresses_become_links(browser: Browser, place: Site) -> None:
    """Names, words, titles of buttons, the title of the page: nothing of it is markup."""
    guest = await screen(browser, f"{place.url}/chat")
    hostile = f"{SCRIPT} javascript:alert(1) https://example.com/a(b)?x=1&y=2. http://a:b@evil.example data:text/html,x"
    await guest.say(hostile)
    await guest.reads("You said: ")
    lane = await guest.lane(place.service)
    await place.service.turns.act(
        lane, says(SCRIPT, [Option(SCRIPT, "/tea"), Option("**b** [x](javascript:0)", "/tea")])
    )
    await expect(guest.page.locator(".choices .choice").last).to_be_visible()
    agent = await place.hire(SCRIPT)

    def waits(state: LaneState, effects: Effects) -> None:
        effects.own("queue", effects.epoch + 1, queued_at=effects.now)

    await place.service.turns.act(lane, waits)
    await expect(guest.page.locator("#queue")).to_contain_text("You are number 1")
    await place.service.people.claim(lane, agent)
    await place.service.people.reply(lane, agent, SCRIPT, "k1")
    await expect(guest.page.locator(".message.agent")).to_have_count(1)
    await expect(guest.page.locator("#presence")).to_have_text(f"{SCRIPT} is with you")
    await guest.page.locator("#messages").get_by_role("button", name=SCRIPT).click()
    await guest.quiet()
    links = guest.page.locator("#messages a")
    assert await links.evaluate_all("all => all.map(a => a.href)") == ["https://example.com/a(b)?x=1&y=2"] * 2
    assert set(await links.evaluate_all("all => all.map(a => a.rel + ' ' + a.target)")) == {
        "noopener noreferrer nofollow ugc _blank"
    }
    assert await guest.page.locator("#log img, #log script, .top .who img").count() == 0
    assert await guest.page.evaluate("window.hacked") is None
    assert guest.complaints == []


async def test_a_screen_reader_and_a_keyboard_are_enough(browser: Browser, place: Site) -> None:
    """Everything has a role and a name; a choice is made with the keyboard, and told."""
    guest = await screen(browser, f"{place.url}/chat")
    await guest.ready()
    log = guest.page.get_by_role("log", name="Conversation")
    await expect(log).to_have_attribute("aria-live", "polite")
    words = guest.page.get_by_role("textbox", name="Your message")
    await words.focus()
    await guest.page.keyboard.type("let me choose")
    await guest.page.keyboard.press("Shift+Enter")
    await guest.page.keyboard.type("second line")
    await guest.page.keyboard.press("Enter")
    await guest.reads("Which?")
    assert (await guest.texts())[0] == "let me choose\nsecond line"
    tea = guest.page.get_by_role("group", name="Which?").get_by_role("button", name="Tea")
    await tea.focus()
    await guest.page.keyboard.press("Enter")
    await guest.reads("One tea.")
    await expect(tea).to_have_attribute("aria-pressed", "true")
    await expect(guest.page.locator("#spoken")).to_have_text("Chosen: Tea")
    await expect(guest.page.get_by_role("button", name="Send")).to_be_disabled()
    unnamed = "all => all.filter(one => !(one.ariaLabel || one.textContent.trim())).length"
    assert await guest.page.locator("button, a").evaluate_all(unnamed) == 0


async def test_enter_that_chooses_a_chinese_word_does_not_send(browser: Browser, place: Site) -> None:
    """An input method confirms its candidate with the same key."""
    guest = await screen(browser, f"{place.url}/chat")
    await guest.ready()
    await guest.page.fill("#words", "nihao")
    await guest.page.evaluate(
        "document.getElementById('words').dispatchEvent(new KeyboardEvent('keydown', "
        "{key: 'Enter', isComposing: true, bubbles: true, cancelable: true}))"
    )
    await expect(guest.page.locator("#words")).to_have_value("nihao")
    await expect(guest.page.locator("#pending li")).to_have_count(0)


async def test_a_long_conversation_is_read_page_by_page_and_new_messages_do_not_pull(
    browser: Browser, place: Site
) -> None:
    """Older pages come on request and stay in place; who reads further up is told of news, not moved."""
    guest = await screen(browser, f"{place.url}/chat", viewport=PHONE)
    await guest.say("first")
    await guest.reads("You said: first")
    lane = await guest.lane(place.service)

    def chatter(state: LaneState, effects: Effects) -> None:
        for number in range(150):
            effects.hear(f"message {number}", at=effects.now)

    await place.service.turns.act(lane, chatter)
    await guest.page.reload()
    await guest.ready()
    await expect(guest.page.locator("#messages .message")).to_have_count(60)
    for _ in range(2):
        await guest.page.locator("#earlier").click()
        await expect(guest.page.locator("#earlier")).to_be_enabled()
    await expect(guest.page.locator("#messages .bubble").first).to_have_text("first")
    await expect(guest.page.locator("#earlier")).to_be_hidden()
    place_before = await guest.page.evaluate("document.getElementById('log').scrollTop = 500")
    await place.service.turns.act(lane, says("news " + "长" * 3000))
    await expect(guest.page.locator("#latest")).to_be_visible()
    assert await guest.page.evaluate("document.getElementById('log').scrollTop") == place_before
    await guest.page.locator("#latest").click()
    await expect(guest.page.locator("#latest")).to_be_hidden()
    unfold = guest.page.get_by_role("button", name="Show all")
    await unfold.click()
    await expect(guest.page.get_by_role("button", name="Show less")).to_have_attribute("aria-expanded", "true")
    assert len(await guest.texts()) == len(set(await guest.texts())) == 153


async def test_a_text_that_is_too_long_is_counted_before_it_is_sent(browser: Browser, place: Site) -> None:
    """The limit is told while writing, in characters as people count them."""
    guest = await screen(browser, f"{place.url}/chat")
    await guest.ready()
    await guest.page.fill("#words", "好" * 3990 + "👍" * 10)
    await expect(guest.page.locator("#room")).to_have_text("0 characters left")
    await expect(guest.page.locator("#send")).to_be_enabled()
    await guest.page.fill("#words", "好" * 3990 + "👍" * 12)
    await expect(guest.page.locator("#room")).to_have_text("2 characters over the limit of 4000")
    await guest.page.keyboard.press("Enter")
    await expect(guest.page.locator("#send")).to_be_disabled()
    await expect(guest.page.locator("#pending li")).to_have_count(0)


async def test_too_many_messages_go_out_by_themselves_and_none_is_lost(browser: Browser, place: Site) -> None:
    """Over the limit the page holds them back, says so, and sends them as soon as it may."""
    guest = await screen(browser, f"{place.url}/chat")
    await guest.ready()
    for number in range(22):
        await guest.say(f"message {number}")
    await expect(guest.page.locator("#pending .when").first).to_have_text("One moment, this goes out by itself")
    place.clock.advance(timedelta(seconds=10))
    await guest.reads("You said: message 21")
    customer = [row["text"] for row in await place.rows(tables.messages) if row["author"] == "customer"]
    assert customer == [f"message {number}" for number in range(22)]


@pytest.mark.parametrize("languages", ["zh-CN", "en-GB"])
async def test_nothing_needs_scrolling_sideways_at_twice_the_size(
    browser: Browser, place: Site, languages: str
) -> None:
    """Chat, rating, case, form and start page on a phone at 200 %, in the dark."""
    language = "zh" if languages == "zh-CN" else "en"
    guest = await screen(
        browser, f"{place.url}/chat", languages=languages, viewport=ZOOMED, color_scheme="dark", device_scale_factor=2
    )
    await guest.say("I complain https://example.com/" + "x" * 300)
    await guest.reads("Sorry.")
    lane = await guest.lane(place.service)
    service = place.service
    links = []
    for key in ("post_service", "agent"):
        links.append(service.links.survey(await place.ask(lane, key)))
    await expect(guest.page.locator(".listed")).to_be_visible()
    case = (await place.rows(tables.cases))[0]["id"]
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert await guest.page.evaluate(fits)
    assert await guest.page.evaluate(
        "document.getElementById('log').scrollWidth <= document.getElementById('log').clientWidth"
    )
    for link in [*links, service.links.case(case), form_link(service.links, "site"), service.links.address + "/"]:
        await guest.page.goto(f"{place.path(link)}?lang={language}")
        assert await guest.page.evaluate(fits), link
    assert guest.complaints == []


# ---- the widget ----


async def test_the_widget_on_a_strangers_website_opens_talks_counts_and_closes(browser: Browser, place: Site) -> None:
    """One script tag, one global, under the website's own strict policy; in a frame, whose storage is ours."""

    async def shop(request: web.Request) -> web.Response:
        policy = f"default-src 'none'; script-src {place.url}; frame-src {place.url}"
        tag = f'<script src="{place.url}/chat/widget.js" async></script>'
        body = f'<!doctype html><html lang="en"><title>Shop</title>{tag}'
        return web.Response(text=body, content_type="text/html", headers={"Content-Security-Policy": policy})

    theirs = web.Application()
    theirs.router.add_get("/{page}", shop)
    runner, port = await serve(theirs, "127.0.0.1", 0)
    context = await browser.new_context(viewport=PHONE, locale="en-GB")
    await context.add_init_script("window.known = window.known || new Set(Object.getOwnPropertyNames(window))")
    guest = Screen(await context.new_page())
    await guest.page.goto(f"http://127.0.0.1:{port}/one")
    await expect(guest.page.locator("body > div")).to_have_count(1)
    added = "Object.getOwnPropertyNames(window).filter(name => !known.has(name) && name !== 'known' && isNaN(name))"
    assert await guest.page.evaluate(added) == ["Earful"]
    assert len(guest.page.frames) == 1  # nothing is loaded before somebody wants it
    async with context.expect_event("request", lambda request: "/chat?" in request.url):
        await guest.page.mouse.click(PHONE["width"] - 50, PHONE["height"] - 50)
    talk = guest.page.frames[1]
    await expect(talk.locator("body[data-ready]")).to_have_count(1)
    await talk.locator("#words").fill("hello")
    await talk.locator("#words").press("Enter")
    await expect(talk.locator("#messages .bot .bubble")).to_have_text("You said: hello")
    visitor = known(place.service, await talk.evaluate("localStorage.getItem('earful.chat.token')"))
    assert visitor is not None
    await talk.locator("#close").click()
    await expect(talk.locator("#words")).to_be_hidden()
    unread = asyncio.ensure_future(
        guest.page.evaluate("new Promise(done => addEventListener('message', e => done(e.data)))")
    )
    await guest.page.evaluate("0")  # the listener is there
    await place.service.turns.act(visitor.lane, says("news"))
    assert await unread == {"earful": "unread", "count": 1}
    # Another page of the shop, in the same tab: the chat is where it was.
    await guest.page.goto(f"http://127.0.0.1:{port}/two")
    await guest.page.evaluate("Earful.open()")
    talk = guest.page.frames[1]
    await expect(talk.locator("#messages .bot .bubble")).to_have_text(["You said: hello", "news"])
    await guest.page.evaluate("Earful.toggle()")
    await expect(talk.locator("#words")).to_be_hidden()
    assert guest.complaints == []
    await runner.cleanup()


# ---- pages behind links ----


@pytest.mark.parametrize("script", [True, False])
async def test_the_rating_page_works_with_and_without_javascript(browser: Browser, place: Site, script: bool) -> None:
    """Big buttons, one tap each; with a script the page does not load again."""
    visitor = await place.guest()
    await visitor.ws.send_json({"type": "text", "id": "hello-hello", "text": "hello"})
    await visitor.until(lambda it: len(it.seen) == 2)
    definition = place.service.content.surveys.get("post_service")
    assert definition is not None
    asking = place.service.policy.asking
    row = await place.service.turns.act(visitor.lane, lambda _, effects: asking.open(effects, definition))
    link = place.path(place.service.links.survey(row.id or 0))
    guest = await screen(browser, link, viewport=PHONE, java_script_enabled=script)
    if script:
        await guest.page.evaluate("window.stayed = true")
    await guest.page.get_by_role("button", name="Very poor").click()
    await expect(guest.page.get_by_role("heading")).to_contain_text("What went wrong")
    await guest.page.get_by_role("textbox").fill(SCRIPT)
    await guest.page.get_by_role("button", name="Send").click()
    await expect(guest.page.get_by_role("heading")).to_contain_text("Thank you for telling us honestly")
    await expect(guest.page.get_by_role("link", name="See how it is going")).to_be_visible()
    if script:
        assert await guest.page.evaluate("window.stayed") is True
        assert await guest.page.evaluate("window.hacked") is None
    await guest.page.get_by_role("link", name="See how it is going").click()
    await expect(guest.page.locator(".timeline .words")).to_have_text([SCRIPT])
    await guest.page.get_by_role("textbox").fill("One more thing")
    await guest.page.get_by_role("button", name="Send").click()
    await expect(guest.page.locator(".notice.good")).to_contain_text("We have it.")
    await expect(guest.page.locator(".timeline .words").last).to_have_text("One more thing")
    assert [row["value"] for row in await place.rows(tables.ratings)] == [1]
    assert guest.complaints == []
