"""Parts for tests of the web faces: a whole service over a database, whose bot says what a script tells it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, DummyCookieJar, WSMsgType
from sqlalchemy import Connection, Table, insert, select

from bot import app
from bot.cases import calendar_reading, deadlines, departments
from bot.clock import Clock, ManualClock
from bot.comments import replies
from bot.content import Content
from bot.engine import ButtonSpec, Command, Response, Turn, UserMessage
from bot.knowledge.index import Index
from bot.loop import notices
from bot.loop.closer_look import Closer
from bot.loop.effects import Effects
from bot.loop.state import LaneState
from bot.service import Service
from bot.settings import ASSISTANT, Settings
from bot.surveys import reading
from bot.takeover.rules import Agent
from bot.web import chat, health, pages
from bot.web.server import application, serve
from bot.web.visitors import Visitor, known, stranger
from channels.http import Http
from channels.web.adapter import WebAdapter, WebSettings
from nlu.understanding import Intent, Language, Sentiment, Understanding
from storage import tables
from storage.changes import Insert
from storage.database import Database

START = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)  # a Thursday, 10:00 in Shanghai
NONE: Any = None  # the bot of these tests has a script, and needs no assistant
SECRET = b"thirty-two bytes of a test secret"
COMPLAINT = {
    "command": "open_case",
    "summary": "The parcel is late",
    "nature": ["logistics"],
    "aspect": [],
    "urgency": "normal",
    "fields": {},
}


class RunningClock:
    """Goes on from START as the real one does, whatever the hour in which the tests run: at night no survey is sent."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def now(self) -> datetime:
        return START + timedelta(seconds=time.monotonic() - self._begun)


class Script:
    """An engine of few words. What it says is in the message itself, so that a test reads by itself."""

    async def turn(self, tracker: dict[str, Any] | None, message: UserMessage) -> Turn:
        said = message.text
        steps: list[Response | Command]
        if "complain" in said:
            steps = [Command(COMPLAINT | {"summary": said}), Response("Sorry. Your case is [[case_number]].")]
        elif "person" in said:
            steps = [Command({"command": "hand_off", "reason": "asked"}), Response("Connecting you.")]
        elif "choose" in said:
            steps = [Response("Which?", (ButtonSpec("Tea", "/tea"), ButtonSpec("Coffee", "/coffee")))]
        elif message.intent in ("tea", "coffee"):
            steps = [Response(f"One {message.intent}.")]
        elif "nothing" in said:
            steps = []
        else:
            steps = [Response(f"You said: {said}")]
        return Turn({}, steps)


class Plain:
    """Understands nothing but the language."""

    async def parse_many(self, texts: Sequence[str], languages: Sequence[Language | None]) -> list[Understanding]:
        return [
            Understanding(
                text=text,
                language=language or ("zh" if any("一" <= sign <= "鿿" for sign in text) else "en"),
                intent=Intent(_intent(text), 0.9),
                sentiment=Sentiment("neutral", 0.0),
            )
            for text, language in zip(texts, languages, strict=True)
        ]


def _intent(text: str) -> str:
    """Enough to tell what is no answer to an open question."""
    return "complain" if "complain" in text else "ask_human" if "person" in text else "inform"


def house(
    database: Database,
    clock: Clock | None = None,
    *,
    closer: Closer | None = None,
    more: app.Adapters | None = None,
    **settings: Any,
) -> Service:
    """Every part a real one, but for what the bot understands and says. `more`: channels beside the web chat."""
    clock = clock or ManualClock(START)
    values: dict[str, Any] = {"data_dir": Path(tempfile.gettempdir()), "company": "Acme", "language": "en"}
    given = Settings(**values | settings)
    files: dict[str, Any] = {
        "surveys": reading.load(ASSISTANT / "surveys.yml"),
        "deadlines": deadlines.load(ASSISTANT / "deadlines.yml"),
        "calendar": calendar_reading.load(ASSISTANT / "calendar.yml"),
        "departments": departments.load(ASSISTANT / "departments.yml"),
        "notices": notices.load(ASSISTANT / "notices.yml"),
        "public_replies": replies.read(ASSISTANT / "public_replies.yml"),
    }
    content = Content(**files, assistant=NONE, training=NONE, taxonomy=NONE, knowledge=(), directory=ASSISTANT)
    adapters = {("web", "default"): WebAdapter("default", WebSettings(), Http()), **(more or {})}
    mind = app.Mind(Plain(), Script(), Index([]), closer, None, lambda text, maximum: None)
    return app.wire(given, clock, database, content, adapters, mind, SECRET)


