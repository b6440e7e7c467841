"""What customers see, in a real browser: the chat, the widget on somebody else's website, the pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web
from browser_parts import NEEDS_CHROMIUM, PHONE, SCRIPT, ZOOMED, Screen, says, screen
from playwright.async_api import Browser, expect
from web_parts import START, Site

from bot import app
from bot.loop.effects import Effects, Option
from bot.loop.state import LaneState
from bot.web.form_page import form_link
from bot.web.server import serve
from bot.web.visitors import known
from storage import tables

pytestmark = NEEDS_CHROMIUM


@pytest.fixture
async def place(place: Site) -> AsyncIterator[Site]:
    """At work."""
    async with app.running(place.service):
        yield place


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


async def test_choices_stay_until_newer_ones_and_what_was_chosen_stays_marked(browser: Browser, place: Site) -> None:
    """Writing on takes no button away. What was chosen is marked, and the rest can no longer be; newer choices put an
    end to older ones, also after a reload."""
    guest = await screen(browser, f"{place.url}/chat")
    await guest.say("let me choose")
    first, second = (guest.page.locator("#messages .choices").nth(at) for at in (0, 1))
    await guest.say("something else meanwhile")
    await guest.reads("You said: something else meanwhile")
    await expect(first.locator("button:disabled")).to_have_count(0)
    await guest.say("let me choose")
    await expect(second.get_by_role("button", name="Tea")).to_be_enabled()
    await expect(first.locator("button:disabled")).to_have_count(2)
    await second.get_by_role("button", name="Tea").click()
    await guest.reads("One tea.")
    for _ in range(2):
        await expect(second.get_by_role("button", name="Tea")).to_have_attribute("aria-pressed", "true")
        await expect(second.get_by_role("button", name="Coffee")).to_be_disabled()
        await expect(first.locator("button:disabled")).to_have_count(2)
        await guest.page.reload()
        await guest.ready()
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


async def test_the_start_pages_own_widget_opens_the_chat(browser: Browser, place: Site) -> None:
    """Under our own policy, too, and with the office closed it says when it opens, by the customer's clock."""
    place.clock.move_to(START.replace(hour=15))  # 23:00 in Shanghai
    guest = await screen(browser, place.url, timezone_id="Europe/Berlin")
    await expect(guest.page.locator("body > div")).to_have_count(1)
    await guest.page.evaluate("Earful.open()")
    talk = guest.page.frames[1]
    await expect(talk.locator("body[data-ready]")).to_have_count(1)
    await talk.locator("#words").fill("a person please")
    await talk.locator("#words").press("Enter")
    await expect(talk.locator("#queue")).to_contain_text("02:00 your time")
    await expect(talk.locator("#presence")).to_have_text("In the queue until we open")
    assert guest.complaints == []


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
    place.clock.advance(timedelta(seconds=2))  # as long as a person reads
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
