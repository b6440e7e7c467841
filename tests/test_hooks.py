"""Whole journeys over real HTTP: platforms call the hooks, and what is answered arrives at their fakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import fake_meta
import pytest
from aiohttp import ClientResponse, ClientSession
from fake_meta import FakeMeta
from fake_telegram import TOKEN, FakeTelegram
from fake_twilio import ACCOUNT_SID, AUTH_TOKEN, OUR_NUMBER, FakeTwilio, signed_headers
from sqlalchemy import func, select
from web_parts import RunningClock

from bot.app import opened, running, web_application
from bot.service import Service
from bot.settings import load
from bot.web.server import serve
from storage import tables

SECRET = "a-webhook-secret-of-some-length"
HEADER = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
CHAT = 4711


class House:
    """A running service with three platforms, and the means to call it as they do."""

    def __init__(
        self, service: Service, address: str, http: ClientSession, fakes: tuple[FakeTelegram, FakeTwilio, FakeMeta]
    ) -> None:
        self.service = service
        self.address = address
        self.http = http
        self.telegram, self.twilio, self.meta = fakes

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> ClientResponse:
        async with self.http.post(self.address + path, data=body, headers=headers) as answer:
            await answer.read()
            return answer

    async def from_telegram(self, update: dict[str, Any], headers: dict[str, str] = HEADER) -> int:
        answer = await self.post("/hooks/telegram/main", json.dumps(update).encode(), headers)
        return answer.status

    async def from_twilio(self, body: bytes) -> int:
        url = f"{self.service.settings.address}/hooks/twilio/main"
        return (await self.post("/hooks/twilio/main", body, signed_headers(url, body))).status

    async def from_meta(self, body: bytes) -> int:
        headers = {"X-Hub-Signature-256": fake_meta.signature(body), "Content-Type": "application/json"}
        return (await self.post("/hooks/meta/main", body, headers)).status

    async def rows(self, table: Any) -> int:
        statement = select(func.count()).select_from(table)
        return int(await self.service.database.read(lambda connection: connection.execute(statement).scalar_one()))

    async def episode(self, channel: str, address: str) -> None:
        body = {
            "external_id": f"e-{channel}",
            "touchpoint": "store",
            "ended_at": self.service.clock.now().isoformat(),
            "customer": {
                "id": f"c-{channel}",
                "language": "zh",
                "addresses": [{"channel": channel, "account": "main", "address": address}],
            },
        }
        headers = {"Authorization": "Bearer a-first-token-for-tests-0123456789"}
        async with self.http.post(f"{self.address}/api/v1/episodes", json=body, headers=headers) as answer:
            assert answer.status == 202, await answer.text()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
async def house(tmp_path: Path, models: Path) -> AsyncIterator[House]:
    async with FakeTelegram() as telegram, FakeTwilio() as twilio, FakeMeta() as meta, ClientSession() as http:
        settings = load(
            environment={},
            data_dir=tmp_path,
            body_limit=50_000,
            api_token="a-first-token-for-tests-0123456789",
            public_url="https://earful.example",
            channels={
                "telegram": {
                    "main": {"token": TOKEN, "secret_token": SECRET, "api_base": telegram.url, "rate_per_chat": 1000}
                },
                "twilio": {
                    "main": {
                        "account_sid": ACCOUNT_SID,
                        "auth_token": AUTH_TOKEN,
                        "from_number": OUR_NUMBER,
                        "api_base": twilio.url,
                    }
                },
                "meta": {
                    "main": {
                        "app_secret": fake_meta.APP_SECRET,
                        "verify_token": fake_meta.VERIFY_TOKEN,
                        "page_access_token": fake_meta.PAGE_TOKEN,
                        "page_id": fake_meta.PAGE_ID,
                        "api_base": meta.url,
                    }
                },
            },
        )
        async with opened(settings, clock=RunningClock(), models=models) as service:
            runner, port = await serve(web_application(service), "127.0.0.1", 0)
            async with running(service):
                yield House(service, f"http://127.0.0.1:{port}", http, (telegram, twilio, meta))
                await runner.cleanup()


async def test_a_telegram_talk_from_greeting_to_a_rating_with_one_tap(house: House) -> None:
    """The tap is answered with a toast, and the message is edited to show what was recorded."""
    assert await house.from_telegram(house.telegram.write(CHAT, "你好")) == 200
    await house.telegram.arrived(1)
    await house.episode("telegram", str(CHAT))
    await house.telegram.arrived(2)
    question = house.telegram.sent[-1]
    assert len([button for row in question.keyboard for button in row]) == 5
    assert await house.from_telegram(house.telegram.tap(question, 4)) == 200
    await house.telegram.arrived(5)  # the toast, the edit, the next question
    assert [text for _, text in house.telegram.toasts] == ["已记录：😍 非常满意"]
    edited = house.telegram.messages[CHAT, question.number]
    assert "✓ 已记录" in edited.text
    assert edited.keyboard == []
    assert await house.rows(tables.ratings) == 1


async def test_an_sms_survey_is_answered_with_a_digit_and_stop_is_obeyed(house: House) -> None:
    """Digits are taps; STOP is Twilio's own, and nothing more is sent."""
    person = "+8613800138000"
    await house.episode("twilio", person)
    await house.twilio.arrived(1)
    assert "5" in house.twilio.sent[0].body
    assert await house.from_twilio(house.twilio.write(person, "5")) == 200
    await house.twilio.arrived(2)
    assert await house.rows(tables.ratings) == 1
    assert await house.from_twilio(house.twilio.write(person, "STOP")) == 200
    await _until(house, _stopped)
    assert len(house.twilio.sent) == 2


