"""What the API says of itself is what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from api_parts import Place

from bot.api import openapi
from bot.api.problems import ProblemBody
from bot.api.routes import OPERATIONS, routes
from bot.api.tokens import SCOPES
from storage.database import Database

FILES = {
    "/cases.csv": "text/csv",
    "/cases.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document(OPERATIONS, "https://example.org")


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from _references(each)
    elif isinstance(part, list):
        for each in part:
            yield from _references(each)


async def test_it_is_served_to_everybody(database: Database) -> None:
    """Without a token: it holds no secret, and a tool can load it."""
    async with Place(database).client(token=None) as client:
        answer = await client.get("/api/v1/openapi.json")
        assert (answer.status, answer.content_type) == (200, "application/json")
        found = await answer.json()
    assert found["openapi"].startswith("3.1")
    assert found["servers"] == [{"url": "http://localhost:8080/api/v1"}]


def test_every_route_is_described_and_nothing_else(document: dict[str, Any]) -> None:
    served = {
        (route.method, re.sub(r":[^{}]*(\{[^{}]*\})?[^{}]*\}", "}", route.path))  # type: ignore[attr-defined]
        for route in routes
        if route.method != "*"  # type: ignore[attr-defined]
    }
    described = {(method.upper(), f"/api/v1{path}") for path, method, _ in _operations(document)}
    assert served - described == {("GET", "/api/v1/openapi.json")}
    assert described <= served


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(_references(document))
    assert references
    for reference in references:
        name = reference.removeprefix("#/components/schemas/")
        assert name in document["components"]["schemas"], reference


def test_every_operation_says_what_it_needs_and_how_it_refuses(document: dict[str, Any]) -> None:
    """A summary, a scope that exists, its parameters, and problems as problem details."""
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(names) == len(set(names))
    for path, method, operation in _operations(document):
        assert operation["summary"].endswith(".")
        [[scope]] = [next(iter(each.values())) for each in operation["security"]]
        assert scope in SCOPES
        told = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert told == set(re.findall(r"\{(\w+)\}", path))
        assert ("requestBody" in operation) == (method == "post")
        for status, answer in operation["responses"].items():
            media = FILES.get(path, "application/json") if status.startswith("2") else "application/problem+json"
            assert list(answer["content"]) == [media]
            assert answer["description"]


def test_every_field_of_the_episode_is_described(document: dict[str, Any]) -> None:
    """The contract of DESIGN.md, name by name."""
    schemas = document["components"]["schemas"]
    assert set(schemas["EpisodeIn"]["properties"]) == {
        "external_id",
        "touchpoint",
        "ended_at",
        "agent",
        "product",
        "region",
        "business_line",
        "survey",
        "customer",
    }
    assert set(schemas["EpisodeIn"]["required"]) == {"external_id", "touchpoint", "ended_at", "customer"}
    assert schemas["EpisodeIn"]["properties"]["ended_at"]["format"] == "date-time"
    assert set(schemas["CustomerIn"]["properties"]) == {"id", "name", "language", "segment", "revenue", "addresses"}
    assert set(schemas["CustomerIn"]["required"]) == {"id", "addresses"}
    assert set(schemas["AddressIn"]["required"]) == {"channel", "account", "address"}
    assert schemas["EpisodeIn"]["additionalProperties"] is False
    assert set(schemas[ProblemBody.__name__]["properties"]) == {"type", "title", "status", "detail", "errors"}
