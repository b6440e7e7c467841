"""What is kept of calls: tokens, and what was done under an Idempotency-Key; over both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from api_parts import Place, episode

from bot.api import tokens
from bot.api.tokens import SCOPES, TokenError
from storage import tables
from storage.database import Database

Client = TestClient[Any, Any]


@pytest.fixture
def place(database: Database) -> Place:
    return Place(database)


@pytest.fixture
async def client(place: Place) -> AsyncIterator[Client]:
    async with place.client() as client:
        yield client


async def refused(answer: Any, status: int, slug: str) -> None:
    assert answer.status == status, await answer.text()
    assert (await answer.json())["type"] == f"urn:earful:problem:{slug}"


# ---- tokens ----


async def test_a_revoked_token_is_refused_at_once(place: Place) -> None:
    token = await tokens.create(place.database, place.clock, "till", SCOPES)
    async with place.client(token) as client:
        assert (await client.get("/api/v1/surveys")).status == 200
        await tokens.revoke(place.database, place.clock, "till")
        await refused(await client.get("/api/v1/surveys"), 401, "unauthorized")


async def test_a_token_is_kept_only_as_a_digest(place: Place) -> None:
    """Neither the table nor the audit gives it away."""
    token = await tokens.create(place.database, place.clock, "till", ["surveys:read"])
    kept = repr([await place.rows(tables.api_tokens), await place.rows(tables.audit)])
    assert token not in kept
    assert [line["action"] for line in await place.rows(tables.audit)] == ["token_created"]


@pytest.mark.parametrize(
    ("name", "scopes", "said"),
    [
        ("till", ["everything"], "there is no scope everything"),
        ("till", [], "needs a scope"),
        ("", ["surveys:read"], "1 to 50"),
        ("a\nb", ["surveys:read"], "printable"),
        ("x" * 51, ["surveys:read"], "1 to 50"),
        ("EARFUL_API_TOKEN", ["surveys:read"], "settings"),
        ("known", ["surveys:read"], "exists"),
    ],
)
async def test_a_token_that_cannot_be_made_says_why(place: Place, name: str, scopes: list[str], said: str) -> None:
    await tokens.create(place.database, place.clock, "known", ["surveys:read"])
    with pytest.raises(TokenError, match=said):
        await tokens.create(place.database, place.clock, name, scopes)
    assert [token.name for token in await tokens.all_tokens(place.database)] == ["known"]


async def test_only_a_valid_token_can_be_revoked_and_its_name_used_again(place: Place) -> None:
    first = await tokens.create(place.database, place.clock, "till", ["surveys:read"])
    await tokens.revoke(place.database, place.clock, "till")
    with pytest.raises(TokenError):
        await tokens.revoke(place.database, place.clock, "till")
    assert await tokens.create(place.database, place.clock, "till", ["surveys:read"]) != first


# ---- done once ----


def _key(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def test_the_same_request_under_the_same_key_is_answered_as_before(place: Place, client: Client) -> None:
    """Quoted or bare, the key is the same."""
    body = {"channel": "hotline", "text": "The lamp is broken again"}
    answers = [
        await (await client.post("/api/v1/feedback", json=body, headers=_key(key))).text()
        for key in ("k-1", "k-1", '"k-1"')
    ]
    assert len(set(answers)) == 1
    assert await place.count(tables.inbox) == 1


async def test_the_same_key_with_another_body_is_refused(place: Place, client: Client) -> None:
    """So a key that is used twice by mistake does not lose what was said the second time in silence."""
    assert (await client.post("/api/v1/episodes", json=episode("e1"), headers=_key("k"))).status == 202
    answer = await client.post("/api/v1/episodes", json=episode("e2"), headers=_key("k"))
    await refused(answer, 422, "idempotency-key-reused")
    assert await place.count(tables.episodes) == 1


async def test_a_refused_request_may_be_mended_and_sent_under_the_same_key(client: Client) -> None:
    """What failed has had no effect and is not remembered."""
    await refused(await client.post("/api/v1/episodes", json={}, headers=_key("k")), 422, "invalid")
    assert (await client.post("/api/v1/episodes", json=episode(), headers=_key("k"))).status == 202


async def test_a_key_belongs_to_its_token_and_its_operation(place: Place, client: Client) -> None:
    body = {"channel": "hotline", "text": "The lamp is broken again"}
    token = await tokens.create(place.database, place.clock, "other", ["feedback:write"])
    assert (await client.post("/api/v1/feedback", json=body, headers=_key("k"))).status == 202
    assert (await client.post("/api/v1/episodes", json=episode(), headers=_key("k"))).status == 202
    async with place.client(token) as other:
        assert (await other.post("/api/v1/feedback", json=body | {"text": "Else"}, headers=_key("k"))).status == 202
    assert await place.count(tables.inbox) == 2


async def test_keys_are_forgotten_after_a_day_or_two(place: Place, client: Client) -> None:
    """The notes of the installation do not grow without end, and other notes stay."""
    for day in range(5):
        body = {"channel": "hotline", "text": f"Day {day}"}
        assert (await client.post("/api/v1/feedback", json=body, headers=_key(f"k{day}"))).status == 202
        place.clock.advance(timedelta(days=1))
    assert len([row for row in await place.rows(tables.notes) if row["key"].startswith("idempotency:")]) == 2


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256, '"', '""'])
async def test_a_key_that_is_none_is_refused(client: Client, key: str) -> None:
    answer = await client.post("/api/v1/episodes", json=episode(), headers=_key(key))
    await refused(answer, 400, "malformed")


async def test_thirty_requests_at_once_under_one_key_are_one(place: Place, client: Client) -> None:
    body = {"channel": "hotline", "text": "The lamp is broken again"}
    posts = [client.post("/api/v1/feedback", json=body, headers=_key("k")) for _ in range(30)]
    answers = [(answer.status, await answer.text()) for answer in await asyncio.gather(*posts)]
    assert len(set(answers)) == 1
    assert await place.count(tables.inbox) == 1