async def _stopped(house: House) -> bool:
    statement = select(tables.addresses.c.stopped_at)
    return bool(await house.service.database.read(lambda connection: connection.execute(statement).scalar()))


async def test_a_negative_comment_has_one_public_and_one_private_answer(house: House) -> None:
    """A redelivery changes nothing; our own comment starts no loop."""
    comment = "900000000000001_2002"
    house.meta.commented(comment)
    item = fake_meta.feed(
        comment_id=comment, message="Terrible, it broke on the first day and nobody answers", verb="add"
    )
    body = fake_meta.envelope(item, kind="changes")
    assert await house.from_meta(body) == 200
    await house.meta.arrived(2)
    assert await house.from_meta(body) == 200
    assert await house.from_telegram(house.telegram.write(CHAT, "hello")) == 200
    await house.telegram.arrived(1)  # by now the redelivery would have shown
    assert len(house.meta.comments[comment].replies) == 1
    assert list(house.meta.private) == [comment]
    assert "https://earful.example/r/" in house.meta.private[comment].text
    public = house.meta.comments[comment].replies[0]
    assert not any(sign.isdigit() for sign in public)


async def test_metas_handshake_answers_the_challenge_to_who_knows_the_token(house: House) -> None:
    """And nobody else."""
    query = {"hub.mode": "subscribe", "hub.challenge": "12345", "hub.verify_token": fake_meta.VERIFY_TOKEN}
    async with house.http.get(f"{house.address}/hooks/meta/main", params=query) as answer:
        assert (answer.status, await answer.text()) == (200, "12345")
    async with house.http.get(f"{house.address}/hooks/meta/main", params=query | {"hub.verify_token": "x"}) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("given", [{}, {"X-Telegram-Bot-Api-Secret-Token": SECRET[:-1] + "x"}])
async def test_a_wrong_signature_is_401_and_leaves_no_trace_but_a_counter(house: House, given: dict[str, str]) -> None:
    """Nothing is stored, nothing is answered."""
    assert await house.from_telegram(house.telegram.write(CHAT, "你好"), given) == 401
    assert await house.rows(tables.inbox) == 0
    assert house.service.counts["hook_forged.telegram"] == 1


