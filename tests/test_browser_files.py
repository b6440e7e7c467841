"""Files in a real browser: a customer's picture is seen at the desk, an agent's file is saved by the customer, and each
sees that the other writes."""

from __future__ import annotations

import os
from pathlib import Path

from browser_parts import NEEDS_CHROMIUM, PHONE, screen
from desk_parts import opened
from desk_screens import desk_of
from picture_parts import office, png
from playwright.async_api import Browser, FilePayload, Page, expect
from test_browser_desk_together import findings

from bot import app
from storage.database import Database

pytestmark = NEEDS_CHROMIUM
PICTURES = os.environ.get("EARFUL_TEST_PICTURES")


def file(name: str, kind: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": content}


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", animations="disabled")


async def test_a_picture_one_way_and_a_document_the_other(  # noqa: PLR0915 - one story
    browser: Browser, sqlite: Database
) -> None:
    """Chosen, seen, sent, saved; what is no file is refused in words; nothing of it upsets the content policy."""
    async with opened(sqlite) as place, app.running(place.service):
        ann = await place.agent("Ann")
        customer = await screen(browser, f"{place.origin}/chat?lang=en", viewport=PHONE)
        await customer.ready()
        await customer.say("a person please")
        await customer.reads("Connecting you")
        page = customer.page
        await page.locator("#file").set_input_files(file("me.png", "image/png", b"<svg onload=alert(1)>"))
        await expect(page.locator("#tray")).to_contain_text("can't take files of this kind")
        await page.locator("#file").set_input_files(file("broken lamp.png", "image/png", png(300, 200)))
        await expect(page.locator("#tray")).to_contain_text("broken lamp.png")
        await page.fill("#words", "It came like this")
        await page.keyboard.press("Enter")
        await expect(page.locator("#messages .file img")).to_be_visible()
        assert await page.locator("#messages .file img").evaluate("each => each.naturalWidth") == 300

        desk = await desk_of(browser, place, ann, viewport={"width": 1280, "height": 800})
        agent = desk.page
        await agent.locator("a.row").click()
        await expect(agent.locator(".files img")).to_be_visible()
        assert await agent.locator(".files img").evaluate("each => each.naturalWidth") == 300
        await agent.locator("#claim").click()
        await expect(agent.locator("#reply")).to_be_focused()
        await expect(page.locator("#presence")).to_contain_text("Ann")
        await expect(page.locator("#messages .bubble").last).to_contain_text("Ann has joined")  # it ends the dots

        await page.locator("#words").press_sequentially("Hm")
        await expect(agent.locator(".writes")).to_have_text("The customer is writing…")
        await agent.keyboard.type("Look")
        await expect(page.locator("#typing")).to_be_visible()

        async with agent.expect_file_chooser() as chosen:
            await agent.locator("#attach").click()
        await (await chosen.value).set_files([file("offer.docx", "application/msword", office())])
        await expect(agent.locator(".chip[data-up='']")).to_contain_text("offer.docx")
        await picture(agent, "files-en")
        assert await findings(agent) == []
        await agent.locator("#reply").focus()
        await agent.keyboard.press("Enter")
        await expect(agent.locator(".tray")).to_be_hidden()
        await expect(agent.locator(".agent .file")).to_contain_text("offer.docx")
        await expect(page.locator(".message.agent .save")).to_have_text("offer.docx")
        await expect(page.locator("#typing")).to_be_hidden()
        async with page.expect_download() as saved:
            await page.locator(".message.agent .save").click()
        download = await saved.value
        saved_as = await download.path()
        assert (download.suggested_filename, saved_as.stat().st_size) == ("offer.docx", len(office()))
        await picture(page, "chat-files-phone-en")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await findings(page) == []
        await page.reload()
        await expect(page.locator("#messages .file img")).to_be_visible()
        assert (desk.complaints, customer.complaints) == ([], [])


async def test_a_reply_that_is_taken_back_takes_its_files_back(browser: Browser, sqlite: Database) -> None:
    """They stand where they stood, to go with the next one; the customer never had them."""
    async with opened(sqlite) as place:
        ann = await place.agent("Ann")
        talk = await place.say("a person please", "a" * 32)
        await ann.do("claim", talk)
        agent = (await desk_of(browser, place, ann, undo=True)).page
        await agent.goto(f"{place.origin}/desk#/mine/{talk}")
        async with agent.expect_file_chooser() as chosen:
            await agent.locator("#attach").click()
        await (await chosen.value).set_files([file("a.png", "image/png", png())])
        await expect(agent.locator(".chip[data-up='']")).to_be_visible()
        await agent.locator("#send").click()
        await expect(agent.locator(".delivery.held")).to_be_visible()
        await agent.locator(".delivery.held button").click()
        await expect(agent.locator(".chip[data-up='']")).to_contain_text("a.png")
        await expect(agent.locator("#reply")).to_have_value("")
        await agent.locator("#send").click()
        await expect(agent.locator(".delivery.held")).to_be_visible()
