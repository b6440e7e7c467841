"""Files between customers and agents: both ways, private, bounded, and gone when they should be."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from desk_parts import Agent, Place, opened
from fake_platform import Fault
from fake_telegram import TOKEN, FakeTelegram
from picture_parts import SECRET_PLACE, jpeg, office, png
from sqlalchemy import select

from bot.attachments import store
from bot.loop.events import chat_lane
from bot.web.visitors import Visitor, token_of
from channels.http import Http
from channels.telegram.adapter import TelegramAdapter, TelegramSettings
from storage import tables
from storage.database import Database, open_database
from storage.dump import backup, restore
from storage.schema import upgrade

ME, OTHER = Visitor("a" * 32), Visitor("b" * 32)
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture
async def place(database: Database) -> AsyncIterator[Place]:
    async with opened(database, attachment_limit=1_000_000) as place:
        yield place


@contextlib.asynccontextmanager
async def telegram(database: Database) -> AsyncIterator[tuple[Place, FakeTelegram]]:
    async with FakeTelegram() as fake, contextlib.AsyncExitStack() as stack:
        http = Http()
        stack.push_async_callback(http.close)
        settings = TelegramSettings(token=TOKEN, mode="polling", api_base=fake.url)
        adapter = TelegramAdapter("main", settings, http)
        more = {("telegram", "main"): adapter}
        yield await stack.enter_async_context(opened(database, more=more, attachment_limit=1_000_000)), fake


async def heard(place: Place, update: dict[str, Any]) -> None:
    adapter = place.service.adapters["telegram", "main"]
    await place.service.intake.accept("telegram", "main", adapter.parse(json.dumps(update).encode()))
    await place.service.settle()


async def send_up(
    place: Place, content: bytes, name: str, who: Visitor = ME, **headers: str
) -> tuple[int, dict[str, Any]]:
    """A visitor sends a file up."""
    browser = await place.browser()
    given = {"Authorization": f"Bearer {token_of(place.service, who)}", "Origin": place.origin} | headers
    async with browser.post("/chat/files", params={"name": name, "lang": "en"}, data=content, headers=given) as answer:
        return answer.status, await answer.json()


async def say(
    place: Place, key: str, text: str = "", who: Visitor = ME, id: str = "message-1"
) -> tuple[int, dict[str, Any]]:
    browser = await place.browser()
    headers = {"Authorization": f"Bearer {token_of(place.service, who)}", "Origin": place.origin}
    async with browser.post(
        "/chat/messages?lang=en", json={"id": id, "text": text, "file": key}, headers=headers
    ) as answer:
        found = answer.status, await answer.json()
    await place.service.settle()
    return found


async def seen(place: Place, who: Visitor = ME) -> list[dict[str, Any]]:
    browser = await place.browser()
    headers = {"Authorization": f"Bearer {token_of(place.service, who)}"}
    async with browser.get("/chat/messages", headers=headers) as answer:
        return list((await answer.json())["items"])


async def taken(place: Place, key: str, who: Visitor = ME) -> tuple[int, bytes, dict[str, str]]:
    browser = await place.browser()
    headers = {"Authorization": f"Bearer {token_of(place.service, who)}"}
    async with browser.get(f"/chat/files/{key}", headers=headers) as answer:
        return answer.status, await answer.read(), dict(answer.headers)


async def talk_of(place: Place, lane: str) -> int:
    statement = select(tables.conversations.c.id).where(tables.conversations.c.lane == lane)
    return int(await place.database.read(lambda connection: connection.execute(statement).scalar_one()))


async def attach(agent: Agent, talk: int, content: bytes, name: str) -> tuple[int, dict[str, Any]]:
    path, headers = f"/desk/api/conversations/{talk}/files", {"Origin": agent.origin}
    async with agent.session.post(path, params={"name": name}, data=content, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_a_customers_picture_reaches_the_agent_alone(place: Place) -> None:
    """Kept without where it was taken, shown inline under headers with which no browser runs anything of it; no other
    visitor, no stranger and no signed-out page is handed it."""
    ann, content = await place.agent("Ann"), jpeg(tail=b"<script>alert(1)</script>" + b"x" * 700_000)
    status, made = await send_up(place, content, "../me.jpeg.html")
    assert (status, made["file"]["name"], made["file"]["family"]) == (201, "me.jpeg.html.jpg", "image")
    key = made["file"]["key"]
    assert (await say(place, key, "look at this"))[0] == 202
    assert (await say(place, key, "look at this"))[0] == 202  # its acknowledgement was lost
    (said, answered) = await seen(place)
    assert (said["text"], said["files"][0]["key"]) == ("look at this", key)
    assert "You said: look at this" in answered["text"]
    (message, _) = (await ann.talk(await talk_of(place, ME.lane)))["messages"]
    assert message["files"] == [made["file"] | {"state": "said"}]
    async with ann.session.get(f"/desk/api/files/{key}") as answer:
        body = await answer.read()
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert SAFE.items() <= dict(answer.headers).items()
        assert answer.headers["Content-Disposition"].startswith("attachment")
    assert SECRET_PLACE not in body
    assert b"script" not in body
    async with ann.session.get(f"/desk/api/files/{key}?save") as answer:
        assert answer.headers["Content-Type"] == "application/octet-stream"
    assert (await taken(place, key))[:2] == (200, body)
    assert (await taken(place, key, OTHER))[0] == 404
    assert (await say(place, key, who=OTHER))[1]["reason"] == "no_file"
    stranger = await place.browser()
    async with stranger.get(f"/desk/api/files/{key}") as answer:
        assert answer.status == 401
    async with stranger.get(f"/chat/files/{key}") as answer:
        assert answer.status == 401


async def test_an_agents_file_reaches_the_customer(place: Place) -> None:
    """In parts from the database, byte for byte, with the reply that it goes with; not before, and nobody else's."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    talk = await place.say("a person please", ME.id)
    await ann.do("claim", talk)
    content = office(content=bytes(range(256)) * 1_500)
    status, made = await attach(ann, talk, content, "offer 报价.docx")
    assert (status, made["file"]["name"]) == (200, "offer 报价.docx")
    key = made["file"]["key"]
    assert (await taken(place, key))[0] == 404
    other = await place.say("a person please", OTHER.id)
    await bob.do("claim", other)
    for agent, where in ((bob, other), (bob, talk)):
        status, body = await agent.post(
            f"conversations/{where}/messages", {"text": "x", "client_key": "t", "files": [key]}
        )
        assert (status, body["error"] in ("cannot_attach", "taken")) == (409, True)
    assert (await ann.talk(talk))["channel"]["files"] == 1_000_000
    status, body = await ann.post(
        f"conversations/{talk}/messages", {"text": "", "client_key": "k", "files": [key], "hold": 5}
    )
    assert status == 200, body
    await place.service.settle()
    assert not any(item.get("files") for item in await seen(place))  # still held
    place.clock.advance(timedelta(seconds=6))
    await place.service.settle()
    item = (await seen(place))[-1]
    assert (item["text"], item["files"][0]["name"], item["name"]) == ("", "offer 报价.docx", "Ann")
    code, whole, headers = await taken(place, key)
    assert (code, whole, headers["Content-Type"]) == (200, content, "application/octet-stream")
    assert headers["Content-Disposition"].endswith("filename*=UTF-8''offer%20%E6%8A%A5%E4%BB%B7.docx")
    parts = await place.rows(tables.attachment_parts)
    assert [len(row["content"]) for row in parts] == [store.PART, store.PART, len(content) - 2 * store.PART]
    assert (await ann.post(f"conversations/{talk}/messages", {"text": "", "client_key": "l", "files": [key]}))[0] == 409
    assert (await ann.post(f"conversations/{talk}/messages", {"text": "", "client_key": "m", "files": []}))[0] == 422