async def test_malformed_and_oversized_bodies_are_refused_clearly(house: House) -> None:
    """400 for what is no JSON, 413 for what is too large; neither leaves a row."""
    assert (await house.post("/hooks/telegram/main", b'{"update_id": 1, ', HEADER)).status == 400
    assert (await house.post("/hooks/telegram/main", b" " * 50_001, HEADER)).status == 413
    assert (await house.post("/hooks/telegram/other", b"{}", HEADER)).status == 404
    assert (await house.post("/hooks/nothing/main", b"{}", HEADER)).status == 404
    assert await house.rows(tables.inbox) == 0


async def test_an_unknown_payload_is_kept_and_acknowledged(house: House) -> None:
    """Raw, for whoever teaches us to read it."""
    assert await house.from_telegram({"update_id": 77, "something_new": {"a": 1}}) == 200
    assert await house.rows(tables.inbox) == 1


@pytest.mark.parametrize(
    "text",
    ["好" * 4096, "a\x00b", "\u202eolleh", "👨‍👩‍👧👍🏽😡", "/complain{}", "[[case_number]]", "{name} %s ${x}", "   "],
)
async def test_whatever_is_written_has_an_answer_and_one_effect(house: House, text: str) -> None:
    """Never a traceback, never a lost or doubled effect, delivered three times."""
    update = house.telegram.write(CHAT, text)
    for _ in range(3):
        assert await house.from_telegram(update) == 200
    await house.telegram.arrived(1)
    assert await house.rows(tables.inbox) == 1
    statement = select(func.count()).where(tables.messages.c.author == "customer")
    said = await house.service.database.read(lambda connection: connection.execute(statement).scalar_one())
    assert said == 1


async def test_a_hundred_taps_at_once_count_once(house: House) -> None:
    """One rating; the other taps change it or change nothing."""
    assert await house.from_telegram(house.telegram.write(CHAT, "你好")) == 200
    await house.telegram.arrived(1)
    await house.episode("telegram", str(CHAT))
    await house.telegram.arrived(2)
    question = house.telegram.sent[-1]
    taps = [house.telegram.tap(question, position % 5) for position in range(100)]
    assert set(await asyncio.gather(*(house.from_telegram(tap) for tap in taps))) == {200}
    await house.telegram.arrived(2 + 100)
    await _until(house, _worked)
    assert await house.rows(tables.ratings) == 1


async def _worked(house: House) -> bool:
    statement = select(func.count()).where(tables.inbox.c.state == "new")
    return not await house.service.database.read(lambda connection: connection.execute(statement).scalar_one())


async def _until(house: House, true: Callable[[House], Awaitable[bool]]) -> None:
    """Until something that another task does has become so."""
    with house.service.live.watch() as watch:
        async with asyncio.timeout(20):
            while not await true(house):
                await watch.changed()


async def test_without_a_public_address_telegram_is_polled(tmp_path: Path, models: Path) -> None:
    """Updates that waited are fetched, answered, and confirmed only after they are kept."""
    async with FakeTelegram() as telegram:
        account = {"token": TOKEN, "mode": "polling", "api_base": telegram.url, "rate_per_chat": 1000}
        settings = load(environment={}, data_dir=tmp_path, channels={"telegram": {"main": account}})
        telegram.write(CHAT, "你好")
        telegram.write(CHAT, "谢谢")
        async with opened(settings, clock=RunningClock(), models=models) as service, running(service):
            with service.live.watch() as watch:
                async with asyncio.timeout(20):
                    while len(telegram.sent) < 2:
                        await watch.changed()
        statement = select(func.count()).select_from(tables.inbox)
        async with opened(settings, clock=RunningClock(), models=models) as service:
            kept = await service.database.read(lambda connection: connection.execute(statement).scalar_one())
        assert kept == 2
