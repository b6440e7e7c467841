"""What the house rules, as the desk shows it; and what customers and colleagues see of a member's name."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from desk_parts import Agent, Place, form, opened
from sqlalchemy import update
from web_parts import START

from bot.desk import socket
from bot.staff.service import FIRST_NAME
from channels.base import Capabilities
from storage import tables
from storage.database import Database


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    async with opened(sqlite) as place:
        yield place


async def page(agent: Agent, path: str) -> str:
    async with agent.session.get(path) as answer:
        assert answer.status == 200
        return " ".join(html.unescape(await answer.text()).split())


async def test_the_rules_are_shown_as_they_are(place: Place) -> None:
    """Every deadline with how it counts, warnings and escalation, the week, the holidays to come, and that nothing
    expires by itself; each with the file that rules it."""
    root = await place.agent("Ro", "admin")
    shown = await page(root, "/desk/admin/house")
    for words in ("First answer · Urgent", "2 h · day and night", "within 2 hours", "7 d · day and night", "Follow-up"):
        assert words in shown
    for words in ("deadlines.yml", "calendar.yml", "surveys.yml", "A warning comes at", "rating of 80 and better"):
        assert words in shown
    special = shown.partition("Holidays and moved workdays")[2].partition("</ul>")[0]
    days = re.findall(r"<b>(\d{4}-\d\d-\d\d)", special)
    assert days == sorted(days)
    assert all(day >= "2026-03-05" for day in days)
    assert bool(days) == any(day >= START.date() for day in place.service.content.calendar.special)
    kept = shown.partition('id="retention"')[2]
    for words in ("for ever", "90 days", "EARFUL_KEEP_MESSAGES_DAYS", "stays, however old", "delivered: 7 days"):
        assert words in kept
    assert "EARFUL_ATTACHMENT_LIMIT" in shown


async def test_a_survey_is_previewed_on_each_channel(place: Place) -> None:
    """With buttons, with numbers to type, or with the way to its page; and what follows the lowest and the highest
    answer. Nothing is asked of anybody."""
    root = await place.agent("Ro", "admin")
    shown = (await page(root, "/desk/admin/house")).partition('id="surveys"')[2].partition('id="retention"')[0]
    for key, definition in place.service.content.surveys.definitions.items():
        own = shown.partition(f"<small>{key}</small>")[2].partition("</details>")[0]
        question = definition.question.said("en")
        assert own.count(" ".join(question.split())) == 4, key
        for channel in ("Web chat", "Telegram", "SMS"):
            assert channel in own
        lowest = definition.scale.labels[min(definition.scale.values)].said("en")
        sms = own.partition("SMS")[2]
        assert "/r/…" in sms if definition.anonymous else lowest in sms
        assert own.count("After “") == 2
    assert await place.rows(tables.surveys) == []


async def test_a_reply_that_was_taken_back_is_nobodys_last_word(place: Place) -> None:
    """The list shows what was said before it."""
    ann = await place.agent("Ann")
    talk = await place.say("a person please")
    await ann.do("claim", talk)
    body = {"text": "You are wrong", "client_key": "k", "hold": 5}
    _, made = await ann.post(f"conversations/{talk}/messages", body)
    assert (await ann.get("conversations?view=mine"))["conversations"][0]["last"]["text"] == "You are wrong"
    assert (await ann.post(f"conversations/{talk}/messages/{made['id']}/take-back"))[0] == 200
    assert (await ann.get("conversations?view=mine"))["conversations"][0]["last"]["text"] != "You are wrong"


@pytest.mark.parametrize(("words", "name"), [("a person please", "Support"), ("a person 转人工", "客服")])
async def test_who_has_no_name_yet_is_called_in_the_customers_language(place: Place, words: str, name: str) -> None:
    """The first administrator is 客服 or Support, whichever language the house speaks, until they choose a name."""
    root = await place.agent(FIRST_NAME.zh, "admin")
    talk = await place.say(words, "c" * 32)
    await root.do("claim", talk)
    await root.reply(talk, "Hello")
    await place.service.settle()
    said = [row for row in await place.rows(tables.messages) if row["author"] in ("bot", "agent")]
    assert name in said[-2]["text"]
    assert said[-1]["data"]["name"] == name
    async with await form(root.session, "/desk/name", root.origin, name="Lin") as answer:
        assert answer.status == 303
    await root.reply(talk, "Hello again", "k2")
    assert (await place.rows(tables.messages))[-1]["data"]["name"] == "Lin"


async def test_a_new_name_reaches_an_open_desk(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the next sign of life, also in the words that customers of each language read."""
    monkeypatch.setattr(socket, "TICK", 0.05)
    ann = await place.agent("Ann")
    async with ann.session.ws_connect("/desk/ws", headers={"Origin": place.origin}) as opened_desk:
        assert (await opened_desk.receive_json(timeout=10))["type"] == "hello"
        renamed = update(tables.staff).where(tables.staff.c.id == ann.id).values(name="Lin 林", role="supervisor")
        await place.database.write(lambda connection: connection.execute(renamed).rowcount)
        for _ in range(20):
            told = await opened_desk.receive_json(timeout=10)
            if told["type"] == "tick" and told["me"]["name"] == "Lin 林":
                break
        assert told["me"] == {
            "name": "Lin 林",
            "called": {"zh": "Lin 林", "en": "Lin 林"},
            "role": "supervisor",
            "supervisor": True,
        }


async def test_channels_say_whether_they_take_files(place: Place) -> None:
    """Plainly, beside what else they can."""
    root = await place.agent("Ro", "admin")

    class Plain:
        capabilities = Capabilities(text_limit=160, window=timedelta(hours=24))

    place.service.adapters["twilio", "main"] = Plain()  # type: ignore[assignment] # as much of one as is shown
    shown = await page(root, "/desk/admin/channels")
    sms, web = shown.partition("/hooks/twilio/main")[2], shown.partition("/hooks/twilio/main")[0]
    assert "It takes no files." in sms + web
    assert "Files go both ways." in sms + web
    assert "within 24 h" in sms + web