async def test_too_much_is_refused(place: Place) -> None:
    """100 MB is cut off at the limit, whatever is announced; what is no file says why; a flood is slowed; a day has its
    measure; nothing of it stays."""
    assert (await send_up(place, b"%PDF-" + b"x" * 1_000_000, "big.pdf"))[1]["reason"] == "file_too_large"

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_600):
            yield b"%PDF-" + b"x" * 65_531

    browser = await place.browser()
    headers = {"Authorization": f"Bearer {token_of(place.service, ME)}", "Origin": place.origin}
    with contextlib.suppress(ConnectionError, OSError):  # the line is cut while we still write
        async with browser.post("/chat/files?name=x", data=endless(), headers=headers) as answer:
            assert answer.status == 413
    for content, reason in ((b"<svg onload=alert(1)>", "file_kind"), (png()[:40], "file_broken"), (b"", "file_kind")):
        status, body = await send_up(place, content, "cute.png")
        assert (status, body["reason"]) == (415, reason)
        assert body["said"]
    async with browser.post("/chat/files", data=png(), headers=headers | {"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403
    assert await place.rows(tables.attachments) == []
    for _ in range(8):
        status, body = await send_up(place, png(), "x.png")
    assert (status, body["reason"]) == (429, "slow_down")
    assert (await send_up(place, png(), "x.png", OTHER))[0] == 201
    kept = len(await place.rows(tables.attachments))
    object.__setattr__(place.service.settings, "attachments_a_day", 1)
    assert (await send_up(place, png(), "x.png", OTHER))[1]["reason"] == "file_later"
    place.clock.advance(timedelta(days=2))
    await place.service.fetching.step()
    assert kept > 0
    assert await place.rows(tables.attachments) == []  # nobody sent them in the end
    assert await place.rows(tables.attachment_parts) == []


async def test_telegram_files_come_in_after_the_turn(database: Database) -> None:
    """What was sent stands there at once, and its picture once Telegram hands it out; faults are outlived, what cannot
    be had says why."""
    async with telegram(database) as (place, fake):
        ann = await place.agent("Ann")
        await heard(place, fake.send_file(4711, "photo", "photo1", jpeg()))
        talk = await talk_of(place, chat_lane("telegram", "main", "4711"))
        (file,) = (await ann.talk(talk))["messages"][0]["files"]
        assert (file["state"], file["family"]) == ("wanted", "image")
        assert (await ann.status(f"files/{file['key']}")) == 404
        fake.fail(Fault(act="close"), Fault(status=502, body=b"<html>"))
        for _ in range(3):
            await place.service.fetching.step()
            place.clock.advance(timedelta(minutes=3))
        (file,) = (await ann.talk(talk))["messages"][0]["files"]
        assert (file["state"], file["name"]) == ("said", "file.jpg")
        async with ann.session.get(f"/desk/api/files/{file['key']}") as answer:
            assert SECRET_PLACE not in await answer.read()
        fake.files.clear()
        hostile: tuple[tuple[str, str, bytes, dict[str, Any], str], ...] = (
            ("document", "page", b"<script>alert(1)</script>", {"file_name": "invoice.pdf"}, "kind"),
            ("document", "large", b"%PDF-" + b"x" * 1_000_001, {"file_name": "large.pdf"}, "too_large"),
            ("document", "lies", b"%PDF-" + b"x" * 1_000_001, {"file_name": "lies.pdf", "file_size": 10}, "too_large"),
            ("voice", "away", b"OggS" + b"\0" * 80, {}, "gone"),
        )
        for kind, name, content, about, _ in hostile:
            await heard(place, fake.send_file(4711, kind, name, content, **about))
        del fake.files["away"]
        await place.service.fetching.step()
        shown = [m["files"][0] for m in (await ann.talk(talk))["messages"] if m["author"] == "customer"][1:]
        assert [(each["state"], each["reason"]) for each in shown] == [("lost", each[-1]) for each in hostile]
        assert await place.service.fetching.step() == 0


async def test_telegram_files_go_out(database: Database) -> None:
    """A picture as a photo, or as a document where Telegram has none as long and thin; a lost answer stands as unknown;
    what Telegram refuses as failed, with send again."""
    async with telegram(database) as (place, fake):
        ann = await place.agent("Ann")
        await heard(place, fake.write(4711, "a person please"))
        talk = await talk_of(place, chat_lane("telegram", "main", "4711"))
        await ann.do("claim", talk)
        files = []
        for content, name in ((png(), "a.png"), (jpeg(turned=1), "thin.jpg"), (b"%PDF-1", 'x"y.pdf')):
            status, made = await attach(ann, talk, content, name)
            assert status == 200
            files.append(made["file"]["key"])
        status, body = await ann.post(
            f"conversations/{talk}/messages", {"text": "Here", "client_key": "k", "files": files}
        )
        assert status == 200, body
        for _ in range(6):
            await place.service.settle()
            place.clock.advance(timedelta(seconds=2))
        assert [(kind, name) for kind, name, _ in fake.got] == [
            ("photo", "a.png"),
            ("document", "thin.jpg"),
            ("document", "x_y.pdf"),
        ]
        assert fake.got[0][2] == png()
        assert fake.got[2][2] == b"%PDF-1"
        assert fake.sent[-1].text == "Here"
        message = (await ann.talk(talk))["messages"][-1]
        assert [each["state"] for each in message["sent"]] == ["sent"] * 4
        made = (await attach(ann, talk, b"%PDF-2", "c.pdf"))[1]["file"]["key"]
        fake.fail(Fault(act="close", taken=True))
        await ann.post(f"conversations/{talk}/messages", {"text": "", "client_key": "l", "files": [made]})
        await place.service.settle()
        assert (await ann.talk(talk))["messages"][-1]["sent"][0]["state"] == "unknown"
        assert len(fake.got) == 4


async def test_files_are_backed_up_and_erased(place: Place, tmp_path: Path) -> None:
    """They are in the database: a backup holds them, byte for byte; erasing a conversation takes them."""
    key = (await send_up(place, png(), "x.png"))[1]["file"]["key"]
    await say(place, key)
    await backup(place.database, tmp_path / "backup.gz", place.clock.now())
    other = open_database(f"sqlite:///{tmp_path / 'other.db'}")
    await upgrade(other)
    await restore(other, tmp_path / "backup.gz", resume=False)
    file = (await other.read(lambda connection: store.find(connection, [key])))[key]
    assert await store.content(other, file) == png()
    await other.close()
    assert await place.database.write(lambda connection: store.erase(connection, [ME.lane])) == 1
    assert await place.rows(tables.attachment_parts) == []
    assert (await taken(place, key))[0] == 404
    assert "files" in (await seen(place))[0]  # an empty place: it says that something was sent
