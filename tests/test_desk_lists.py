"""Lists: filters, pages, a queue of two thousand, and no statement that grows with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from desk_parts import Place, opened
from sqlalchemy import Connection, event, insert

from bot.desk.lists import PAGE
from storage import tables
from storage.database import Database, SQLite

CROWD = 2_000


@pytest.fixture
async def place(database: Database) -> AsyncIterator[Place]:
    async with opened(database) as place:
        yield place


@pytest.fixture
async def crowded(sqlite: Database) -> AsyncIterator[Place]:
    """Two thousand who wait, as many with the bot, each with some words."""
    async with opened(sqlite) as place:
        await sqlite.write(lambda connection: crowd(connection, place))
        yield place


def crowd(connection: Connection, place: Place) -> None:
    start = place.clock.now() - timedelta(hours=2)
    contacts, addresses, talks, said, cases = [], [], [], [], []
    for n in range(1, 2 * CROWD + 1):
        at, thread = start + timedelta(seconds=n), f"v{n}"
        waits = n <= CROWD
        contacts.append({"id": n, "name": f"Customer {n}", "language": "en", "created_at": at})
        addresses.append(
            {"id": n, "contact_id": n, "channel": "web", "account": "default", "address": thread, "created_at": at}
        )
        talks.append(
            {
                "id": n,
                "lane": f"chat:web:default:{thread}",
                "channel": "web" if n % 2 else "telegram",
                "account": "default",
                "thread": thread,
                "contact_id": n,
                "address_id": n,
                "owner": "queue" if waits else "bot",
                "reason": "asked" if waits else None,
                "queued_at": at if waits else None,
                "language": "en" if n % 3 else "zh",
                "created_at": at,
                "active_at": at,
            }
        )
        said += [
            {"conversation_id": n, "author": author, "text": f"{author} {part}", "created_at": at}
            for part in range(3)
            for author in ("customer", "bot")
        ]
        if n % 100 == 0:
            cases.append(
                {
                    "contact_id": n,
                    "conversation_id": n,
                    "origin": "conversation",
                    "state": "acknowledged",
                    "title": "t",
                    "nature": ["service"],
                    "aspect": [],
                    "urgency": "urgent",
                    "fields": {},
                    "language": "en",
                    "opened_at": at,
                    "respond_by": at,
                }
            )
    for table, rows in (
        (tables.contacts, contacts),
        (tables.addresses, addresses),
        (tables.conversations, talks),
        (tables.messages, said),
        (tables.cases, cases),
    ):
        connection.execute(insert(table), rows)


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the database while the block runs."""
    assert isinstance(database, SQLite)
    found: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if statement != "BEGIN":
            found.append((statement, parameters))

    event.listen(database._reader, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(database._reader, "before_cursor_execute", note)


@pytest.mark.parametrize("query", ["view=queue", "view=queue&urgent=1", "view=queue&channel=telegram", "view=bot"])
async def test_a_list_asks_few_questions_however_many_wait(crowded: Place, query: str) -> None:
    """A handful of statements, each along an index: no table is read from end to end."""
    ann = await crowded.agent()
    with statements(crowded.database) as asked:
        found = await ann.get(f"conversations?{query}")
    assert len(found["conversations"]) == (20 if "urgent" in query else PAGE)
    assert found["counts"]["queue"] == CROWD
    assert len(asked) <= 12
    # The reading of whole queues is what an index of the queue is for; everything else is looked up.
    for statement, parameters in asked:
        for step in await plan(crowded.database, statement, parameters):
            assert (
                not step.startswith("SCAN")
                or "USING" in step
                or "SUBQUERY" in step
                or step.startswith("SCAN json_each")
                or step == "SCAN messages"
            ), (
                step,
                statement,
            )


async def plan(database: Database, statement: str, parameters: Any) -> list[str]:
    if not statement.lstrip().upper().startswith("SELECT"):
        return []

    def work(connection: Connection) -> list[str]:
        return [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]

    return await database.read(work)


@pytest.mark.parametrize("view", ["queue", "bot"])
async def test_pages_show_everybody_once_and_in_order(crowded: Place, view: str) -> None:
    """Fifty pages of forty: nobody is left out, nobody comes twice."""
    ann = await crowded.agent()
    seen: list[int] = []
    after = ""
    for _ in range(CROWD):
        found = await ann.get(f"conversations?view={view}{after}")
        seen += [row["id"] for row in found["conversations"]]
        if found["next"] is None:
            break
        after = f"&after={found['next']}"
    expected = list(range(1, CROWD + 1)) if view == "queue" else list(range(2 * CROWD, CROWD, -1))
    assert seen == expected


async def test_a_page_of_one_conversation_asks_as_few(crowded: Place) -> None:
    """The transcript and the customer beside it."""
    ann = await crowded.agent()
    with statements(crowded.database) as asked:
        found = await ann.talk(100)
    assert len(found["messages"]) == 6
    assert found["customer"]["cases"][0]["urgency"] == "urgent"
    assert len(asked) <= 19


async def test_a_long_conversation_is_read_a_page_at_a_time(place: Place) -> None:
    """The last sixty messages, then those before, until the first."""
    ann = await place.agent()
    talk = await place.say("nothing at all")
    now = place.clock.now()
    await place.database.write(
        lambda connection: connection.execute(
            insert(tables.messages),
            [{"conversation_id": talk, "author": "customer", "text": f"n{n}", "created_at": now} for n in range(150)],
        )
    )
    found = await ann.talk(talk)
    shown = [message["text"] for message in found["messages"]]
    assert (len(shown), shown[-1], found["more"]) == (60, "n149", True)
    while found["more"]:
        found = await ann.get(f"conversations/{talk}/messages?before={found['from']}")
        shown = [message["text"] for message in found["messages"]] + shown
    assert shown == ["nothing at all", *[f"n{n}" for n in range(150)]]


async def test_filters_narrow_a_list(place: Place) -> None:
    """By channel, by language, by why a person is needed."""
    ann = await place.agent()
    english = await place.say("a person please", "v1")
    chinese = await place.say("我要找人工 person", "v2")
    await place.database.write(
        lambda connection: connection.execute(
            tables.conversations.update().where(tables.conversations.c.id == chinese).values(reason="urgent")
        )
    )

    async def listed(query: str) -> list[int]:
        return [row["id"] for row in (await ann.get(f"conversations?view=queue&{query}"))["conversations"]]

    assert await listed("language=zh") == [chinese]
    assert await listed("language=en") == [english]
    assert await listed("reason=asked") == [english]
    assert await listed("urgent=1") == [chinese]
    assert await listed("channel=web") == [english, chinese]
    assert await listed("channel=telegram") == []


async def test_each_list_holds_its_own(place: Place) -> None:
    """Who waits, mine, my colleagues', the bot's; and what a row says."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    waits = await place.say("a person please", "v1", name="Carla")
    mine, team = await place.say("a person please", "v2"), await place.say("a person please", "v3")
    await ann.do("claim", mine)
    await bob.do("claim", team)
    with_bot = await place.say("hello", "v4")
    rows = {
        view: (await ann.get(f"conversations?view={view}"))["conversations"]
        for view in ("queue", "mine", "team", "bot")
    }
    assert {view: [row["id"] for row in found] for view, found in rows.items()} == {
        "queue": [waits],
        "mine": [mine],
        "team": [team],
        "bot": [with_bot],
    }
    (row,) = rows["queue"]
    assert (row["name"], row["reason"], row["channel"], row["owner"]) == ("Carla", "asked", "web", "queue")
    assert row["last"]["text"] == "a person please"  # what they want, not that they were asked to wait
    assert rows["team"][0]["agent"] == {"id": bob.id, "name": "Bob"}
    assert rows["bot"][0]["last"]["text"] == "You said: hello"


async def test_no_address_of_a_chat_leaves_the_house(place: Place) -> None:
    """A web visitor's thread would be a key to their chat; payloads of buttons are ours alone."""
    ann = await place.agent()
    talk = await place.say("choose", "the-visitors-own-key")
    told = json.dumps([await ann.talk(talk), await ann.get("conversations?view=bot")])
    assert "Tea" in told
    assert "the-visitors-own-key" not in told
    assert "/tea" not in told


async def test_a_customers_links_are_not_an_agents(place: Place) -> None:
    """A signed link rates and closes in the customer's name: the desk shows that there was one, not its key."""
    ann = await place.agent()
    links = place.service.links
    talk = await place.say(f"a person please, my case is {links.case(1)}")
    await ann.do("claim", talk)
    await ann.reply(talk, f"Rate us: {links.survey(1)} or see {place.service.settings.address}/chat")
    told = json.dumps([await ann.talk(talk), await ann.get("conversations?view=mine")], ensure_ascii=False)
    for link in (links.case(1), links.survey(1)):
        assert link not in told
        assert link.rpartition("/")[2] not in told
    assert "/c/…" in told
    assert "/chat" in told
    sent = [row["text"] for row in await place.rows(tables.outbox)]
    assert any(links.survey(1) in text for text in sent)  # the customer gets what was written
