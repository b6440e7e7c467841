"""Strangers and enemies of the web chat: forged tokens, foreign pages, floods, browsers that stall."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError
from web_parts import Guest, Site, new_id, site

from bot import tokens
from bot.links import CHAT
from bot.loop.effects import Effects
from bot.loop.state import LaneState
from bot.web import chat_socket
from bot.web.hearing import largest
from bot.web.limits import LIMITS
from bot.web.server import CLOSING, application
from bot.web.transcript import PAGE
from storage import tables
from storage.database import Database

# ---- who they are ----


async def test_a_forged_or_expired_token_opens_a_new_conversation_and_no_old_one(place: Site) -> None:
    """Whatever is wrong with it, the holder is a stranger; a token of another purpose opens nothing either."""
    guest = await place.guest()
    await guest.say("my secret")
    secret, now = place.service.secret, place.clock.now()
    bad: list[Any] = [
        guest.token[:-1] + ("A" if guest.token[-1] != "A" else "B"),
        guest.token + "=",
        tokens.sign(b"another server's secret", CHAT, guest.visitor.id),
        tokens.sign(secret, "case", guest.visitor.id),
        tokens.sign(secret, CHAT, "form:" + guest.visitor.id),
        tokens.sign(secret, CHAT, guest.visitor.id, now - timedelta(seconds=1)),
        guest.visitor.id,
        "x" * 10_000,
        "é",
        7,
        ["a"],
        {},
    ]
    for token in bad:
        other = await place.guest(token)
        assert other.welcome["new"] is True
        assert other.visitor != guest.visitor
        view = await other.read("messages")
        assert view["items"] == []
        await other.ws.close()


async def test_a_token_is_renewed_by_a_visit_and_runs_out_without_one(place: Site) -> None:
    """A visit within two weeks keeps the conversation; a longer silence ends it."""
    guest = await place.guest()
    await guest.say("hello")
    place.clock.advance(timedelta(days=13))
    second = await place.guest(guest.token)
    assert second.visitor == guest.visitor
    place.clock.advance(timedelta(days=13))
    assert (await place.guest(second.token)).visitor == guest.visitor
    place.clock.advance(timedelta(days=2))
    assert (await place.guest(second.token)).welcome["new"] is True


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "", None])
async def test_a_page_of_another_origin_gets_no_socket(place: Site, origin: str | None) -> None:
    """Browsers tell whose page asks; who tells nothing is no browser, and has the HTTP way."""
    headers = {} if origin is None else {"Origin": origin}
    with pytest.raises(WSServerHandshakeError) as refused:
        await place.session.ws_connect(f"{place.url}/chat/ws", headers=headers)
    assert refused.value.status == 403
    assert place.service.counts["chat_forged.web"] == 1


async def test_the_public_address_is_our_origin_even_if_a_proxy_changes_the_host(place: Site) -> None:
    """EARFUL_PUBLIC_URL names it."""
    headers = {"Origin": place.service.settings.address}
    async with place.session.ws_connect(f"{place.url}/chat/ws", headers=headers) as ws:
        assert not ws.closed


# ---- hostile sockets ----


@pytest.mark.parametrize("first", ["hi", "[]", '{"type":"text"}', '{"type":["hello"]}', "[" * 5_000, "{", "\x00"])
async def test_a_socket_that_does_not_say_hello_is_closed(place: Site, first: str) -> None:
    """The first frame decides."""
    ws = await place.session.ws_connect(f"{place.url}/chat/ws", headers={"Origin": place.url})
    await ws.send_str(first)
    assert await Guest(place, ws).ended() == 1008


async def test_a_silent_socket_is_closed_after_a_while(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open sockets that never say who they are do not pile up."""
    monkeypatch.setattr(chat_socket, "HELLO_WITHIN", 0.02)
    ws = await place.session.ws_connect(f"{place.url}/chat/ws", headers={"Origin": place.url})
    assert await Guest(place, ws).ended() == 1008


async def test_nonsense_is_borne_a_few_times(place: Site) -> None:
    """Binary frames, broken JSON and unknown types count; then the socket is closed."""
    guest = await place.guest()
    for frame in ("{", "[]", '{"type":"dance"}', "[" * 4_000):
        await guest.ws.send_str(frame)
    await guest.ws.send_bytes(b"\xff\x00")
    assert await guest.ended() == 1007


