"""Conversations over the API: the same rules as at the desk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from api_parts import Place

from storage import tables
from storage.database import Database

Client = TestClient[Any, Any]


@pytest.fixture
async def place(database: Database) -> Place:
    """A customer who wrote, and two agents."""
    made = Place(database)
    await made.hire("anna")
    await made.hire("bob")
    await made.say("hello", "42")
    return made


@pytest.fixture
async def client(place: Place) -> AsyncIterator[Client]:
    async with place.client() as client:
        yield client


async def post(client: Client, act: str, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
    answer = await client.post(f"/api/v1/conversations/1/{act}", json=body, headers=headers)
    return answer.status, await answer.json()


async def test_an_agent_takes_over_writes_and_hands_back(place: Place, client: Client) -> None:
    """The customer reads the agent's words, and the transcript says who did what."""
    assert await post(client, "claim", {"agent": "anna"}) == (
        200,
        {"conversation": 1, "owner": "agent", "owner_epoch": 1, "agent": "anna"},
    )
    status, said = await post(client, "messages", {"agent": "anna", "text": "How can I help?"})
    assert status == 202
    await place.service.settle()
    assert "How can I help?" in place.sent("chat")
    status, owner = await post(client, "release", {"agent": "anna"})
    assert (status, owner["owner"], owner["owner_epoch"], owner["agent"]) == (200, "bot", 2, None)
    detail = await (await client.get("/api/v1/conversations/1")).json()
    [written] = [message for message in detail["messages"] if message["id"] == said["message"]]
    assert (written["author"], written["agent"], written["delivery"]) == ("agent", "anna", "sent")
    assert [m["text"] for m in detail["messages"] if m["author"] == "system"] == ["claimed", "handed_back"]


async def test_of_two_agents_at_once_one_wins_and_the_other_is_told_who(client: Client) -> None:
    answers = await asyncio.gather(*(post(client, "claim", {"agent": name}) for name in ("anna", "bob")))
    assert sorted(status for status, _ in answers) == [200, 409]
    [winner] = [found["agent"] for status, found in answers if status == 200]
    [refused] = [found for status, found in answers if status == 409]
    assert refused["code"] == "taken"
    assert winner.title() in refused["detail"]


async def test_claiming_again_what_one_has_changes_nothing(client: Client) -> None:
    first = await post(client, "claim", {"agent": "anna"})
    assert await post(client, "claim", {"agent": " ANNA "}) == first


async def test_a_refusal_is_said_in_the_callers_language(client: Client) -> None:
    status, found = await post(client, "release", {"agent": "anna"}, **{"Accept-Language": "zh-CN,zh;q=0.9"})
    assert (status, found["code"], found["detail"]) == (409, "not_held", "这个会话现在没有人接待，请先接手")


async def test_released_to_the_queue_it_waits_for_a_colleague(client: Client) -> None:
    await post(client, "claim", {"agent": "anna"})
    status, found = await post(client, "release", {"agent": "anna", "to": "queue"})
    assert (status, found["owner"]) == (200, "queue")
    waiting = await (await client.get("/api/v1/conversations?owner=queue")).json()
    assert [talk["id"] for talk in waiting["items"]] == [1]
    assert waiting["items"][0]["waiting_since"]
    assert (await post(client, "claim", {"agent": "bob"}))[1]["agent"] == "bob"


async def test_nobody_writes_into_a_conversation_that_they_do_not_have(place: Place, client: Client) -> None:
    status, found = await post(client, "messages", {"agent": "anna", "text": "Hello?"})
    assert (status, found["code"]) == (409, "not_held")
    await post(client, "claim", {"agent": "bob"})
    status, found = await post(client, "messages", {"agent": "anna", "text": "Hello?"})
    assert (status, found["code"]) == (409, "taken")
    await place.service.settle()
    assert "Hello?" not in place.sent("chat")


async def test_a_message_sent_again_under_its_key_is_one_message(place: Place, client: Client) -> None:
    """One after the other, at once, and after the note of the key was lost."""
    await post(client, "claim", {"agent": "anna"})
    body = {"agent": "anna", "text": "How can I help?"}
    answers = await asyncio.gather(*(post(client, "messages", body, **{"Idempotency-Key": "m1"}) for _ in range(5)))

    await place.database.write(lambda connection: connection.execute(tables.notes.delete()))
    answers.append(await post(client, "messages", body, **{"Idempotency-Key": "m1"}))
    assert {status for status, _ in answers} == {202}
    assert len({found["message"] for _, found in answers}) == 1
    await place.service.settle()
    assert place.sent("chat").count("How can I help?") == 1


@pytest.mark.parametrize("agent", ["nobody", "carl"])
async def test_only_staff_who_still_work_here_may_act(place: Place, client: Client, agent: str) -> None:
    gone = await place.hire("carl")
    await place.database.write(
        lambda connection: connection.execute(
            tables.staff.update().where(tables.staff.c.id == gone).values(disabled_at=place.clock.now())
        )
    )
    status, found = await post(client, "claim", {"agent": agent})
    assert (status, found["errors"][0]["pointer"]) == (422, "#/agent")


async def test_a_conversation_that_is_not_there(client: Client) -> None:
    for path, body in (("claim", {}), ("release", {}), ("messages", {"text": "x"})):
        answer = await client.post(f"/api/v1/conversations/999/{path}", json={"agent": "anna"} | body)
        assert answer.status == 404
    assert (await client.get("/api/v1/conversations/999")).status == 404
    assert (await client.get("/api/v1/conversations/999/messages")).status == 404


async def test_the_transcript_is_read_in_pages(place: Place, client: Client) -> None:
    for number in range(5):
        await place.say(f"words {number}", "42")
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await (await client.get("/api/v1/conversations/1/messages", params={"limit": "2"} | cursor)).json()
        seen += [item["text"] for item in page["items"] if item["author"] == "customer"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == [*(f"words {number}" for number in reversed(range(5))), "hello"]


async def test_a_cursor_of_one_conversation_does_not_open_another(place: Place, client: Client) -> None:
    await place.say("words", "42")
    await place.say("hello", "43")
    page = await (await client.get("/api/v1/conversations/1/messages?limit=1")).json()
    answer = await client.get("/api/v1/conversations/2/messages", params={"cursor": page["next"]})
    assert answer.status == 400
