"""Parts for tests of the desk: a service whose desk listens, agents at their browsers, customers who write."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientResponse, ClientSession, CookieJar
from sqlalchemy import Connection, Table, insert, select
from web_parts import START, house

from bot.clock import ManualClock
from bot.desk.guard import COOKIE
from bot.desk.routes import routes
from bot.loop.events import chat_lane
from bot.service import Service
from bot.staff import sessions
from bot.staff.sessions import Role
from bot.web import chat
from bot.web.server import application, serve
from channels.base import Tap, Text
from storage import tables
from storage.database import Database

PASSWORD = "correct horse battery"


@dataclass
class Agent:
    """A member of the staff at a browser of their own."""

    session: ClientSession
    id: int
    name: str
    origin: str

    async def get(self, path: str, **headers: str) -> dict[str, Any]:
        """A page of the API. Asserts that it is answered."""
        async with self.session.get(f"/desk/api/{path}", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found

    async def status(self, path: str) -> int:
        async with self.session.get(f"/desk/api/{path}") as answer:
            return answer.status

    async def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        given = {"Origin": self.origin, "Cookie": "earful_lang=en"} | headers
        async with self.session.post(f"/desk/api/{path}", json=body or {}, headers=given) as answer:
            return answer.status, await answer.json()

    async def talk(self, conversation: int) -> dict[str, Any]:
        return await self.get(f"conversations/{conversation}")

    async def do(self, what: str, conversation: int) -> None:
        status, body = await self.post(f"conversations/{conversation}/{what}")
        assert status == 200, body

    async def reply(self, conversation: int, text: str, key: str = "k1") -> int:
        status, body = await self.post(f"conversations/{conversation}/messages", {"text": text, "client_key": key})
        assert status == 200, body
        return int(body["id"])


@dataclass
class Place:
    """A service over a database whose desk listens."""

    service: Service
    clock: ManualClock
    origin: str
    agents: contextlib.AsyncExitStack
    _keys: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def database(self) -> Database:
        return self.service.database

    async def browser(self) -> ClientSession:
        """A browser that nobody has signed in with."""
        session = ClientSession(self.origin, cookie_jar=CookieJar(unsafe=True))
        return await self.agents.enter_async_context(session)

    async def agent(self, name: str = "Ann", role: Role = "agent") -> Agent:
        """Somebody signed in. How one signs in has tests of its own."""
        values = {"login": name.lower(), "name": name, "password": "-", "role": role, "created_at": self.clock.now()}

        def work(connection: Connection) -> tuple[int, str]:
            made = connection.execute(insert(tables.staff).values(values).returning(tables.staff.c.id)).scalar_one()
            return made, sessions.open_session(connection, made, self.clock.now())

        made, token = await self.database.write(work)
        browser = await self.browser()
        browser.cookie_jar.update_cookies({COOKIE: token, "earful_lang": "en"})
        return Agent(browser, made, name, self.origin)

    async def say(self, text: str, thread: str = "v1", *, settle: bool = True, name: str | None = None) -> int:
        """The customer writes. The conversation's id, once it is worked."""
        event = Text(dedupe_key=f"k{next(self._keys)}", thread=thread, text=text, sender_name=name)
        await self.service.intake.accept("web", "default", [event])
        if not settle:
            return 0
        await self.service.settle()
        return await self.conversation(thread)

    async def tap(self, title: str, thread: str = "v1") -> None:
        """The customer presses the newest button of this title."""
        found = await self.rows(tables.messages)
        message, place = next(
            (row["id"], place)
            for row in reversed(found)
            for place, each in enumerate((row["data"] or {}).get("buttons", ()))
            if title in each["title"]
        )
        event = Tap(dedupe_key=f"k{next(self._keys)}", thread=thread, data=f"m{message}.{place}")
        await self.service.intake.accept("web", "default", [event])
        await self.service.settle()

    async def conversation(self, thread: str) -> int:
        lane = chat_lane("web", "default", thread)
        statement = select(tables.conversations.c.id).where(tables.conversations.c.lane == lane)
        return int(await self.database.read(lambda connection: connection.execute(statement).scalar_one()))

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        statement = select(table).order_by(*table.primary_key.columns)

        def work(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(statement).mappings()]

        return await self.database.read(work)


@contextlib.asynccontextmanager
async def opened(database: Database, **settings: Any) -> AsyncIterator[Place]:
    """A place whose clock stands still; what waits is worked by `settle`, at once."""
    clock = ManualClock(START)
    service = house(database, clock, **settings)
    runner, port = await serve(application(service, [routes, chat.routes]), "127.0.0.1", 0)
    async with contextlib.AsyncExitStack() as agents:
        yield Place(service, clock, f"http://127.0.0.1:{port}", agents)
    await runner.cleanup()


async def form(session: ClientSession, path: str, origin: str | None, **fields: str) -> ClientResponse:
    """A form of our own page, sent."""
    headers = {"Cookie": "earful_lang=en"} | ({"Origin": origin} if origin else {})
    return await session.post(path, data=fields, headers=headers, allow_redirects=False)


def texts(talk: dict[str, Any]) -> list[str]:
    """What is shown of a conversation."""
    return [message["text"] for message in talk["messages"]]
