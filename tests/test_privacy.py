"""What is kept of a customer: given out whole, erased whole, and nothing of anybody else touched."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from api_parts import Place, address, episode
from click.testing import CliRunner, Result
from loop_parts import START
from sqlalchemy import Boolean, Column, Connection, Float, Integer, LargeBinary, Table, insert, select

from bot.api import tokens
from bot.cli import main
from bot.contacts import privacy
from bot.contacts.belongings import belongings
from channels.base import Text
from storage import tables
from storage.database import Database, open_database
from storage.types import Json, UtcDateTime

HOUSE = {
    *("api_tokens", "audit", "canned_replies", "case_groups", "case_views", "content_versions", "improvement_cases"),
    *("improvements", "knowledge", "knowledge_versions", "leases", "notes", "pagers", "staff", "staff_sessions"),
    *("survey_versions", "webhook_kinds", "webhooks"),
}
"""Tables that hold nothing of customers. A new table belongs here, or in `belongings`."""
OF_THE_HOUSE = {
    *("account", "actor", "agent", "aspect", "audience", "business_line", "channel", "counted", "decided_by"),
    *(
        "definition",
        "department",
        "done_by",
        "form",
        "from_department",
        "intent",
        "judged",
        "key",
        "kind",
        "lease_owner",
    ),
    *(
        "lease_owner",
        "made_by",
        "nature",
        "occasion",
        "origin",
        "period",
        "product",
        "reason",
        "region",
        "segment",
        "subject",
    ),
    *("taken_by", "topic", "touchpoint", "understood", "dedupe_key", "evidence", "digest", "posts.address"),
}
"""Columns that say how the house works, not who somebody is; and the platforms' keys of events."""
STATES = {
    "surveys": "awaiting",
    "cases": "assigned",
    "outbox": "queued",
    "inbox": "done",
    "timers": "waiting",
    "deadlines": "running",
    "case_tasks": "waiting",
    "case_remedies": "proposed",
    "attachments": "said",
    "care_messages": "planned",
    "posts": "waiting",
}
NEVER_SHOWN = {
    *("addresses.address", "conversations.lane", "conversations.thread", "conversations.tracker", "surveys.progress"),
    *("alerts.detail", "messages.data", "messages.client_key", "attempts.detail", "timers.lane", "whispers.client_key"),
    *("outbox.address", "outbox.place", "outbox.text", "outbox.buttons", "outbox.target", "outbox.reference"),
    *("inbox.lane", "inbox.event", "inbox.raw", "posts.data", "posts.address", "attachments.lane", "attachments.key"),
    *("attachments.reference", "attachment_parts.content", "conversations.language", "cases.language"),
}
"""What is ours to know, or said elsewhere in what is given out."""


async def life(database: Database, mark: str) -> int:
    """A row in every table that holds something of customers, each column of words with this mark in it."""

    def work(connection: Connection) -> int:
        staff = connection.execute(select(tables.staff.c.id)).scalar()
        ids: dict[str, Any] = {"staff": staff, "case_groups": None, "webhooks": None}
        # A timer names its survey.
        for table in sorted(tables.metadata.sorted_tables, key=lambda table: table.name == "timers"):
            if table.name not in HOUSE:
                values = {each.name: _value(table, each, mark, ids) for each in table.columns if each.name != "id"}
                ids[table.name] = connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one()
        return int(ids["contacts"])

    return await database.write(work)


def _value(table: Table, column: Column[Any], mark: str, ids: dict[str, Any]) -> Any:
    if column.foreign_keys:
        [key] = column.foreign_keys
        return ids.get(key.column.table.name) if column.name != "merged_into" else None
    told = f"{mark}:{table.name}.{column.name}"
    if column.name == "state" and table.name in STATES:
        return STATES[table.name]
    if table.name == "timers" and column.name == "subject":
        return f"survey:{ids['surveys']}"
    if table.name == "inbox" and column.name == "lane":  # what came before there was a conversation
        return f"chat:{mark[-1]}:{mark[-1]}:{mark}:addresses.address"
    if table.name == "timers" and column.name == "lane":
        return f"chat:{mark[-1]}:{mark[-1]}:{mark}:timers.lane"
    if table.name == "ratings" and column.name == "answers":
        return [{"question": "why", "option": "slow", "text": told}]
    if column.name in ("lane", "thread"):
        return f"{mark}:lane"
    if isinstance(column.type, UtcDateTime):
        return START
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, Float | Integer):
        return 1
    if isinstance(column.type, LargeBinary):
        return told.encode()
    if column.name in OF_THE_HOUSE or f"{table.name}.{column.name}" in OF_THE_HOUSE:
        return [] if isinstance(column.type, Json) else mark[-1]
    if isinstance(column.type, Json) or column.type.__class__.__name__ == "Unread":
        return {"case": {"customer": f"{mark}:contacts.external_id"}} if table.name == "posts" else {"words": told}
    length = getattr(column.type, "length", None)
    return told if length is None or length > len(told) else mark[-1]


