"""`python -m bench.desk`: 200 open desks and 2,000 waiting conversations on one process.

How long from a customer's message at the web chat until their agent's desk has read it, beside how long until the last
of all desks was told that something changed; and what an open desk costs in memory. Desks do what the page does: one
socket, their own conversation read at each change of it, the list read again after what concerns them at once, and
after what only changes counts at leisure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import Connection, insert

from bench.__main__ import quantile
from bench.process import Server, earful
from bot.desk.guard import COOKIE
from bot.staff import sessions
from storage.database import open_database
from storage.schema import upgrade
from storage.tables import addresses, contacts, conversations, messages, staff

LEISURE = (3.0, 6.0)
CUSTOMERS = 100
"""Who write, each to an agent of their own: more from one address the web chat lets in only by and by."""


@dataclass
class Desk:
    """An agent at the console."""

    session: aiohttp.ClientSession
    origin: str
    id: int
    talk: int = 0
    told: dict[int, float] = field(default_factory=dict)
    read: dict[str, float] = field(default_factory=dict)
    lists: int = 0
    _soon: float = 0.0

    async def get(self, path: str) -> dict[str, Any]:
        async with self.session.get(f"{self.origin}/desk/api/{path}", headers={"X-Background": "1"}) as answer:
            answer.raise_for_status()
            found: dict[str, Any] = await answer.json()
            return found

    async def watch(self, ready: asyncio.Event) -> None:
        async with self.session.ws_connect(f"{self.origin}/desk/ws", headers={"Origin": self.origin}) as socket:
            async for message in socket:
                told = json.loads(message.data)
                if told["type"] == "hello":
                    ready.set()
                if told["type"] != "changed":
                    continue
                for each in told["conversations"]:
                    self.told[each["id"]] = time.perf_counter()
                if any(each["id"] == self.talk for each in told["conversations"]):
                    found = await self.get(f"conversations/{self.talk}")
                    now = time.perf_counter()
                    for said in found["messages"]:
                        self.read.setdefault(said["text"], now)
                    self._soon = now + 0.3
                elif not self._soon:
                    self._soon = time.perf_counter() + random.uniform(*LEISURE)

    async def refresh(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            if self._soon and time.perf_counter() > self._soon:
                self._soon = 0.0
                await self.get("conversations?view=queue")
                self.lists += 1


async def crowd(place: Path, desks: int, waiting: int) -> list[tuple[int, str]]:
    """A database with as many agents, signed in, and as many who wait: (id, session) of the agents."""
    (place / "data").mkdir()
    database = open_database(f"sqlite:///{place / 'data' / 'earful.db'}")
    await upgrade(database)
    now = datetime.now(UTC)

    def work(connection: Connection) -> list[tuple[int, str]]:
        people = [
            {"login": f"a{n}", "name": f"Agent {n}", "password": "-", "role": "admin" if n == 1 else "agent"}
            | {"created_at": now}
            for n in range(1, desks + 1)
        ]
        connection.execute(insert(staff), people)
        rows = range(1, waiting + 1)
        connection.execute(insert(contacts), [{"id": n, "name": f"Customer {n}", "created_at": now} for n in rows])
        where = {"channel": "web", "account": "default"}
        connection.execute(
            insert(addresses),
            [{"id": n, "contact_id": n, "address": f"w{n}", "created_at": now, "heard_at": now} | where for n in rows],
        )
        connection.execute(
            insert(conversations),
            [
                {"id": n, "lane": f"chat:web:default:w{n}", "thread": f"w{n}", "contact_id": n, "address_id": n}
                | {"owner": "queue", "owner_epoch": 1, "reason": "asked", "language": "zh", "created_at": now}
                | {"queued_at": now - timedelta(seconds=waiting - n), "active_at": now}
                | where
                for n in rows
            ],
        )
        for _ in range(3):
            said = [
                {"conversation_id": n, "author": "customer", "text": "有人吗？等了很久了", "created_at": now}
                for n in rows
            ]
            connection.execute(insert(messages), said)
        return [(n, sessions.open_session(connection, n, now)) for n in range(1, desks + 1)]

    found = await database.write(work)
    await database.close()
    return found


async def measured(server: Server, agents: list[tuple[int, str]], seconds: float, per_second: float) -> None:
    origin = f"http://127.0.0.1:{server.port}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as outside:
        bare = server.memory()[0]
        desks = []
        for number, token in agents:
            cookies = {COOKIE: token}
            connector = aiohttp.TCPConnector(limit=0)
            desks.append(Desk(aiohttp.ClientSession(cookies=cookies, connector=connector), origin, number))
        headers = {"Origin": origin}
        chats: list[aiohttp.ClientWebSocketResponse] = []
        work: list[asyncio.Task[None]] = []
        for place, _ in enumerate(desks[:CUSTOMERS]):
            # At once: a chat that does not say who it is in good time is closed.
            chat = await outside.ws_connect(f"{origin}/chat/ws", headers=headers)
            await chat.send_json({"type": "hello", "language": "en"})
            await chat.receive_json()
            await chat.send_json({"type": "text", "id": f"first-{place:08}", "text": f"转人工 talk{place}x"})
            chats.append(chat)
            work.append(asyncio.create_task(listened(chat)))
        await claimed(desks[: len(chats)])
        before = server.memory()[0]
        ready = [asyncio.Event() for _ in desks]
        work += [asyncio.create_task(desk.watch(event)) for desk, event in zip(desks, ready, strict=True)]
        await asyncio.gather(*(event.wait() for event in ready))
        work += [asyncio.create_task(desk.refresh()) for desk in desks]
        await asyncio.gather(*(desk.get("conversations?view=queue") for desk in desks))
        after = server.memory()[0]
        sent = await talked(desks, chats, seconds, per_second)
        await asyncio.sleep(5)
        report(desks, sent, (bare, before, after, server.memory()[0]))
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        for desk in desks:
            await desk.session.close()


async def listened(chat: aiohttp.ClientWebSocketResponse) -> None:
    """As a browser does: whoever does not even answer the server's pings is taken for gone."""
    async for _ in chat:
        pass


