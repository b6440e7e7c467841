"""The chat without a socket, its page, the widget, health and the manners that all pages share."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from web_parts import Site, new_id

from bot.web import chat
from bot.web.hearing import largest
from bot.web.limits import Rate
from storage import tables

ONE = Rate(burst=1, per_second=1)


class Caller:
    """Somebody who talks plain HTTP."""

    def __init__(self, place: Site, token: str) -> None:
        self.place = place
        self.token = token

    async def post(self, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        given = {"Authorization": f"Bearer {self.token}"} | headers
        async with self.place.session.post(f"{self.place.url}/chat/messages", json=body, headers=given) as answer:
            told = await answer.json() if answer.content_type == "application/json" else {}
            return answer.status, told

    async def look(self, **query: str | int) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        address = f"{self.place.url}/chat/messages"
        async with self.place.session.get(address, params=query, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            told: dict[str, Any] = await answer.json()
            return told


async def caller(place: Site, token: str | None = None) -> Caller:
    async with place.session.post(f"{place.url}/chat/session", json={"token": token}) as answer:
        assert answer.status == 200
        return Caller(place, (await answer.json())["token"])


# ---- plain HTTP ----


async def test_without_a_socket_the_same_is_said_and_seen(place: Site) -> None:
    """Session, message, transcript, tap: the same rules, the same transcript."""
    guest = await caller(place)
    assert await guest.post({"id": "message-1", "text": "let me choose"}) == (202, {"id": "message-1"})
    assert await guest.post({"id": "message-1", "text": "let me choose"}) == (202, {"id": "message-1"})
    await place.service.settle()
    view = await guest.look(waiting="message-1,message-2")
    assert [item["text"] for item in view["items"]] == ["let me choose", "Which?"]
    assert (view["done"], view["state"]) == (["message-1"], {"owner": "bot"})
    seq = view["items"][-1]["seq"]
    assert (await guest.post({"id": new_id(), "seq": seq, "index": 0}))[0] == 202
    assert (await guest.post({"id": new_id(), "seq": seq, "index": 5}))[0] == 404
    await place.service.settle()
    more = await guest.look(after=view["upto"])
    assert [item["text"] for item in more["items"]] == ["Tea", "One tea."]
    assert more["items"][0]["tapped"] == seq


async def test_a_poll_is_held_until_there_is_something_else_to_tell(place: Site) -> None:
    """It costs no more than a socket, and tells at once."""
    guest = await caller(place)
    await guest.post({"id": new_id(), "text": "hello"})
    await place.service.settle()
    view = await guest.look()
    same = await guest.look(after=view["upto"])
    held = asyncio.create_task(guest.look(after=view["upto"], mark=same["mark"]))
    await guest.post({"id": new_id(), "text": "again"})
    await place.service.settle()
    told = await held
    assert "again" in [item["text"] for item in told["items"]]
    assert told["mark"] != same["mark"]


async def test_a_held_poll_ends_by_itself_and_at_the_end_of_the_server(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would cut it otherwise."""
    monkeypatch.setattr(chat, "HELD", 0.02)
    guest = await caller(place)
    view = await guest.look()
    again = await guest.look(mark=view["mark"])
    assert again == view
    assert place.service.live._by_lane == {}


async def test_older_pages_are_asked_for_by_number(place: Site) -> None:
    """Going back through a long conversation reaches its first word, with nothing left out."""
    guest = await caller(place)
    await guest.post({"id": new_id(), "text": "0"})
    await place.service.settle()
    lane = (await place.rows(tables.conversations))[0]["lane"]
    await place.service.turns.act(
        lane, lambda _, effects: [effects.hear(str(n), at=effects.now) for n in range(1, 200)]
    )
    view = await guest.look()
    found = view["items"]
    while view["more"]:
        view = await guest.look(before=found[0]["seq"])
        found = view["items"] + found
    assert [item["text"] for item in found] == ["0", "You said: 0", *(str(number) for number in range(1, 200))]


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"id": "message-1", "text": "x" * 4001}, 413, "too_long"),
        ({"id": "message-1", "text": " "}, 400, "empty"),
        ({"id": "message-1", "text": ["x"]}, 400, "malformed"),
        ({"text": "x"}, 400, "malformed"),
        ({"id": "message-1", "seq": 1, "index": 0}, 404, "no_such_button"),
        ({"id": "message-1", "seq": "1", "index": 0}, 400, "malformed"),
        ({}, 400, "malformed"),
    ],
)
async def test_a_refusal_says_why_in_words_and_as_a_status(
    place: Site, body: dict[str, Any], status: int, reason: str
) -> None:
    """The reason is stable, the words are the page's language."""
    guest = await caller(place)
    found, told = await guest.post(body, **{"Accept-Language": "zh-CN"})
    assert (found, told["reason"]) == (status, reason)
    assert re.search("[一-鿿]", told["said"])


