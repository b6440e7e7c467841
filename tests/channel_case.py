"""What the channel contract is made of: what an adapter's tests provide, and what makes an event sound."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

import pytest
from fake_platform import FakePlatform, Fault
from hypothesis import strategies as st

from channels.base import (
    Adapter,
    AnyEvent,
    Capabilities,
    ChannelError,
    Consent,
    Malformed,
    Media,
    Outgoing,
    Request,
    Tap,
    Text,
)
from channels.http import Http

PUBLIC_URL = "https://earful.example/hooks"
FIXTURES = Path(__file__).parent / "fixtures"
NOWHERE = "http://127.0.0.1:9"  # the discard port: for adapters that only parse
PATIENCE = 1.0  # seconds an adapter waits for a platform that hangs

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\ud800\x00"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


class ChannelCase(ABC):
    """What the contract needs to know of a channel, and what its tests share."""

    channel: ClassVar[str]
    signature_header: ClassVar[str]
    """Lower case."""
    signs_body: ClassVar[bool] = True
    """False where the platform sends a fixed secret instead of a signature over the body."""
    secrets: ClassVar[tuple[str, ...]]
    """Every credential that `make` puts in: none may appear in a log or an error."""
    address: ClassVar[str]
    """Somebody who can be written to."""
    empty_secrets: ClassVar[Sequence[Mapping[str, str]]]
    """Changes to `credentials()` that must be refused, one for each secret."""

    # ---- what the adapter's tests provide ----

    @abstractmethod
    def adapter_type(self) -> type[Adapter[Any]]: ...

    @abstractmethod
    def credentials(self, api_base: str) -> dict[str, Any]:
        """Valid settings as they stand in the file."""

    @abstractmethod
    def sign(self, body: bytes) -> Request:
        """The request with which the platform would deliver this body."""

    @abstractmethod
    def unknown(self) -> bytes:
        """A well-formed payload of a kind that the platform may add one day."""

    @abstractmethod
    def text_payload(self, text: str) -> bytes:
        """What arrives when a person writes `text`."""

    @abstractmethod
    def fake(self) -> FakePlatform: ...

    @abstractmethod
    def failures(self) -> Sequence[tuple[str, Fault, type[ChannelError]]]:
        """Name, what the platform answers to a send, and the error it must become."""

    # ---- common ground ----

    def make(self, http: Http, api_base: str = NOWHERE) -> Adapter[Any]:
        kind = self.adapter_type()
        adapter = kind("main", kind.Settings.model_validate(self.credentials(api_base)), http)
        adapter.timeout = PATIENCE
        return adapter

    def parser(self) -> Adapter[Any]:
        return self.make(Http())

    def payloads(self) -> dict[str, bytes]:
        """The recorded payloads, by file name."""
        found = {path.stem: path.read_bytes() for path in sorted((FIXTURES / self.channel).iterdir())}
        assert found, f"no recorded payloads in {FIXTURES / self.channel}"
        return found

    def capabilities(self) -> Capabilities:
        return self.adapter_type().capabilities

    def outgoing(self, text: str = "您好 hello", **changes: Any) -> Outgoing:
        return replace(Outgoing(address=self.address, text=text, key="row-1"), **changes)

    @pytest.fixture
    async def platform(self) -> AsyncIterator[FakePlatform]:
        async with self.fake() as platform:
            yield platform

    @pytest.fixture
    async def adapter(self, platform: FakePlatform) -> AsyncIterator[Adapter[Any]]:
        http = Http()
        adapter = self.make(http, platform.url)
        yield adapter
        await adapter.close()
        await http.close()

    def events_or_malformed(self, body: bytes) -> list[AnyEvent]:
        """Parse; every event must be sound. Malformed counts as no events, any other exception escapes."""
        try:
            events = self.parser().parse(body)
        except Malformed as error:
            refusal = str(error)
        else:
            for event in events:
                assert_sound(event)
            return events
        assert not any(secret in refusal for secret in self.secrets)
        return []

    def assert_discreet(self, words: str) -> None:
        """No secret and no word of the message in there."""
        assert not any(secret in words for secret in self.secrets)
        # A traceback quotes this file's own source lines, where the words do stand.
        quoted = [line for line in words.splitlines() if "self.outgoing(" not in line]
        assert not any("private words" in line for line in quoted)


def assert_sound(event: AnyEvent) -> None:
    """Every field is of its declared type; keys and threads can be stored and compared; times are UTC."""
    hints = typing.get_type_hints(type(event))
    for item in dataclasses.fields(event):
        value = getattr(event, item.name)
        assert fits(value, hints[item.name]), f"{type(event).__name__}.{item.name} is {value!r}"
    for key in (event.dedupe_key, event.thread):
        assert 1 <= len(key) <= 255
        assert key.isprintable()
        key.encode()
    if event.sent_at is not None:
        assert event.sent_at.utcoffset() == timedelta(0)
    if isinstance(event, Text | Media | Consent | Tap):
        assert event.thread.strip() == event.thread


def fits(value: object, hint: Any) -> bool:
    if typing.get_origin(hint) is typing.Literal:
        return value in typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        return any(fits(value, each) for each in typing.get_args(hint))
    return isinstance(value, hint) and (hint is datetime or type(value) is hint)


def mutated(body: bytes, draw: Callable[..., Any]) -> bytes:
    """The payload, JSON or form, with one value somewhere replaced or taken away."""
    try:
        tree = json.loads(body)
    except ValueError:
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
        at = draw(st.integers(0, len(pairs) - 1))
        new = draw(st.none() | st.text(max_size=30, alphabet=st.characters(exclude_categories=["Cs"])))
        pairs[at : at + 1] = [] if new is None else [(pairs[at][0], new)]
        return urlencode(pairs).encode()
    place, key = draw(st.sampled_from(list(places(tree))))
    if draw(st.booleans()) and isinstance(place, dict):
        del place[key]
    else:
        place[key] = draw(JSON_VALUES)
    return json.dumps(tree).encode()


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON tree."""
    inside = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []
    return [found for key, value in inside for found in [(tree, key), *places(value)]]
