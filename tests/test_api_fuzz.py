"""Whatever is sent, the API answers: with what it promises, or with a problem that says why, and never with a fault."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from api_parts import TOKEN, Place
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.api import openapi
from bot.api.routes import OPERATIONS, routes
from bot.web.server import application, serve
from storage.database import open_database
from storage.schema import upgrade

DOCUMENT = openapi.document(OPERATIONS, "http://localhost")
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


@dataclass
class Served:
    """A server that runs in a thread of its own, so that hypothesis may call it."""

    port: int

    def call(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, str, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}", **headers})
            answer = connection.getresponse()
            return answer.status, answer.headers.get_content_type(), answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    ready: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = []
    started = threading.Event()
    path = tmp_path_factory.mktemp("fuzz")

    async def run(path: Path) -> None:
        database = open_database(f"sqlite:///{path / 'earful.db'}")
        await upgrade(database)
        place = Place(database)
        await place.hire("anna")
        await place.say("hello", "42")
        runner, port = await serve(application(place.service, [routes]), "127.0.0.1", 0)
        stop = asyncio.Event()
        ready.append((asyncio.get_running_loop(), stop, port))
        started.set()
        await stop.wait()
        await runner.cleanup()
        await database.close()

    thread = threading.Thread(target=lambda: asyncio.run(run(path)))
    thread.start()
    assert started.wait(60)
    loop, stop, port = ready[0]
    yield Served(port)
    loop.call_soon_threadsafe(stop.set)
    thread.join()


KNOWN: dict[str, list[Any]] = {
    "account": ["a"],
    "address": ["42", "43", "+8613800138000"],
    "agent": ["anna"],
    "external_id": ["e1", "e2"],
    "id": ["c1", "c2"],
    "revenue": [12.5],
    "channel": ["chat", "sms", "meta"],
    "ended_at": ["2026-03-05T02:00:00Z", "2026-03-07T02:00:00+08:00"],
    "language": ["zh-CN", "en"],
    "limit": ["1", "100"],
    "owner": ["bot", "queue", "agent"],
    "said_at": ["2026-03-05T02:00:00Z"],
    "since": ["2026-03-05T02:00:00Z"],
    "state": ["suppressed", "awaiting"],
    "survey": ["thumbs"],
    "text": ["The lamp is broken"],
}
"""Values that lead on, by the name of the field: with random ones alone nothing but refusals would be seen."""


@st.composite
def mostly(draw: st.DrawFn, known: list[Any], others: st.SearchStrategy[Any]) -> Any:
    return draw(st.sampled_from(known) if draw(st.integers(0, 15)) != 5 else others)


def like(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of ours describes."""
    if "$ref" in schema:
        return like(SCHEMAS[schema["$ref"].rsplit("/", 1)[1]])
    if "anyOf" in schema:
        return st.one_of(*(like(each) for each in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "null":
            return st.none()
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False)
        case "integer":
            return st.integers()
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(like(schema["items"]), max_size=min(schema.get("maxItems", 4), 4))
        case "object":
            fields = {
                name: mostly(KNOWN[name], like(each)) if name in KNOWN else like(each)
                for name, each in schema["properties"].items()
            }
            needed = {name: fields.pop(name) for name in schema.get("required", ())}
            return st.fixed_dictionaries(needed, optional=fields)
        case "string" if schema.get("format") == "date-time":
            return st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat())
        case "string":
            return st.text(
                st.characters(exclude_categories=["C", "Z"]),
                min_size=schema.get("minLength", 0),
                max_size=min(schema.get("maxLength", 30), 30),
            )
    raise AssertionError(f"the test does not know {schema}")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
POSTS = [operation for operation in OPERATIONS if operation.method == "POST"]
GETS = [operation for operation in OPERATIONS if operation.method == "GET"]


