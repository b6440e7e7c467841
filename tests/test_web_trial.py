"""A rating page to try, where there is demo content; and nothing of the demo is left when it is removed."""

from __future__ import annotations

from typing import Any

from page_parts import Reader
from sqlalchemy import insert
from web_parts import Site, site

from bot import demo
from bot.web.trial import MADE, MARK, OF_SENDER
from storage import tables
from storage.database import Database


async def test_a_visitor_of_the_demo_reaches_a_rating_page_of_their_own(database: Database) -> None:
    """The start page leads to it; each visit is a survey of its own; what they say stands at the desk; and with the
    demo all of it goes, and the way there too."""
    async with site(database) as place:
        assert await _door(place) == (False, 404)
        before = await place.everything()
        await demo.seed(place.service)
        assert await _door(place) == (True, 303)
        links = [await _try(place) for _ in range(2)]
        assert len(set(links)) == 2
        reader = Reader(place, links[0])
        assert "How was the service you just had?" in await reader.look()
        assert "What went wrong" in await reader.send(answer="1")
        assert "We have opened case" in reader.text
        [rating] = await place.rows(tables.ratings)
        assert (rating["score"], rating["source"]) == (20, "page")
        assert await place.rows(tables.deadlines)
        async with place.session.get(f"{place.url}/try", allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/"
        assert await demo.remove(database) == 6  # three customers, and each who tried
        after = await place.everything()
        kept = {"notes", "audit"}
        assert {name: rows for name, rows in after.items() if name not in kept} == {
            name: rows for name, rows in before.items() if name not in kept
        }
        assert await _door(place) == (False, 404)
        await demo.seed(place.service)
        assert await place.rows(tables.contacts) == []


async def test_nobody_fills_the_demo_by_themselves(place: Site) -> None:
    """So many at once, and then a wait."""
    mark = insert(tables.notes).values(key=MARK, value=MADE)
    await place.service.database.write(lambda connection: connection.execute(mark).rowcount)
    said = [await _status(place) for _ in range(int(OF_SENDER.burst) + 1)]
    assert said == [303] * int(OF_SENDER.burst) + [429]


async def _try(place: Site) -> str:
    async with place.session.post(f"{place.url}/try", headers=_ENGLISH, allow_redirects=False) as answer:
        assert answer.status == 303
        return place.service.links.address + answer.headers["Location"]


async def _status(place: Site) -> int:
    async with place.session.post(f"{place.url}/try", headers=_ENGLISH, allow_redirects=False) as answer:
        return answer.status


async def _door(place: Site) -> tuple[bool, int]:
    """Whether the start page offers it, and what happens to who goes there."""
    async with place.session.get(f"{place.url}/", headers=_ENGLISH) as answer:
        offered = "Rate a service" in await answer.text()
    return offered, await _status(place)


_ENGLISH: dict[str, Any] = {"Accept-Language": "en"}