async def test_too_many_messages_are_told_when_to_come_back(place: Site) -> None:
    """429 with Retry-After, and nothing of it kept."""
    guest = await caller(place)
    for number in range(20):
        assert (await guest.post({"id": f"message-{number}", "text": "x"}))[0] == 202
    status, told = await guest.post({"id": "one-more-message", "text": "x"})
    assert (status, told["reason"], told["seconds"]) == (429, "slow_down", 1)
    assert len(await place.rows(tables.inbox)) == 20


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "[" * 9_000, '"x"', "\xff\xfe"])
async def test_a_body_that_is_no_object_is_a_bad_request(place: Site, body: str) -> None:
    """An empty one says nothing, which is refused as well."""
    guest = await caller(place)
    headers = {"Authorization": f"Bearer {guest.token}"}
    async with place.session.post(f"{place.url}/chat/messages", data=body.encode("latin-1"), headers=headers) as answer:
        assert answer.status == 400


async def test_a_body_over_the_limit_is_413(place: Site) -> None:
    """By its announced length, or by what comes."""
    guest = await caller(place)
    headers = {"Authorization": f"Bearer {guest.token}"}
    large = b" " * (largest(place.service) + 1)
    for body in (large, _pieces(large)):
        async with place.session.post(f"{place.url}/chat/messages", data=body, headers=headers) as answer:
            assert answer.status == 413


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    yield body


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer x", "Basic eDp5", "bearer " + "x" * 3000])
async def test_without_a_session_nothing_is_said_or_seen(place: Site, header: str | None) -> None:
    """401, and no trace."""
    headers = {} if header is None else {"Authorization": header}
    async with place.session.get(f"{place.url}/chat/messages", headers=headers) as answer:
        assert answer.status == 401
    body = {"id": "message-1", "text": "x"}
    async with place.session.post(f"{place.url}/chat/messages", json=body, headers=headers) as answer:
        assert answer.status == 401
    assert await place.rows(tables.inbox) == []


async def test_a_session_is_kept_while_its_token_is_good(place: Site) -> None:
    """The same visitor gets the same conversation and a fresh token; any other a new one."""
    one = await caller(place)
    await one.post({"id": new_id(), "text": "hello"})
    await place.service.settle()
    place.clock.advance(timedelta(days=1))
    again = await caller(place, one.token)
    assert again.token != one.token
    assert len((await again.look())["items"]) == 2
    assert (await (await caller(place, "x" + one.token)).look())["items"] == []


@pytest.mark.parametrize("path", ["/chat/session", "/chat/messages"])
async def test_another_origin_may_not_post(place: Site, path: str) -> None:
    """A page elsewhere can do nothing in a visitor's name."""
    for origin in ("https://evil.example", "null", "file://"):
        async with place.session.post(f"{place.url}{path}", json={}, headers={"Origin": origin}) as answer:
            assert answer.status == 403
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("query", ["after=x", "after=-1", "before=²", "after=" + "9" * 30, "after=%00"])
async def test_a_number_that_is_none_is_a_bad_request(place: Site, query: str) -> None:
    """Signs, other alphabets' digits, too many of them: 400, and no question to the database."""
    guest = await caller(place)
    headers = {"Authorization": f"Bearer {guest.token}"}
    async with place.session.get(f"{place.url}/chat/messages?{query}", headers=headers) as answer:
        assert answer.status == 400


async def test_new_sessions_from_one_address_are_limited(place: Site) -> None:
    """Somebody who opens thousands is told to wait; a visitor who is known is not."""
    guest = await caller(place)
    statuses = []
    for _ in range(int(chat.SESSIONS.burst) + 5):
        async with place.session.post(f"{place.url}/chat/session", json={}) as answer:
            statuses.append(answer.status)
    assert statuses.count(429) == 6
    assert (await caller(place, guest.token)).token
