"""The manners of every call: who may, what is refused and how it is said, what is done once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from api_parts import TOKEN, Place, address, episode
from pydantic import SecretStr

from bot.api import tokens
from bot.api.routes import OPERATIONS
from storage import tables
from storage.database import Database

Client = TestClient[Any, Any]


@pytest.fixture
def place(sqlite: Database) -> Place:
    """Over SQLite: what is refused never reaches the store."""
    return Place(sqlite)


@pytest.fixture
async def client(place: Place) -> AsyncIterator[Client]:
    async with place.client() as client:
        yield client


async def problem(answer: Any, status: int, slug: str) -> dict[str, Any]:
    """The problem that an answer is; it has every member that RFC 9457 names."""
    assert answer.status == status, await answer.text()
    assert answer.content_type == "application/problem+json"
    found: dict[str, Any] = await answer.json()
    assert found["type"] == f"urn:earful:problem:{slug}"
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    return found


# ---- who may ----


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN} {TOKEN}",
        "Bearer earful_" + "A" * 43,
        "Bearer é",
    ],
)
async def test_without_a_valid_token_nothing_is_told(place: Place, header: str) -> None:
    """401 with a challenge, for every operation, whatever else is wrong with the request."""
    async with place.client(token=None) as client:
        for operation in OPERATIONS:
            path = "/api/v1" + re.sub(r"\{.*?\}+", "1009", operation.path)
            headers = {"Authorization": header} if header else {}
            answer = await client.request(operation.method, path, headers=headers, data=b"{")
            await problem(answer, 401, "unauthorized")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_token_may_do_what_its_scopes_say_and_no_more(place: Place) -> None:
    """403 names the scope that is missing."""
    token = await tokens.create(place.database, place.clock, "till", ["episodes:write"])
    async with place.client(token) as client:
        assert (await client.post("/api/v1/episodes", json=episode())).status == 202
        for path, scope in (
            ("surveys", "surveys:read"),
            ("ratings", "ratings:read"),
            ("cases", "cases:read"),
            ("conversations", "conversations:read"),
        ):
            answer = await client.get(f"/api/v1/{path}")
            assert scope in (await problem(answer, 403, "forbidden"))["detail"]
        answer = await client.post("/api/v1/conversations/1/claim", json={"agent": "x"})
        await problem(answer, 403, "forbidden")
        await problem(await client.post("/api/v1/feedback", json={}), 403, "forbidden")


async def test_an_empty_token_in_the_settings_lets_nobody_in(place: Place) -> None:
    for given in ("", " "):
        assert await tokens.caller(place.database, SecretStr(""), given.strip()) is None
    assert await tokens.caller(place.database, None, "x") is None


# ---- what is refused, and how it is said ----


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        (b"", 400, "malformed"),
        (b"{", 400, "malformed"),
        (b"\xff\xfe", 400, "malformed"),
        (b'{"external_id": "\\ud800"}', 400, "malformed"),
        (b"[" * 100_000, 400, "malformed"),
        (b"null", 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b"{}", 422, "invalid"),
    ],
)
async def test_a_body_that_is_no_episode_is_a_problem(client: Client, body: bytes, status: int, slug: str) -> None:
    answer = await client.post("/api/v1/episodes", data=body, headers={"Content-Type": "application/json"})
    await problem(answer, status, slug)


def _customer(**changes: Any) -> dict[str, Any]:
    return {"customer": {"id": "c1", "addresses": []} | changes}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"external_id": ""}, "#/external_id"),
        ({"external_id": "a\u0000b"}, "#/external_id"),
        ({"external_id": "x" * 201}, "#/external_id"),
        ({"external_id": 7}, "#/external_id"),
        ({"touchpoint": None}, "#/touchpoint"),
        ({"ended_at": "yesterday"}, "#/ended_at"),
        ({"ended_at": "2026-03-05T10:00:00"}, "#/ended_at"),
        ({"ended_at": 1772676000}, "#/ended_at"),
        ({"ended_at": "0001-01-01T00:00:00+14:00"}, "#/ended_at"),
        ({"ended_at": "9999-12-31T23:59:59-14:00"}, "#/ended_at"),
        ({"ended_at": "2027-03-05T10:00:00Z"}, "#/ended_at"),
        ({"colour": "red"}, "#/colour"),
        ({"a/b~c": 1}, "#/a~1b~0c"),
        ({"customer": None}, "#/customer"),
        (_customer(revenue="12"), "#/customer/revenue"),
        (_customer(revenue=True), "#/customer/revenue"),
        (_customer(language="Chinese"), "#/customer/language"),
        (_customer(addresses=[address("pigeon", "1")]), "#/customer/addresses/0/channel"),
        (_customer(addresses=[address("sms", "1"), address("chat", "1", "b")]), "#/customer/addresses/1/account"),
        (_customer(addresses=[address("meta", "comment:9")]), "#/customer/addresses/0/address"),
        (_customer(addresses=[address("meta", "author:9")]), "#/customer/addresses/0/address"),
        (_customer(addresses=[address("sms", "1")] * 21), "#/customer/addresses"),
    ],
)
async def test_a_wrong_value_is_named_by_its_pointer(
    place: Place, client: Client, changes: dict[str, Any], pointer: str
) -> None:
    """422, and nothing is kept."""
    found = await problem(await client.post("/api/v1/episodes", json=episode() | changes), 422, "invalid")
    assert [error["pointer"] for error in found["errors"]] == [pointer]
    assert found["errors"][0]["detail"]
    assert await place.count(tables.contacts) == await place.count(tables.episodes) == 0


async def test_an_unknown_channel_or_account_is_told_with_those_there_are(client: Client) -> None:
    """So that whoever wired the caller knows what to write."""
    answer = await client.post("/api/v1/episodes", json=episode(addresses=[address("pigeon", "1")]))
    found = await problem(answer, 422, "invalid")
    assert found["detail"] == "There is no channel 'pigeon'; there is chat, meta, sms, web."
    answer = await client.post("/api/v1/episodes", json=episode(addresses=[address("chat", "1", "b")]))
    assert (await problem(answer, 422, "invalid"))["detail"] == "There is no account 'b' on chat; there is a."


async def test_what_was_said_is_not_quoted_back(client: Client) -> None:
    """A problem names the place, not the customer's data."""
    answer = await client.post("/api/v1/episodes", json=episode(customer={"name": ["Secret Name"]}))
    assert "Secret" not in await answer.text()
    assert answer.status == 422


