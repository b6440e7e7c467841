"""Parts for tests of the API: a whole service on channels in memory, its server, and somebody who calls it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer
from loop_parts import START, Memory
from sqlalchemy import Connection, Table, func, insert, select

from bot import app
from bot import content as contents
from bot.api.routes import routes
from bot.clock import ManualClock
from bot.content import Content
from bot.service import Service
from bot.settings import ASSISTANT, Settings, server_secret
from bot.web.server import application
from channels.base import Capabilities, Tap, Text
from storage import tables
from storage.database import Database
from storage.records import Message

TOKEN = "the-first-token-of-the-settings"

CHAT = Capabilities(text_limit=4000, buttons=20, toasts=True, edits=True)
SMS = Capabilities(text_limit=1600, digits=True, starts_conversations=True)
WINDOWED = Capabilities(text_limit=2000, buttons=13, window=timedelta(hours=24))
WEB = Capabilities(text_limit=4000, buttons=20, idempotent=True)


@cache
def content() -> Content:
    return contents.load(ASSISTANT)


@cache
def _data() -> tempfile.TemporaryDirectory[str]:
    """One for all tests of a run: the model is trained once."""
    return tempfile.TemporaryDirectory()


@cache
def mind() -> app.Mind:
    return app.local_mind(content(), Path(_data().name))


class Place:
    """A service over a database, on memory channels: chat (cannot begin), sms (can), meta (24-hour window), web."""

    def __init__(self, database: Database, clock: ManualClock | None = None, **more: Any) -> None:
        """`more`: settings beside the usual ones."""
        self.clock = clock or ManualClock(START)
        self.adapters = {
            (channel, "a"): Memory(capabilities)
            for channel, capabilities in (("chat", CHAT), ("sms", SMS), ("meta", WINDOWED))
        } | {("web", "default"): Memory(WEB)}
        given: dict[str, Any] = {
            "data_dir": Path(_data().name),
            "database_url": database.url,
            "api_token": TOKEN,
            "language": "en",
        }
        settings = Settings(**given | {"language": "en"} | more)
        self.service: Service = app.wire(
            settings, self.clock, database, content(), self.adapters, mind(), server_secret(settings)
        )
        self.database = database

    async def say(self, text: str, thread: str, channel: str = "chat", account: str = "a") -> None:
        """The customer writes."""
        key = f"{thread}:{text}:{self.clock.now().timestamp()}"
        await self.service.intake.accept(channel, account, [Text(dedupe_key=key, thread=thread, text=text)])
        await self.service.settle()

    async def tap(self, thread: str, button: str, channel: str = "chat", account: str = "a") -> None:
        """The customer presses the button of this title on the newest message that has one."""
        found = await self.rows(tables.messages)
        message, place = next(
            (row, place)
            for row in reversed(found)
            for place, each in enumerate((row["data"] or {}).get("buttons", ()))
            if each["title"] == button
        )
        key = f"tap:{thread}:{button}:{self.clock.now().timestamp()}"
        tap = Tap(dedupe_key=key, thread=thread, data=f"m{message['id']}.{place}")
        await self.service.intake.accept(channel, account, [tap])
        await self.service.settle()

    def sent(self, channel: str, account: str = "a") -> list[str]:
        """What the platform was given."""
        return self.adapters[channel, account].texts()

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        statement = select(table).order_by(*table.primary_key.columns)

        def work(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(statement).mappings()]

        return await self.database.read(work)

    async def count(self, table: Table) -> int:
        return await self.database.read(
            lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one()
        )

    async def message(self, id_: int) -> Message | None:
        return await self.database.read(lambda connection: Message.one(connection, tables.messages.c.id == id_))

    async def hire(self, login: str, role: str = "agent") -> int:
        """A member of the staff; nobody signs in here, so the password is none."""
        values = {"login": login, "name": login.title(), "password": "-", "role": role, "created_at": self.clock.now()}

        def work(connection: Connection) -> int:
            made = connection.execute(insert(tables.staff).values(values).returning(tables.staff.c.id))
            return int(made.scalar_one())

        return await self.database.write(work)

    @contextlib.asynccontextmanager
    async def client(self, token: str | None = TOKEN) -> AsyncIterator[TestClient[Any, Any]]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        server = TestServer(application(self.service, [routes]))
        async with TestClient(server, headers=headers) as client:
            yield client


def episode(external_id: str = "e1", **changes: Any) -> dict[str, Any]:
    """An episode as a business system would report it; `addresses`, `customer` and any field may be given."""
    addresses = changes.pop("addresses", [address("sms", "+8613800138000")])
    customer = {"id": "c1", "name": "Ms Lin", "language": "en", "addresses": addresses} | changes.pop("customer", {})
    told = {
        "external_id": external_id,
        "touchpoint": "store",
        "ended_at": START.isoformat(),
        "agent": "anna",
        "customer": customer,
    }
    return told | changes


def address(channel: str, at: str, account: str = "a") -> dict[str, str]:
    return {"channel": channel, "account": account, "address": at}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


Body = Mapping[str, Any]
