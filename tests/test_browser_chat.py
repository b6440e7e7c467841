"""The web chat in a real browser over a real service: the main journey, and the line that breaks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browser_parts import NEEDS_CHROMIUM, PHONE, Screen, says, screen
from playwright.async_api import Browser, expect
from web_parts import RunningClock, Site, site

from bot import app
from bot.settings import Settings
from bot.web import chat
from bot.web.server import application, serve
from storage import tables
from storage.database import Database

pytestmark = NEEDS_CHROMIUM


@pytest.fixture
async def place(place: Site) -> AsyncIterator[Site]:
    """At work."""
    async with app.running(place.service):
        yield place


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


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
    async with app.opened(settings, clock=RunningClock(), models=models) as service, app.running(service):
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
    browser: Browser, sqlite: Database
) -> None:
    """What is written is kept, also over a reload, sent when the line is back, and shown once; what was said meanwhile
    comes too."""
    async with site(sqlite) as place, app.running(place.service):
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