async def test_a_body_over_the_limit_is_refused_unread(place: Place, client: Client) -> None:
    """413, whether its length is told or not."""
    big = b" " * (place.service.settings.body_limit + 1)
    headers = {"Content-Type": "application/json"}
    await problem(await client.post("/api/v1/episodes", data=big, headers=headers), 413, "too-large")

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(big), 100_000):
            yield big[start : start + 100_000]

    await problem(await client.post("/api/v1/episodes", data=pieces(), headers=headers), 413, "too-large")


async def test_only_json_is_taken(client: Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    await problem(await client.post("/api/v1/episodes", data=b"a=b", headers=headers), 415, "unsupported-media-type")
    headers = {"Content-Type": "application/merge-patch+json"}
    await problem(await client.post("/api/v1/episodes", data=b"{}", headers=headers), 422, "invalid")


@pytest.mark.parametrize(
    "path", ["", "/", "/episode", "/cases/abcd", "/conversations/1e3", "/surveys/-1", "/conversations/" + "9" * 19]
)
async def test_what_is_not_there_is_a_problem_too(client: Client, path: str) -> None:
    await problem(await client.get("/api/v1" + path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/episodes", "POST"),
        ("PUT", "/episodes", "POST"),
        ("OPTIONS", "/episodes", "POST"),
        ("POST", "/surveys", "GET"),
        ("DELETE", "/conversations/1", "GET"),
        ("PATCH", "/conversations/1/messages", "GET, POST"),
        ("POST", "/openapi.json", "GET"),
    ],
)
async def test_another_method_is_told_those_there_are(client: Client, method: str, path: str, allowed: str) -> None:
    answer = await client.request(method, "/api/v1" + path)
    await problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=ten", "limit=5&limit=6", "colour=red", "state=lost", "cursor=abc", "customer=%00"],
)
async def test_a_wrong_parameter_is_named(client: Client, query: str) -> None:
    found = await problem(await client.get(f"/api/v1/surveys?{query}"), 400, "bad-parameter")
    assert query.split("=", 1)[0] in found["detail"]


async def test_a_fault_of_ours_is_a_problem_without_a_traceback(
    place: Place, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an incident number for the log, and nothing of what went wrong."""

    async def broken(work: Any) -> Any:
        raise RuntimeError("select secret from customers")

    monkeypatch.setattr(place.database, "read", broken)
    found = await problem(await client.get("/api/v1/surveys"), 500, "fault")
    assert "secret" not in str(found)
    assert found["incident"] in found["detail"]


async def test_a_database_that_is_away_is_503_and_worth_another_try(
    place: Place, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(work: Any) -> Any:
        raise OSError("connection refused")

    monkeypatch.setattr(place.database, "write", away)
    answer = await client.post("/api/v1/episodes", json=episode())
    await problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    monkeypatch.undo()
    assert (await client.post("/api/v1/episodes", json=episode())).status == 202
