"""One reading for all desks that ask at once: fresh for each, refused together, and nobody sees who judged them."""

from __future__ import annotations

import asyncio
import json

import pytest
from desk_parts import opened
from test_desk_blindness import QUESTION, judged
from test_desk_lists import crowd, statements

from bot.desk.together import Together
from storage.database import Database, SQLite


class Source:
    """What is read; each reading waits to be let through."""

    def __init__(self) -> None:
        self.value = 0
        self.readings = 0
        self.gate = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def read(self, key: str) -> tuple[str, int]:
        self.readings += 1
        found = self.value
        await self.gate.acquire()
        if self.error is not None:
            raise self.error
        return key, found


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def together(source: Source) -> Together[str, tuple[str, int]]:
    return Together(source.read)


async def asked(together: Together[str, tuple[str, int]], key: str = "queue") -> asyncio.Task[tuple[str, int]]:
    task = asyncio.create_task(together.get(key))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def test_who_asks_during_a_reading_waits_for_the_next_and_shares_it(
    source: Source, together: Together[str, tuple[str, int]]
) -> None:
    """What changed before they asked is in what they are told."""
    first = await asked(together)
    source.value = 1
    others = [await asked(together) for _ in range(50)]
    source.gate.release()
    assert await first == ("queue", 0)
    source.gate.release()
    assert await asyncio.gather(*others) == [("queue", 1)] * 50
    assert source.readings == 2


async def test_different_lists_do_not_wait_for_each_other(
    source: Source, together: Together[str, tuple[str, int]]
) -> None:
    tasks = [await asked(together, key) for key in ("queue", "bot")]
    assert source.readings == 2
    source.gate.release()
    source.gate.release()
    assert await asyncio.gather(*tasks) == [("queue", 0), ("bot", 0)]


async def test_one_who_goes_takes_nobody_along(source: Source, together: Together[str, tuple[str, int]]) -> None:
    first, gone, stays = [await asked(together) for _ in range(3)]
    first.cancel()
    gone.cancel()
    source.gate.release()
    source.gate.release()
    assert await stays == ("queue", 0)
    assert source.readings == 2


async def test_a_failure_is_told_to_all_and_ends_with_them(
    source: Source, together: Together[str, tuple[str, int]]
) -> None:
    first = await asked(together)
    tasks = [await asked(together) for _ in range(2)]
    source.gate.release()
    await first
    source.error = OSError("no disk")
    source.gate.release()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(each) for each in found] == ["no disk"] * 2
    source.error = None
    source.gate.release()
    assert await together.get("queue") == ("queue", 0)


async def test_nothing_is_kept(source: Source, together: Together[str, tuple[str, int]]) -> None:
    """Filters are typed in by people: there is no end of them."""
    tasks = [await asked(together, str(n)) for n in range(100)]
    for _ in tasks:
        source.gate.release()
    await asyncio.gather(*tasks)
    await asyncio.wait(together._work.values(), timeout=30)
    assert (together._work, together._asked) == ({}, {})


async def test_two_hundred_desks_ask_little_more_than_one(sqlite: Database) -> None:
    """The list, described once; who they are is looked up for each."""
    assert isinstance(sqlite, SQLite)
    async with opened(sqlite) as place:
        await sqlite.write(lambda connection: crowd(connection, place))
        ann = await place.agent()
        with statements(sqlite) as alone:
            await ann.get("conversations?view=queue")
        with statements(sqlite) as many:
            pages = await asyncio.gather(*(ann.get("conversations?view=queue") for _ in range(200)))
        assert all(page["conversations"] == pages[0]["conversations"] for page in pages)
        session, lists = 1, len(alone) - 1
        # Requests come in over some time, and who comes late waits for another reading: a few, not two hundred.
        assert len(many) <= 200 * session + 20 * lists


async def test_who_is_judged_is_not_told_though_all_ask_at_once(database: Database) -> None:
    """The same list, at the same moment, with and without it; a colleague sees what the judged must not."""
    async with opened(database) as place:
        _, ann = await judged(place)
        bob, eve = await place.agent("Bob"), await place.agent("Eve", "supervisor")
        asking = [each.get("conversations?view=bot") for _ in range(5) for each in (ann, bob, eve)]
        for who, page in zip([ann, bob, eve] * 5, await asyncio.gather(*asking), strict=True):
            [row] = page["conversations"]
            if who is ann:
                assert (row["last"]["text"], row["urgency"]) == ("Here you are.", None)
                assert QUESTION not in json.dumps(page)
            else:
                assert row["last"]["text"] != "Here you are."
                assert row["urgency"] is not None
