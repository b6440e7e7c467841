"""Who an episode's customer is: strangers who turn out to be known, numbers that change hands, crashes between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from api_parts import Place, address, episode
from sqlalchemy import Connection, insert, update

from storage import tables
from storage.database import Database

T = TypeVar("T")
SMS = "+8613800138000"
WATCHES, MESSAGES = (tables.metadata.tables[name] for name in ("care_watches", "care_messages"))


@pytest.fixture
def place(database: Database) -> Place:
    return Place(database)


async def post(place: Place, body: dict[str, Any]) -> dict[str, Any]:
    async with place.client() as client:
        answer = await client.post("/api/v1/episodes", json=body)
        assert answer.status == 202, await answer.text()
        found: dict[str, Any] = await answer.json()
    await place.service.settle()
    return found


async def _case(place: Place, conversation: int, contact: int) -> None:
    values = {
        "contact_id": contact,
        "conversation_id": conversation,
        "origin": "conversation",
        "state": "assigned",
        "title": "Broken",
        "nature": ["product"],
        "aspect": [],
        "urgency": "normal",
        "fields": {},
        "language": "en",
        "opened_at": place.clock.now(),
        "respond_by": place.clock.now(),
    }

    def work(connection: Connection) -> None:
        connection.execute(insert(tables.cases).values(values))
        connection.execute(
            update(tables.contacts).where(tables.contacts.c.id == contact).values(phone="+44 20", name="Lin")
        )

    await place.database.write(work)


async def test_a_stranger_who_wrote_before_is_known_with_all_that_was_said(place: Place) -> None:
    """Conversation, case and what they told of themselves are the customer's; the stranger is gone; versions moved."""
    await place.say("hello", "42")
    [before] = await place.rows(tables.conversations)
    await _case(place, before["id"], before["contact_id"])
    answer = await post(place, episode(addresses=[address("chat", "42")], customer={"name": "Ms Lin"}))
    assert answer["survey"]["state"] == "awaiting"
    [contact] = await place.rows(tables.contacts)
    assert (contact["external_id"], contact["name"], contact["phone"]) == ("c1", "Ms Lin", "+44 20")
    [talk] = await place.rows(tables.conversations)
    [case] = await place.rows(tables.cases)
    [where] = await place.rows(tables.addresses)
    assert {talk["contact_id"], case["contact_id"], where["contact_id"]} == {contact["id"]}
    assert talk["version"] >= before["version"] + 2
    assert case["version"] == 1
    [line] = await place.rows(tables.audit)
    assert (line["action"], line["subject"]) == ("address_moved", f"contact:{contact['id']}")
    assert line["actor"] == "api:EARFUL_API_TOKEN"
    assert line["detail"]["anonymous"] is True


async def test_a_stranger_who_is_to_be_called_and_was_decided_on_as_well_becomes_the_customer(place: Place) -> None:
    """Both had their turn in a scheduled survey: the customer's own stands, the other stays on record; whatever else
    hangs on the stranger goes with them."""
    await post(place, episode("e1"))
    [customer] = await place.rows(tables.contacts)
    await place.say("hello", "42")
    stranger = next(row["id"] for row in await place.rows(tables.contacts) if row["id"] != customer["id"])
    now = place.clock.now()

    def work(connection: Connection) -> None:
        turn = {"definition": "relationship", "period": "2026Q1", "state": "suppressed", "created_at": now}
        for contact, reason in ((customer["id"], "sampled_out"), (stranger, "no_address")):
            connection.execute(insert(tables.surveys).values(turn | {"contact_id": contact, "reason": reason}))
        task = {
            "kind": "call_back",
            "department": "hub",
            "required": "Call",
            "state": "waiting",
            "made_by": "interview:1",
        }
        connection.execute(insert(tables.case_tasks).values(task | {"contact_id": stranger, "made_at": now}))
        alert = {"kind": "call_back", "subject": "task:1", "audience": "supervisor", "at": now}
        connection.execute(insert(tables.alerts).values(alert | {"contact_id": stranger}))
        watched = [{"contact_id": customer["id"], "reason": None}, {"contact_id": stranger, "reason": "low_ratings"}]
        connection.execute(insert(WATCHES), watched)
        note = {"key": "welcome", "occasion": "once", "state": "sent", "due_at": now, "created_at": now}
        connection.execute(insert(MESSAGES).values(note | {"contact_id": stranger}))

    await place.database.write(work)
    await post(place, episode("e2", addresses=[address("chat", "42")]))
    assert [row["id"] for row in await place.rows(tables.contacts)] == [customer["id"]]
    assert [row["reason"] for row in await place.rows(WATCHES)] == [None]
    for table in (tables.surveys, tables.case_tasks, tables.alerts, WATCHES, MESSAGES):
        assert {row["contact_id"] for row in await place.rows(table)} == {customer["id"]}
    turns = [(row["reason"], row["period"]) for row in await place.rows(tables.surveys) if row["reason"]]
    assert turns == [("sampled_out", "2026Q1"), ("no_address", None)]