@st.composite
def bodies(draw: st.DrawFn, name: str) -> Any:
    """A body as the schema has it, of which now and then one value is anything."""
    body = draw(like(SCHEMAS[name]))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        target = body
        while isinstance(target, dict) and target:
            key = draw(st.sampled_from(sorted(target)))
            if isinstance(target[key], dict) and draw(st.booleans()):
                target = target[key]
                continue
            target[key] = draw(ANYTHING)
            break
    return body


def _described(path: str, method: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]["responses"]
    return found


def _check(operation: Any, answer: tuple[int, str, bytes]) -> None:
    """The status is one that the document names, with its media type, and a refusal says what is wrong."""
    status, media, body = answer
    described = _described(openapi._VARIABLE.sub(r"{\1}", operation.path), operation.method)
    assert str(status) in described, (status, body)
    assert status != 500, body
    assert [media] == list(described[str(status)]["content"])
    if status < 400 and media != "application/json":
        return  # a file, whose own tests read it
    found = json.loads(body)
    if status >= 400:
        assert found["type"].startswith("urn:earful:problem:")
        assert found["status"] == status
        assert found["detail"]
        assert status != 422 or found.get("errors") or found["type"].endswith("reused")
    else:
        operation.answer.model_validate(found)


FUZZ = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@FUZZ
@given(data=st.data())
def test_a_body_of_any_shape_is_taken_or_refused_with_its_reason(served: Served, data: st.DataObject) -> None:
    """For every POST: what the schema describes, and what is close to it."""
    operation = data.draw(st.sampled_from(POSTS))
    body = data.draw(bodies(operation.body.__name__))
    path = openapi._VARIABLE.sub("1005" if "number" in operation.path else "1", "/api/v1" + operation.path)
    _check(operation, served.call("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"}))


@FUZZ
@given(body=st.binary(max_size=200), media=st.sampled_from(["application/json", "text/plain", "multipart/form-data"]))
def test_bytes_of_any_kind_are_refused_with_their_reason(served: Served, body: bytes, media: str) -> None:
    operation = POSTS[0]
    _check(operation, served.call("POST", "/api/v1/episodes", body, {"Content-Type": media}))


@FUZZ
@given(data=st.data())
def test_a_query_of_any_kind_is_answered_or_refused_with_its_reason(served: Served, data: st.DataObject) -> None:
    """For every GET: parameters that there are and that there are not, with anything in them."""
    operation = data.draw(st.sampled_from(GETS))
    query: dict[str, str] = {}
    for name in data.draw(st.lists(st.sampled_from(sorted(operation.query.model_fields) or ["x"]), max_size=3)):
        query[name] = data.draw(mostly(KNOWN.get(name, ["x"]), st.text(max_size=20)))
    if data.draw(st.integers(0, 4)) == 0:
        query[data.draw(st.text(max_size=5))] = data.draw(st.text(max_size=5))
    quoted = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in query.items())
    path = openapi._VARIABLE.sub("1", "/api/v1" + operation.path)
    if "number" in operation.path:
        path = path[:-1] + "1005"
    _check(operation, served.call("GET", f"{path}?{quoted}", None, {}))


@FUZZ
@given(raw=st.text(st.characters(codec="ascii", exclude_characters=" #\r\n", exclude_categories=["Cc"]), max_size=30))
def test_a_raw_query_is_answered_or_refused(served: Served, raw: str) -> None:
    """Broken percent signs and all."""
    status, media, _ = served.call("GET", f"/api/v1/surveys?{raw}", None, {})
    assert (status, media) in ((200, "application/json"), (400, "application/problem+json"))


@FUZZ
@given(rest=st.text(st.characters(codec="ascii", exclude_characters=" #?\r\n", exclude_categories=["Cc"]), max_size=30))
def test_any_other_path_is_a_problem(served: Served, rest: str) -> None:
    status, media, _ = served.call("GET", f"/api/v1/x{rest}", None, {})
    assert (status, media) == (404, "application/problem+json")


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