class Site:
    """A house with its server on a free port, moved by hand: nothing happens until `service.settle()`."""

    def __init__(self, service: Service, url: str, session: ClientSession) -> None:
        self.service = service
        self.url = url
        self.session = session
        self.guests: list[Guest] = []

    @property
    def clock(self) -> ManualClock:
        assert isinstance(self.service.clock, ManualClock)
        return self.service.clock

    async def guest(self, token: str | None = None, after: int = 0, **hello: Any) -> Guest:
        """Somebody who opened the chat and said hello."""
        ws = await self.session.ws_connect(f"{self.url}/chat/ws", headers={"Origin": self.url})
        guest = Guest(self, ws)
        self.guests.append(guest)
        await ws.send_json({"type": "hello", "token": token, "after": after, "language": "en"} | hello)
        guest.welcome = await guest.read("welcome")
        guest.visitor = _visitor(self.service, guest.token)
        return guest

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        statement = select(table).order_by(*table.primary_key.columns)
        return await self.service.database.read(
            lambda connection: [dict(row) for row in connection.execute(statement).mappings()]
        )

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every table: what must be the same before and after a look."""
        return {name: await self.rows(table) for name, table in tables.metadata.tables.items()}

    async def hire(self, name: str = "Lin") -> Agent:
        values = {"login": name, "name": name, "password": "-", "role": "agent", "created_at": self.clock.now()}

        def work(connection: Connection) -> int:
            made = connection.execute(insert(tables.staff).values(values).returning(tables.staff.c.id))
            return int(made.scalar_one())

        return Agent(await self.service.database.write(work), name)

    async def ask(self, lane: str, key: str, **about: Any) -> int:
        """Put a survey to whoever is on `lane`. Its id."""
        definition = self.service.content.surveys.get(key)
        assert definition is not None

        def decide(state: LaneState, effects: Effects) -> Insert:
            return self.service.policy.asking.ask(effects, definition, **about)

        made = await self.service.turns.act(lane, decide)
        await self.service.settle()
        assert made.id is not None
        return made.id

    def path(self, link: str) -> str:
        """A link of ours, at this server."""
        return self.url + link.removeprefix(self.service.links.address)


class Guest:
    """One open chat, as a browser has it."""

    def __init__(self, site: Site, ws: ClientWebSocketResponse) -> None:
        self.site = site
        self.ws = ws
        self.welcome: dict[str, Any] = {}
        self.visitor = stranger()  # until the server has said who they are
        self.seen: list[dict[str, Any]] = []
        self.upto = 0
        self.state: dict[str, Any] = {}
        self.done: list[str] = []

    @property
    def token(self) -> str:
        return str(self.welcome["token"])

    @property
    def lane(self) -> str:
        return self.visitor.lane

    async def read(self, kind: str) -> dict[str, Any]:
        """The next frame of this kind; transcripts that come before it are taken in."""
        async with asyncio.timeout(10):
            while True:
                frame: dict[str, Any] = json.loads(await self.ws.receive_str())
                self._take(frame)
                if frame["type"] == kind:
                    return frame

    async def say(self, text: str, id: str | None = None) -> dict[str, Any]:
        """Write, and settle what comes of it. The acknowledgement, or the refusal."""
        return await self.send({"type": "text", "id": id or new_id(), "text": text})

    async def tap(self, seq: int, index: int, id: str | None = None) -> dict[str, Any]:
        return await self.send({"type": "tap", "id": id or new_id(), "seq": seq, "index": index})

    async def send(self, frame: dict[str, Any]) -> dict[str, Any]:
        await self.ws.send_json(frame)
        async with asyncio.timeout(10):
            while True:
                told: dict[str, Any] = json.loads(await self.ws.receive_str())
                if told["type"] in ("ack", "refused"):
                    break
                self._take(told)
        await self.site.service.settle()
        return told

    async def until(self, seen: Callable[[Guest], bool]) -> None:
        """Take in what comes until `seen` holds."""
        async with asyncio.timeout(10):
            while not seen(self):
                self._take(json.loads(await self.ws.receive_str()))

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "messages":
            self.upto, self.state = frame["upto"], frame["state"]
            self.done += frame["done"]
            self.seen = ([] if frame["fresh"] else self.seen) + frame["items"]

    def asked(self) -> bool:
        """Whether the last thing that was said has buttons."""
        return bool(self.seen and self.seen[-1].get("buttons"))

    def texts(self) -> list[str]:
        return [item["text"] for item in self.seen]

    async def ended(self) -> int | None:
        """Wait for the server to hang up; the code it gave."""
        async with asyncio.timeout(10):
            while True:
                frame = await self.ws.receive()
                if frame.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR):
                    return self.ws.close_code


def _visitor(service: Service, token: str) -> Visitor:
    found = known(service, token)
    assert found is not None
    return found


def new_id() -> str:
    return uuid.uuid4().hex


@contextlib.asynccontextmanager
async def site(database: Database, **settings: Any) -> AsyncIterator[Site]:
    """The server of a house over `database`."""
    service = house(database, **settings)
    faces = [chat.routes, pages.routes, health.routes]
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:
        runner, port = await serve(application(service, faces), "127.0.0.1", 0)
        place = Site(service, f"http://127.0.0.1:{port}", session)
        try:
            yield place
        finally:
            await asyncio.gather(runner.cleanup(), *(guest.ws.close() for guest in place.guests))