async def test_a_stranger_with_another_address_stays_somebody(place: Place) -> None:
    """Only what is known to be the customer's moves."""
    await place.say("hello", "42")
    [stranger] = await place.rows(tables.contacts)
    values = {"channel": "chat", "account": "a", "address": "43", "contact_id": stranger["id"]}
    await place.database.write(
        lambda connection: connection.execute(insert(tables.addresses).values(created_at=place.clock.now(), **values))
    )
    await post(place, episode(addresses=[address("chat", "42")]))
    owners = {row["address"]: row["contact_id"] for row in await place.rows(tables.addresses)}
    assert owners["43"] == stranger["id"] != owners["42"]


async def test_a_number_that_changed_hands_is_the_newest_customers(place: Place) -> None:
    """The address and its conversation follow the business system's word; what the other concluded stays theirs."""
    await post(place, episode("e1"))
    await post(place, episode("e2", customer={"id": "c2", "name": "Mr Wu"}))
    one, two = (row["id"] for row in await place.rows(tables.contacts))
    [where] = await place.rows(tables.addresses)
    [talk] = await place.rows(tables.conversations)
    assert where["contact_id"] == talk["contact_id"] == two
    assert [row["contact_id"] for row in await place.rows(tables.surveys)] == [one, two]
    assert [row["contact_id"] for row in await place.rows(tables.episodes)] == [one, two]
    [line] = await place.rows(tables.audit)
    assert line["detail"] == {"address": where["id"], "from": one, "anonymous": False}


async def test_an_opt_out_stays_with_the_number(place: Place) -> None:
    """Whoever it belongs to now, they were promised silence."""
    await post(place, episode("e1"))
    await place.say("STOP", SMS, "sms")
    answer = await post(place, episode("e2", customer={"id": "c2"}))
    assert answer["survey"]["reason"] == "opted_out"


async def test_what_is_not_said_stays_as_it_was(place: Place) -> None:
    """A later report without name and segment keeps those of an earlier one."""
    await post(place, episode("e1", customer={"segment": "high_value", "revenue": 1200.5}))
    await post(place, episode("e2", customer={"name": None, "language": "zh-CN"}))
    [contact] = await place.rows(tables.contacts)
    assert (contact["name"], contact["segment"], contact["revenue"]) == ("Ms Lin", "high_value", 1200.5)
    assert contact["language"] == "zh"


async def test_customer_and_business_system_at_the_same_moment_make_one_person(place: Place) -> None:
    """The customer's first words race with the first report of them, many times over."""
    async with place.client() as client:
        for number in range(8):
            thread = f"t{number}"
            body = episode(f"e{number}", customer={"id": f"c{number}"}, addresses=[address("chat", thread)])
            await asyncio.gather(place.say("hello", thread), client.post("/api/v1/episodes", json=body))
    await place.service.settle()
    assert await place.count(tables.contacts) == await place.count(tables.addresses) == 8
    assert {row["external_id"] for row in await place.rows(tables.contacts)} == {f"c{n}" for n in range(8)}
    owners = {row["id"]: row["contact_id"] for row in await place.rows(tables.addresses)}
    assert all(row["contact_id"] == owners[row["address_id"]] for row in await place.rows(tables.conversations))


class Mortal(Database):
    """A database whose process dies at its n-th write: before the commit, or after it, when nobody is told."""

    class Dead(Exception):
        pass

    def __init__(self, inner: Database) -> None:
        self.url = inner.url
        self.inner = inner
        self.left = -1
        self.after = False

    async def write(self, work: Callable[[Connection], T]) -> T:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise self.Dead
        result = await self.inner.write(work)
        if self.left == 0:
            raise self.Dead
        return result

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self.inner.read(work)

    async def close(self) -> None:
        return None


@pytest.mark.parametrize("ends", ["START", "tomorrow", "long ago"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_at_any_commit_is_mended_by_telling_again(database: Database, after: bool, ends: str) -> None:
    """Asked, planned or suppressed: whatever was committed before, the repeat completes it, and once."""
    ended = {"START": "2026-03-05T02:00:00Z", "tomorrow": "2026-03-06T02:00:00Z", "long ago": "2026-01-01T02:00:00Z"}
    mortal = Mortal(database)
    died = 0
    for dies_at in range(1, 20):
        place = Place(mortal)
        body = episode(f"e{dies_at}", customer={"id": f"c{dies_at}"}, ended_at=ended[ends])
        body["customer"]["addresses"] = [address("sms", f"+4420794600{dies_at:02d}")]
        mortal.left, mortal.after = dies_at, after
        async with place.client() as client:
            first = await client.post("/api/v1/episodes", json=body, headers={"Idempotency-Key": f"k{dies_at}"})
            mortal.left = -1
            died += first.status == 500
            again = Place(mortal)  # what the process held in memory is gone
            async with again.client() as next_client:
                answer = await next_client.post(
                    "/api/v1/episodes", json=body, headers={"Idempotency-Key": f"k{dies_at}"}
                )
                assert answer.status == 202
            await again.service.delivery.sweep()
            await again.service.settle()
        place.database = database
        assert await place.count(tables.episodes) == await place.count(tables.surveys) == dies_at
        prompts = [row for row in await place.rows(tables.outbox) if row["kind"] == "survey"]
        assert len(prompts) == (dies_at if ends == "START" else 0)
        if first.status == 202:
            break
    assert died == 3  # the customer, the episode with its survey, the note of the Idempotency-Key
