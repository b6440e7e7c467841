"""Who was not asked, and why, at the desk: every figure opens its records, each has its reason in words."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped] # it has no stubs
from browser_parts import NEEDS_CHROMIUM, PHONE
from desk_parts import Agent, Place, opened
from desk_screens import desk_of
from playwright.async_api import Browser
from sqlalchemy import Connection, insert

from bot.contacts.service import Person
from bot.desk.surveys import PAGE
from bot.loop.episodes import Reported
from storage import tables
from storage.database import Database


def words(page: str) -> str:
    main = page[page.index("<main") :]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


async def look(agent: Agent, query: str = "") -> str:
    async with agent.session.get(f"/desk/surveys{query}") as answer:
        assert answer.status == 200
        return await answer.text()


async def service_of(place: Place, customer: str, **changes: Any) -> None:
    """The business system reports a service; web visitors can only be asked where they wrote before."""
    told: dict[str, Any] = {
        "external_id": f"order-{customer}",
        "touchpoint": "after_sales",
        "ended_at": place.clock.now(),
        "person": Person(external_id=customer, name=f"Ms <b>{customer}", segment="high_value"),
        "places": (),
    }
    await place.service.episodes.take(Reported(**told | changes), "test")
    await place.service.settle()


async def test_each_who_was_not_asked_has_a_reason_in_words_and_the_figures_open_them(database: Database) -> None:
    """Asked, answered, planned and not asked add up; a reason's count leads to its records; an agent has no business
    here; names are text, never markup."""
    async with opened(database) as place:
        eve, ann = await place.agent("Eve", "supervisor"), await place.agent("Ann")
        async with ann.session.get("/desk/surveys") as answer:
            assert answer.status == 403
        assert "Nothing to ask about in this time" in words(await look(eve))
        for customer in ("c1", "c2"):
            await service_of(place, customer)
        await service_of(place, "c3", survey="none_of_ours")
        await place.say("Hello")
        talk = await place.say("a person please")
        await ann.do("claim", talk)
        await ann.do("resolve", talk)
        await place.say("Hi", "v2")
        await service_of(place, "c4", places=(("web", "default", "v2"),))
        await place.tap("Good", "v2")
        page = await look(eve)
        text = words(page)
        for said in ("Occasions to ask 5", "Asked 1 · 20 %", "Answered (of those asked) 1 · 100 %", "Not asked 4"):
            assert said in text, text
        assert "No address to write to 2 Have the business system send addresses" in text
        assert "No survey for it 1" in text
        assert "No person answered 1" in text
        assert f'href="/desk#/queue/{talk}"' in page
        assert "<b>c1" not in page
        assert "Ms <b>c1 c1 · High value No address to write to after sales · order-c1" in text
        only = words(await look(eve, "?reason=no_address"))
        assert "Not asked: No address to write to" in only
        assert "order-c2" in only
        assert "order-c3" not in only
        assert "order-c1" not in words(await look(eve, "?survey=agent"))
        for nonsense in ("?days=x&before=1.y&reason=%00&survey='", f"?before={'9' * 17}.1", "?before=²."):
            assert "Who could have been asked" in words(await look(eve, nonsense))
        place.clock.advance(timedelta(days=8))
        assert "Nothing to ask about" in words(await look(await place.agent("Max", "supervisor"), "?days=7"))


async def test_the_records_come_a_page_at_a_time(database: Database) -> None:
    """Each once, the latest first, also where many were decided in one moment."""
    async with opened(database) as place:
        root = await place.agent("Ro", "admin")
        await place.say("Hello")
        (contact,) = await place.rows(tables.contacts)
        made = [
            {
                "contact_id": contact["id"],
                "definition": f"s{number}",
                "state": "suppressed",
                "reason": "made_up",
                "created_at": place.clock.now() - timedelta(hours=number // 70),
            }
            for number in range(2 * PAGE + 20)
        ]

        def work(connection: Connection) -> None:
            connection.execute(insert(tables.surveys), made)

        await place.database.write(work)
        query, seen = "?reason=made_up", list[str]()
        while query:
            page = await look(root, query)
            assert "made up" in words(page)  # a reason that has no words is told as it stands
            shown = page[page.index('id="list"') : page.index("<section><h2>By survey")]
            seen += re.findall(r"<code>(s\d+)</code>", shown)
            following = re.search(r'href="/desk/surveys(\?[^"#]*before=[^"#]*)', shown)
            query = html.unescape(following[1]) if following else ""
        first = [f"s{number}" for number in reversed(range(70))]
        assert seen == first + [f"s{number}" for number in reversed(range(70, 2 * PAGE + 20))]


@NEEDS_CHROMIUM
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_it_is_read_on_a_phone_in_both_languages(browser: Browser, sqlite: Database, language: str) -> None:
    """Nothing cut off, nothing that axe complains of, empty as well as full."""
    async with opened(sqlite) as place:
        root = await place.agent("Ro", "admin")
        shown = await desk_of(browser, place, root, language, viewport=PHONE)
        for full in (False, True):
            if full:
                await service_of(place, "c1")
            await shown.page.goto(f"{place.origin}/desk/surveys")
            found = await Axe().run(shown.page)
            assert found.violations_count == 0, found.generate_report()
            assert await shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert (
            await shown.page.get_by_text({"zh": "没有能联系的地址", "en": "No address to write to"}[language]).count()
            > 1
        )
        assert shown.complaints == []
