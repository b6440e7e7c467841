"""Parts for tests of the web faces: a whole service over a database, whose bot says what a script tells it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.cases import calendar, deadlines, departments
from bot.clock import Clock, ManualClock
from bot.comments import replies
from bot.content import Content
from bot.engine import ButtonSpec, Command, Response, Turn, UserMessage
from bot.knowledge.index import Index
from bot.links import Links
from bot.loop import notices
from bot.loop.asking import Asking
from bot.loop.cases import Desk
from bot.loop.commenting import Commenting
from bot.loop.delivery import Delivery
from bot.loop.episodes import Episodes
from bot.loop.intake import Intake
from bot.loop.lanes import Lanes
from bot.loop.people import People
from bot.loop.policy import Conversations
from bot.loop.talking import Talking
from bot.loop.timers import Timers
from bot.loop.turn import Turns
from bot.service import Service
from bot.settings import ASSISTANT, Settings
from bot.surveys import reading
from bot.web.live import Live
from channels.http import Http
from channels.web.adapter import WebAdapter, WebSettings
from nlu.understanding import Intent, Language, Sentiment, Understanding
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


class Script:
    """An engine of few words. What it says is in the message itself, so that a test reads by itself."""

    async def turn(self, tracker: dict[str, Any] | None, message: UserMessage) -> Turn:
        said = message.text
        steps: list[Response | Command]
        if "complain" in said:
            steps = [Command(dict(COMPLAINT)), Response("Sorry. Your case is [[case_number]].")]
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


def house(database: Database, clock: Clock | None = None, **settings: Any) -> Service:
    """Every part a real one, but for what the bot understands and says."""
    clock = clock or ManualClock(START)
    values: dict[str, Any] = {"data_dir": Path(tempfile.gettempdir()), "company": "Acme", "language": "en"}
    given = Settings(**values | settings)
    files: dict[str, Any] = {
        "surveys": reading.load(ASSISTANT / "surveys.yml"),
        "deadlines": deadlines.load(ASSISTANT / "deadlines.yml"),
        "calendar": calendar.load(ASSISTANT / "calendar.yml"),
        "departments": departments.load(ASSISTANT / "departments.yml"),
        "notices": notices.load(ASSISTANT / "notices.yml"),
        "public_replies": replies.read(ASSISTANT / "public_replies.yml"),
    }
    content = Content(**files, assistant=NONE, training=NONE, taxonomy=NONE, knowledge=())
    links, live, lanes = Links(given.address, SECRET), Live(), Lanes()
    desk = Desk(content.departments, content.deadlines, content.calendar, links)
    asking = Asking(content.surveys, desk, links, content.notices, lambda text, maximum: None)
    talking = Talking(Script(), Index([]), desk, content.surveys, given.company)
    adapters = {("web", "default"): WebAdapter("default", WebSettings(), Http())}
    policy = Conversations(
        clock=clock,
        understands=Plain(),
        talking=talking,
        asking=asking,
        commenting=Commenting(content.public_replies, asking, talking, content.notices),
        notices=content.notices,
        company=given.company,
        language="en" if given.language == "en" else "zh",
        text_limit=given.text_limit,
        capabilities_of=lambda channel: WebAdapter.capabilities,
    )
    delivery = Delivery(database, clock, lambda channel, account: adapters.get((channel, account)), live.changed)
    turns = Turns(database, clock, policy, lanes, delivery.hint, live.changed)
    return Service(
        settings=given,
        clock=clock,
        secret=SECRET,
        database=database,
        content=content,
        adapters=dict(adapters),
        links=links,
        live=live,
        lanes=lanes,
        intake=Intake(database, clock, lanes.wake),
        policy=policy,
        turns=turns,
        timers=Timers(database, clock, lanes.wake),
        delivery=delivery,
        episodes=Episodes(database, clock, turns, asking, lambda channel, account: WebAdapter.capabilities),
        people=People(database, turns, asking, content.notices),
    )
