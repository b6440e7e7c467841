"""The socket of the desk: what changed, to those who may know, until their session ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from desk_parts import Agent, Place, opened

from bot.desk import socket
from bot.desk.board import Board, Seat
from bot.desk.version import version
from bot.web.live import Live
from storage.database import Database


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    async with opened(sqlite) as place:
        yield place


async def watching(place: Place, agent: Agent) -> ClientWebSocketResponse:
    opened = await agent.session.ws_connect("/desk/ws", origin=place.origin)
    assert await opened.receive_json(timeout=10) == {"type": "hello", "version": version()}
    return opened


async def changed(opened: ClientWebSocketResponse) -> list[dict[str, Any]]:
    while True:
        told = await opened.receive_json(timeout=10)
        if told["type"] == "changed":
            found: list[dict[str, Any]] = told["conversations"]
            return found


async def until(opened: ClientWebSocketResponse, owner: str) -> dict[str, Any]:
    """The next change to a conversation that `owner` has."""
    while True:
        for each in await changed(opened):
            if each["owner"] == owner:
                return each


async def test_a_desk_is_told_what_changed_and_by_whom_it_is_held(place: Place) -> None:
    """The number of the conversation, never its words."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    desks = [await watching(place, ann), await watching(place, bob)]
    talk = await place.say("a person please, it is a secret")
    for desk in desks:
        told = await until(desk, "queue")
        assert told == {"id": talk, "owner": "queue", "agent": None, "channel": "web"}
    await ann.do("claim", talk)
    for desk in desks:
        assert (await until(desk, "agent"))["agent"] == ann.id
        await desk.close()


async def test_a_session_that_ends_closes_its_socket(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the code that tells the page to ask for a new sign-in."""
    monkeypatch.setattr(socket, "TICK", 0.05)
    ann = await place.agent()
    opened = await watching(place, ann)
    assert (await opened.receive_json(timeout=10))["type"] == "tick"
    place.clock.advance(timedelta(hours=12))
    while (told := await opened.receive(timeout=10)).type is WSMsgType.TEXT:
        pass
    assert told.type is WSMsgType.CLOSE
    assert told.data == socket.SIGNED_OUT


async def test_a_busy_house_still_looks_at_sessions(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of changes does not keep a socket open whose session has ended."""
    monkeypatch.setattr(socket, "TICK", 0.2)
    ann = await place.agent()
    opened = await watching(place, ann)
    place.clock.advance(timedelta(hours=12))

    async def busy() -> None:
        while True:
            place.service.live.changed(["chat:web:default:v1"])
            await asyncio.sleep(0)

    task = asyncio.create_task(busy())
    while (told := await opened.receive(timeout=10)).type is WSMsgType.TEXT:
        pass
    task.cancel()
    assert told.data == socket.SIGNED_OUT


async def test_what_a_page_sends_is_read_and_ignored(place: Place) -> None:
    """A frame that is too large ends the socket, not the service."""
    ann = await place.agent()
    opened = await watching(place, ann)
    await opened.send_str("hello?")
    talk = await place.say("a person please")
    assert (await until(opened, "queue"))["id"] == talk
    await opened.send_str("x" * 10_000)
    while (await opened.receive(timeout=10)).type is WSMsgType.TEXT:
        pass
    assert await ann.status("conversations") == 200


async def test_a_slow_desk_is_told_to_read_everything() -> None:
    """What waits for it is bounded; nobody else is held up."""
    seat = Seat(1)
    seat.put([{"id": n} for n in range(2_000)])
    assert await seat.news(1) == ([], True)
    seat.put([{"id": 1, "owner": "bot"}])
    seat.put([{"id": 1, "owner": "queue"}])
    assert await seat.news(1) == ([{"id": 1, "owner": "queue"}], False)
    assert await seat.news(0) is None


async def test_nobody_watching_costs_nothing(place: Place) -> None:
    """The board reads while a desk is open, and an outage does not end its watch."""
    live = Live()
    failed = asyncio.Event()

    class Broken:
        async def read(self, work: Any) -> Any:
            if not failed.is_set():
                failed.set()
                raise OSError("gone")
            return await place.database.read(work)

        async def write(self, work: Any) -> Any:
            raise OSError("gone")

    board = Board(Broken(), live, place.clock)  # type: ignore[arg-type] # as much of a database as a board uses
    live.changed(["chat:web:default:v1"])
    talk = await place.say("a person please")
    assert not failed.is_set()
    async with board.seat(1) as seat:
        live.changed(["chat:web:default:v1"])
        await failed.wait()
        live.changed(["chat:web:default:v1"])
        news = await seat.news(10)
    assert news is not None
    assert [change["id"] for change in news[0]] == [talk]
    assert live._all == set()
