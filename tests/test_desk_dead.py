"""Dead letters at the desk: administrators see what could not be worked, and try it again."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped] # it has no stubs
from browser_parts import NEEDS_CHROMIUM, PHONE
from desk_parts import Agent, Place, opened
from desk_screens import desk_of
from playwright.async_api import Browser
from sqlalchemy import Connection, update

from bot.desk.dead import HERE, PAGE
from storage import tables
from storage.database import Database

SECRET = "my <b>card</b> is 6222"


async def look(agent: Agent, path: str = HERE) -> str:
    async with agent.session.get(path) as answer:
        assert answer.status == 200
        return await answer.text()


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page[page.index("<main") :])).split())


async def bury(place: Place, where: Any = None) -> list[int]:
    """What was said is given up, as after several attempts."""

    def work(connection: Connection) -> list[int]:
        values = {
            "state": "dead",
            "attempts": 3,
            "reason": "failed 3 times; see the log",
            "tried_at": place.clock.now(),
        }
        changed = update(tables.inbox).values(values).returning(tables.inbox.c.id)
        return sorted(connection.execute(changed if where is None else changed.where(where)).scalars())

    return await place.database.write(work)


async def replay(agent: Agent, *ids: int, origin: str | None = None) -> tuple[int, str]:
    fields = [("id", str(id)) for id in ids]
    headers = {"Origin": origin or agent.origin}
    async with agent.session.post(f"{HERE}/replay", data=fields, headers=headers, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", "")


async def test_a_dead_letter_is_shown_and_tried_again_by_an_administrator(database: Database) -> None:
    """The list has nobody's words, the letter has them all as text and who looked is on record; tried again it is
    worked at once, and once; nobody else may, and from another site nothing is done."""
    async with opened(database) as place:
        root, eve = await place.agent("Ro", "admin"), await place.agent("Eve", "supervisor")
        assert "None: everything was worked" in words(await look(root))
        talk = await place.say("hello")
        await place.say(SECRET, settle=False)
        id = max(await bury(place, tables.inbox.c.state == "new"))
        page = await look(root)
        assert "failed 3 times; see the log" in words(page)
        assert "6222" not in page
        assert f'href="/desk#/queue/{talk}"' in page
        shown = await look(root, f"{HERE}/{id}")
        assert SECRET in words(shown).replace("\\", "") or "my <b>card</b> is 6222" in html.unescape(shown)
        assert "<b>card" not in shown
        for path in (HERE, f"{HERE}/{id}"):
            async with eve.session.get(path) as answer:
                assert answer.status == 403
        assert (await replay(eve, id))[0] == 403
        assert (await replay(root, id, origin="https://evil.example"))[0] == 403
        assert (await replay(root, id)) == (303, f"{HERE}?done=replayed")
        assert (await replay(root, id)) == (303, HERE)  # pressed twice
        await place.service.settle()
        said = [row["text"] for row in await place.rows(tables.messages) if row["author"] == "bot"]
        assert said.count(f"You said: {SECRET}") == 1
        assert [row["state"] for row in await place.rows(tables.inbox)] == ["done", "done"]
        actions = [(row["actor"], row["action"]) for row in await place.rows(tables.audit)]
        assert actions == [
            (f"staff:{root.id}", "dead_letter_read"),
            (f"staff:{root.id}", "dead_letters_replayed"),
        ]
        async with root.session.get(f"{HERE}/{id}", allow_redirects=False) as answer:
            assert answer.headers["Location"] == HERE
        for nonsense in ("x", "9" * 30, "²"):
            async with root.session.get(f"{HERE}/{nonsense}") as answer:
                assert answer.status == 404


async def test_many_come_a_page_at_a_time_and_what_cannot_be_read_is_shown(sqlite: Database) -> None:
    """Each once; bytes that are no JSON, and no text either, are shown as far as they go."""
    async with opened(sqlite) as place:
        root = await place.agent("Ro", "admin")
        for number in range(PAGE + 3):
            await place.say(f"hello {number}", settle=False)
        ids = await bury(place)
        broken = update(tables.inbox).where(tables.inbox.c.id == ids[0]).values(raw=b"\xff\xfe<script>\x00")
        await place.database.write(lambda connection: connection.execute(broken).rowcount)
        path, seen = HERE, list[int]()
        while path:
            page = await look(root, path)
            seen += [int(found) for found in re.findall(r'name="id" value="(\d+)"', page)]
            following = re.search(rf'href="({HERE}\?before=\d+)"', page)
            path = following[1] if following else ""
        assert seen == ids[::-1]
        assert "&lt;script&gt;" in await look(root, f"{HERE}/{ids[0]}")
        assert (await replay(root, *ids))[1].endswith("replayed")
        await place.service.settle()
        assert {row["state"] for row in await place.rows(tables.inbox)} == {"done"}


@NEEDS_CHROMIUM
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_it_is_used_on_a_phone_in_both_languages(browser: Browser, sqlite: Database, language: str) -> None:
    """Nothing cut off, nothing that axe complains of: the list, the letter, and empty again."""
    async with opened(sqlite) as place:
        root = await place.agent("Ro", "admin")
        await place.say("hello", settle=False)
        [id] = await bury(place)
        shown = await desk_of(browser, place, root, language, viewport=PHONE)
        for path in (HERE, f"{HERE}/{id}"):
            await shown.page.goto(f"{place.origin}{path}")
            found = await Axe().run(shown.page)
            assert found.violations_count == 0, found.generate_report()
            assert await shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await shown.page.get_by_role("button", name={"zh": "重新处理", "en": "Try it again"}[language]).click()
        await shown.page.get_by_role("status").wait_for()
        assert shown.complaints == []