def _words(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


async def everything(database: Database) -> list[tuple[str, dict[str, str]]]:
    def work(connection: Connection) -> list[tuple[str, dict[str, str]]]:
        return [
            (table.name, {name: _words(value) for name, value in row.items()})
            for table in tables.metadata.sorted_tables
            for row in connection.execute(select(table)).mappings()
        ]

    return await database.read(work)


@pytest.fixture
async def place(database: Database) -> Place:
    made = Place(database)
    await made.hire("anna")
    return made


async def test_nothing_of_theirs_is_left_in_any_table_and_nothing_else_is_touched(place: Place) -> None:
    """Every column of every table is looked at, so that none can be forgotten; figures stay."""
    gone, stays = await life(place.database, "MARK-A"), await life(place.database, "MARK-B")
    before = await everything(place.database)
    assert await privacy.erase(place.database, gone, place.clock.now(), "staff:1") is not None
    after = await everything(place.database)
    left = [(table, name) for table, row in after for name, value in row.items() if "MARK-A" in value]
    assert left == []
    others = [
        [row for row in found if any("MARK-B" in value for value in row[1].values())] for found in (before, after)
    ]
    assert others[0] == others[1]
    kept = [sum(name == table for name, _ in after) for table in ("ratings", "cases", "messages", "contacts")]
    assert kept == [2, 2, 2, 2]
    [line] = [row for table, row in after if table == "audit"]
    assert (line["actor"], line["action"], line["subject"]) == ("staff:1", "contact_erased", f"contact:{gone}")
    assert await privacy.erase(place.database, gone, place.clock.now(), "staff:1") is None
    assert await privacy.erase(place.database, stays, place.clock.now(), "staff:1") is not None


async def test_who_dies_midway_can_begin_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no index by customer is emptied first; without the rest they are still known."""

    def dies(*_: object) -> bool:
        raise OSError("the disk is full")

    theirs = await life(place.database, "MARK-A")
    with monkeypatch.context() as broken:
        broken.setattr(privacy, "_erased", dies)
        with pytest.raises(OSError, match="full"):
            await privacy.erase(place.database, theirs, place.clock.now(), "cli")
    assert await privacy.erase(place.database, theirs, place.clock.now(), "cli") is not None
    assert not any("MARK-A" in value for _, row in await everything(place.database) for value in row.values())


async def test_who_writes_while_they_are_erased_leaves_no_word_with_the_erased(place: Place) -> None:
    """The turn is decided again for a stranger, or its words go with the others."""
    await complained(place)
    [contact] = [row["id"] for row in await place.rows(tables.contacts) if row["external_id"]]
    talk = (place.say(f"My parcel {number} is late, I want to complain", "t1") for number in range(70_001, 70_006))

    async def erased() -> None:
        """As often as a reply is on its way."""
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(privacy.Sending):
                    assert await privacy.erase(place.database, contact, place.clock.now(), "cli") is not None
                    return
                await asyncio.sleep(0)

    await asyncio.gather(*talk, erased())
    theirs = {row["id"] for row in await place.rows(tables.conversations) if row["contact_id"] == contact}
    assert theirs
    said = [row["text"] for row in await place.rows(tables.messages) if row["conversation_id"] in theirs]
    assert set(said) == {""}
    assert {row["title"] for row in await place.rows(tables.cases) if row["contact_id"] == contact} == {"—"}


async def test_what_is_given_out_is_whole_and_of_nobody_else(place: Place) -> None:
    """All that erasing takes, but for what is ours to know; a file with its bytes."""
    theirs = await life(place.database, "MARK-A")
    await life(place.database, "MARK-B")
    kept = await place.database.read(lambda connection: privacy.export(connection, theirs))
    told = orjson.dumps(kept).decode()
    assert "MARK-B" not in told
    marked = {
        f"{table}.{name}"
        for table, row in await everything(place.database)
        for name, value in row.items()
        if f"MARK-A:{table}.{name}" in value
    }
    missing = {each for each in marked - NEVER_SHOWN if f"MARK-A:{each}" not in told}
    assert missing == set()
    assert kept["addresses"][0]["address"] == "MARK-A:addresses.address"
    [file] = kept["attachments"]
    assert file["content"] == "TUFSSy1BOmF0dGFjaG1lbnRfcGFydHMuY29udGVudA=="


async def test_answers_without_a_name_are_not_given_out(place: Place) -> None:
    """Whoever gives them out would read whose they are. They are erased like all others."""
    theirs = await life(place.database, "MARK-A")
    unnamed = tables.surveys.update().values(anonymous=True)
    await place.database.write(lambda connection: connection.execute(unnamed).rowcount)
    kept = await place.database.read(lambda connection: privacy.export(connection, theirs))
    assert (kept["surveys"], kept["ratings"], kept["rating_history"]) == ([], [], [])
    await privacy.erase(place.database, theirs, place.clock.now(), "staff:1")
    [rating] = await place.rows(tables.ratings)
    assert rating["answers"] == [{"question": "why", "option": "slow"}]  # counted as before


def test_every_table_is_the_houses_or_somebodys() -> None:
    """A new one is put where it belongs by who makes it."""
    others = {"inbox", "timers", "deadlines", "posts", "attachments", "attachment_parts"}  # looked through on their own
    known = {each.table.name for each in belongings(1)} | others
    assert known.isdisjoint(HOUSE)
    assert known | HOUSE == set(tables.metadata.tables)


async def test_each_column_becomes_what_is_said_of_it_and_each_that_is_shown_is_given_out(place: Place) -> None:
    """Numbers and dates as well, which bear no mark."""
    theirs = await life(place.database, "MARK-A")
    kept = await place.database.read(lambda connection: privacy.export(connection, theirs))
    for each in belongings(theirs):
        if each.shown:
            [row] = kept[each.table.name]
            assert set(row) == set(each.shown), each.table.name
            assert None not in row.values(), each.table.name
    await privacy.erase(place.database, theirs, place.clock.now(), "cli")
    for each in belongings(theirs):
        rows = await place.rows(each.table)
        if each.gone is None:
            assert rows == []
        for name, value in (each.gone or {}).items():
            if name != "note" and (value is None or isinstance(value, str | dict)):
                assert [row[name] for row in rows] == [value], f"{each.table.name}.{name}"


async def test_a_survey_that_is_planned_leaves_no_number_behind(place: Place) -> None:
    """Who was told of by the business system alone has no conversation yet."""
    place.clock.advance(timedelta(hours=13))  # in the evening
    async with place.client() as client:
        told = episode("e1", ended_at=place.clock.now().isoformat())
        assert (await client.post("/api/v1/episodes", json=told)).status == 202
    [contact] = [row["id"] for row in await place.rows(tables.contacts)]
    assert any("13800138000" in row["lane"] for row in await place.rows(tables.timers))
    assert await privacy.erase(place.database, contact, place.clock.now(), "cli") is not None
    place.clock.advance(timedelta(days=1))
    await place.service.settle()
    left = [table for table, row in await everything(place.database) if "13800138000" in " ".join(row.values())]
    assert left == []
    assert place.sent("sms") == []


async def test_a_first_message_that_is_being_worked_is_a_strangers(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no conversation yet whose version would have moved."""
    async with place.client() as client:
        assert (await client.post("/api/v1/episodes", json=episode("e1", survey="nothing"))).status == 202
    [contact] = [row["id"] for row in await place.rows(tables.contacts)]
    decide = type(place.service.policy).decide
    erased: list[object] = []

    async def decided(policy: Any, states: Any) -> Any:
        found = await decide(policy, states)
        if not erased:
            erased.append(await privacy.erase(place.database, contact, place.clock.now(), "cli"))
        return found

    monkeypatch.setattr(type(place.service.policy), "decide", decided)
    await place.say("My parcel 12345678 is late, I want to complain", "+8613800138000", channel="sms")
    await place.service.settle()
    assert erased == [["chat:sms:a:+8613800138000"]]
    theirs = {row["id"] for row in await place.rows(tables.conversations) if row["contact_id"] == contact}
    assert theirs == set()


async def test_who_is_being_written_to_is_erased_a_moment_later(place: Place) -> None:
    """What comes of it would be written down with their address."""
    await complained(place)
    [contact] = [row["id"] for row in await place.rows(tables.contacts) if row["external_id"]]
    first = tables.outbox.c.id == (await place.rows(tables.outbox))[0]["id"]
    for state in ("sending", "sent"):
        now = tables.outbox.update().where(first).values(state=state)
        await place.database.write(lambda connection, now=now: connection.execute(now).rowcount)  # type: ignore[misc] # bound here
        if state == "sending":
            kept = await place.rows(tables.inbox)
            with pytest.raises(privacy.Sending):
                await privacy.erase(place.database, contact, place.clock.now(), "cli")
            assert await place.rows(tables.inbox) == kept
        else:
            assert await privacy.erase(place.database, contact, place.clock.now(), "cli") is not None


async def test_what_was_solved_counts_as_solved(place: Place) -> None:
    """It is closed unconfirmed, not withdrawn: figures of the past stay."""
    theirs = await life(place.database, "MARK-A")
    solved = tables.cases.update().values(state="following_up")
    await place.database.write(lambda connection: connection.execute(solved).rowcount)
    await privacy.erase(place.database, theirs, place.clock.now(), "cli")
    assert [row["state"] for row in await place.rows(tables.cases)] == ["closed_unconfirmed"]


async def test_nobody_acts_on_a_conversation_of_somebody_who_is_gone(place: Place) -> None:
    """It is as if it were not there."""
    await complained(place)
    [contact] = [row["id"] for row in await place.rows(tables.contacts) if row["external_id"]]
    [talk] = [row["id"] for row in await place.rows(tables.conversations) if row["channel"] == "chat"]
    async with place.client() as client:
        body = {"agent": "anna"}
        await privacy.erase(place.database, contact, place.clock.now(), "cli")
        assert (await client.post(f"/api/v1/conversations/{talk}/claim", json=body)).status == 404
        [case] = (await (await client.get("/api/v1/cases")).json())["items"]
        path = f"/api/v1/cases/{case['number']}"
        assert (await client.post(f"{path}/assignments", json={"agent": "anna", "owner": "anna"})).status == 404
        assert (await (await client.get(path)).json())["title"] == "—"


async def complained(place: Place) -> None:
    """Of a customer with two channels: a complaint by chat, a service that a survey is asked about by SMS."""
    async with place.client() as client:
        both = [address("chat", "t1"), address("sms", "+8613800138000")]
        told = episode("e1", customer={"addresses": both}, ended_at=START.isoformat())
        assert (await client.post("/api/v1/episodes", json=told)).status == 202
    await place.say("My parcel 12345678 has not arrived for two weeks, I want to complain!", "t1")
    await place.say("I want to talk to a person", "t1")


async def test_what_is_open_ends_and_nothing_is_sent_any_more(place: Place) -> None:
    """The case is withdrawn on its timeline, the survey has its reason, nobody waits in the queue."""
    await complained(place)
    sent = len(place.sent("chat")), len(place.sent("sms"))
    [contact] = [row["id"] for row in await place.rows(tables.contacts) if row["external_id"]]
    assert await privacy.erase(place.database, contact, place.clock.now(), "api:crm") is not None
    for _ in range(20):
        place.clock.advance(timedelta(days=1))
        await place.service.settle()
    assert (len(place.sent("chat")), len(place.sent("sms"))) == sent
    [case] = await place.rows(tables.cases)
    assert (case["state"], case["title"], case["fields"]) == ("withdrawn", "—", {})
    moved = [row for row in await place.rows(tables.case_events) if row["to_state"] == "withdrawn"]
    assert [(row["actor"], row["note"]) for row in moved] == [("api:crm", "Erased at the customer's request")]
    assert all(row["state"] == "cancelled" or row["ended_at"] for row in await place.rows(tables.deadlines))
    assert {row["state"] for row in await place.rows(tables.surveys)} <= {"suppressed", "expired"}
    assert {row["owner"] for row in await place.rows(tables.conversations)} == {"bot"}


async def test_who_writes_again_is_a_stranger_and_a_repetition_is_still_one(place: Place) -> None:
    """The platform repeats what it told before: it is known by its key, though its words are gone."""
    await complained(place)
    [contact] = [row["id"] for row in await place.rows(tables.contacts) if row["external_id"]]
    [first, *_] = [row["dedupe_key"] for row in await place.rows(tables.inbox) if row["channel"] == "chat"]
    await privacy.erase(place.database, contact, place.clock.now(), "staff:1")
    said = len(await place.rows(tables.messages))

    await place.service.intake.accept("chat", "a", [Text(dedupe_key=first, thread="t1", text="My parcel is late")])
    await place.service.settle()
    assert len(await place.rows(tables.messages)) == said
    await place.say("hello", "t1")
    newest = (await place.rows(tables.contacts))[-1]
    assert newest["id"] != contact
    assert newest["external_id"] is None
    assert len([row for row in await place.rows(tables.messages) if row["text"] == "hello"]) == 1


@pytest.mark.parametrize("who", ["c1", "chat:a:t1", "sms:a:+8613800138000"])
async def test_a_customer_is_found_by_whatever_is_known_of_them(place: Place, who: str) -> None:
    """And nobody by what is not."""
    await complained(place)
    async with place.client() as client:
        answer = await client.post("/api/v1/contacts/export", json={"customer": who})
        assert answer.status == 200, await answer.text()
        found = await answer.json()
        assert {each["address"] for each in found["kept"]["addresses"]} == {"t1", "+8613800138000"}
        assert any("12345678" in each["text"] for each in found["kept"]["messages"])
        again = await client.post("/api/v1/contacts/export", json={"customer": f"contact:{found['contact']}"})
        assert (await again.json())["contact"] == found["contact"]
        for nobody in ("c2", "chat:a:t9", "contact:99", "contact:x", "contact:" + "9" * 40, "::", "chat:a"):
            assert (await client.post("/api/v1/contacts/export", json={"customer": nobody})).status == 404


async def test_the_api_erases_once_and_only_with_its_scope(place: Place) -> None:
    """Reading is not enough; each is in the audit."""
    await complained(place)
    token = await tokens.create(place.database, place.clock, "crm", ["privacy:export", "contacts:write"])
    async with place.client(token) as reader:
        assert (await reader.post("/api/v1/contacts/erase", json={"customer": "c1"})).status == 403
        assert (await reader.post("/api/v1/contacts/export", json={"customer": "c1"})).status == 200
    async with place.client() as client:
        answer = await client.post("/api/v1/contacts/erase", json={"customer": "c1"})
        contact = (await answer.json())["contact"]
        assert (await client.post("/api/v1/contacts/erase", json={"customer": "c1"})).status == 404
        assert (await client.post("/api/v1/contacts/erase", json={"customer": f"contact:{contact}"})).status == 404
    told = [row["action"] for row in await place.rows(tables.audit) if row["subject"] == f"contact:{contact}"]
    assert [each for each in told if each.startswith("contact_")] == ["contact_exported", "contact_erased"]


@pytest.fixture
def earful(tmp_path: Path, migrated_sqlite: Path) -> Callable[..., Result]:
    shutil.copyfile(migrated_sqlite, tmp_path / "earful.db")
    runner = CliRunner(env={"EARFUL_DATA_DIR": str(tmp_path)})

    def called(*words: str, typed: str = "") -> Result:
        return runner.invoke(main, ["privacy", *words], input=typed)

    return called


def test_the_command_line_gives_out_and_erases(tmp_path: Path, earful: Callable[..., Result]) -> None:
    """It asks before it erases; nobody is named in a way that helps."""

    async def fill() -> None:
        database = open_database(f"sqlite:///{tmp_path}/earful.db")
        place = Place(database)
        await place.hire("anna")
        await life(database, "MARK-A")
        await database.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, fill()).result()
    file, who = tmp_path / "them.json", "MARK-A:contacts.external_id"
    assert "contact:12" in earful("export", "c9", str(file)).output
    assert not file.exists()
    assert earful("export", who, str(file)).exit_code == 0
    assert orjson.loads(file.read_bytes())["messages"][0]["text"] == "MARK-A:messages.text"
    assert file.stat().st_mode & 0o077 == 0
    assert "that is not there" in earful("export", who, str(file)).output  # never over a file that others may read
    assert (
        "contact:1 (MARK-A:contacts.external_id, MARK-A:contacts.name): 1 conversations" in earful("erase", who).output
    )
    assert earful("erase", who, typed="n\n").exit_code == 1
    assert earful("erase", who, "--yes").exit_code == 0
    assert "no such customer" in earful("erase", who, "--yes").output