async def claimed(desks: list[Desk]) -> None:
    """Each agent takes a customer of their own."""
    fresh: list[int] = []
    while len(fresh) < len(desks):
        found = await desks[0].get(f"search?q=talk{len(fresh)}x")
        if found["conversations"]:
            fresh.append(found["conversations"][0]["id"])
        else:
            await asyncio.sleep(0.05)
    for desk, talk in zip(desks, fresh, strict=True):
        headers = {"Origin": desk.origin}
        claim = f"{desk.origin}/desk/api/conversations/{talk}/claim"
        async with desk.session.post(claim, json={}, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
        desk.talk = talk


async def talked(
    desks: list[Desk], chats: list[aiohttp.ClientWebSocketResponse], seconds: float, per_second: float
) -> dict[str, tuple[int, float]]:
    """Customers write at random; which desk each message is for, and when it was sent."""
    sent: dict[str, tuple[int, float]] = {}
    begun = time.perf_counter()
    while (now := time.perf_counter()) < begun + seconds:
        place, text = random.randrange(len(chats)), f"message {len(sent)}"
        sent[text] = (place, now)
        await chats[place].send_json({"type": "text", "id": f"said-{len(sent):08}", "text": text})
        await asyncio.sleep(random.expovariate(per_second))
    return sent


def report(desks: list[Desk], sent: dict[str, tuple[int, float]], memory: tuple[int, int, int, int]) -> None:
    delays = [desks[place].read[text] - at for text, (place, at) in sent.items() if text in desks[place].read]
    bare, before, after, end = memory
    lists = sum(desk.lists for desk in desks)
    print(f"{len(desks)} desks, {len(sent)} messages, {len(sent) - len(delays)} never read, {lists} lists read")
    p50, p95, p99 = (quantile(delays, share) for share in (0.5, 0.95, 0.99))
    print(f"from the customer's message to their agent's screen: p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms")
    each = (after - before) * 1024 / len(desks)
    print(
        f"memory: {bare} MiB idle, {before} with the chats, {after} with the desks ({each:.0f} KiB each), {end} at last"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.desk")
    parser.add_argument("--desks", type=int, default=200)
    parser.add_argument("--waiting", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--per-second", type=float, default=10.0, help="messages of customers")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        agents = asyncio.run(crowd(place, given.desks, given.waiting))
        with earful(place, 9, None) as server:
            asyncio.run(measured(server, agents, given.seconds, given.per_second))


if __name__ == "__main__":
    main()