async def test_an_oversized_frame_closes_the_socket_and_keeps_nothing(place: Site) -> None:
    """100,000 characters are over every limit; what fits the frame is refused with words, what does not ends it."""
    guest = await place.guest()
    await guest.ws.send_json({"type": "text", "id": new_id(), "text": "x" * 100_000})
    assert await guest.ended() == 1009
    assert largest(place.service) < 100_000
    assert await place.rows(tables.inbox) == []


async def test_a_hello_full_of_nonsense_is_a_strangers(place: Site) -> None:
    """Every field of it may be anything."""
    afters: list[Any] = [None, -1, "7", 2**70, [], 1.5]
    waitings: list[Any] = [None, "x", [None, {}, "x" * 99], 7]
    for after, waiting in itertools.product(afters, waitings):
        guest = await place.guest(after=after, waiting=waiting, language=["zh"])
        assert (await guest.read("messages"))["items"] == []
        await guest.ws.close()


async def test_a_browser_that_takes_nothing_in_is_cut_off_and_others_go_on(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow reader holds no memory of ours for long."""
    guest = await place.guest()
    await guest.say("hello")

    def long_story(state: LaneState, effects: Effects) -> None:
        for _ in range(PAGE):
            effects.hear("很长的故事" * 10_000, at=effects.now)

    await place.service.turns.act(guest.lane, long_story)
    await guest.ws.close()
    monkeypatch.setattr(chat_socket, "STALLED", 0.05)
    stalled = asyncio.Event()
    monkeypatch.setattr(
        type(place.service), "count", lambda _, name, by=1: stalled.set() if "stalled" in name else None
    )
    writer = await _connected(place)
    hello = json.dumps({"type": "hello", "token": guest.token}).encode()
    writer.write(bytes([0x81, 0x80 | len(hello), 0, 0, 0, 0]) + hello)
    async with asyncio.timeout(10):
        await stalled.wait()
    assert place.service.live._by_lane == {}
    assert (await (await place.guest()).say("hello"))["type"] == "ack"
    writer.transport.abort()


async def _connected(place: Site) -> asyncio.StreamWriter:
    """A socket that takes in next to nothing, after the handshake."""
    here = socket.socket()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    here.setblocking(False)
    port = int(place.url.rpartition(":")[2])
    await asyncio.get_running_loop().sock_connect(here, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=here, limit=1024)
    asked = [
        "GET /chat/ws HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Origin: {place.url}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ]
    writer.write("\r\n".join([*asked, "", ""]).encode())
    assert b"101" in await reader.readline()
    return writer


async def test_a_storm_of_connections_is_told_to_come_later_and_leaves_nothing_behind(place: Site) -> None:
    """After an outage everybody is back at once, and some are no friends."""

    async def come() -> int:
        try:
            ws = await place.session.ws_connect(f"{place.url}/chat/ws", headers={"Origin": place.url})
        except WSServerHandshakeError as refused:
            return refused.status if refused.headers and "Retry-After" in refused.headers else 0
        await ws.close()
        return 101

    statuses = await asyncio.gather(*(come() for _ in range(300)))
    assert statuses.count(101) == int(chat_socket.HELLOS.burst)
    assert statuses.count(429) == 300 - int(chat_socket.HELLOS.burst)
    place.clock.advance(timedelta(seconds=60))
    guest = await place.guest()
    assert (await guest.say("hello"))["type"] == "ack"


async def test_one_visitor_has_so_many_windows_and_no_more(place: Site) -> None:
    """The ninth is told to try later; closing one makes room."""
    guest = await place.guest()
    others = [await place.guest(guest.token) for _ in range(chat_socket.OF_VISITOR - 1)]
    ws = await place.session.ws_connect(f"{place.url}/chat/ws", headers={"Origin": place.url})
    await ws.send_json({"type": "hello", "token": guest.token})
    assert await Guest(place, ws).ended() == chat_socket.TRY_LATER
    await others[0].ws.close()
    assert (await place.guest(guest.token)).visitor == guest.visitor


async def test_a_stopping_server_sends_browsers_away_at_once(sqlite: Database) -> None:
    """They come back to the next one: 1012 says that it restarts."""
    async with site(sqlite) as place:
        guest = await place.guest()
        await guest.read("messages")
        started = asyncio.get_running_loop().time()
        ending = asyncio.create_task(guest.ended())
        place.guests.clear()  # nobody else closes it
    assert await ending == 1012
    assert asyncio.get_running_loop().time() - started < 4


async def test_an_application_knows_its_limits_and_whether_it_is_closing(place: Site) -> None:
    """Every face finds them there."""
    app = application(place.service, [])
    assert not app[CLOSING].is_set()
    assert app[LIMITS].held("socket") == 0
