"""Webhooks end to end: what happens is signed, posted, tried for a day, given up visibly and replayed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from api_parts import Place, address, episode
from receiver_parts import Receiver, receiver
from sqlalchemy import select, update
from standardwebhooks import Webhook, WebhookVerificationError

from bot.api.episode_import import take
from bot.api.episode_rows import rows_of
from bot.cases import numbers
from bot.outgoing import events
from bot.outgoing.courier import TO_ONE, Courier
from bot.outgoing.hooks import Hooks
from bot.outgoing.targets import permits
from channels.http import Http
from storage import tables
from storage.database import Database

NEAR = ("127.0.0.0/8",)
COMPLAINT = "My parcel 12345678 has not arrived for two weeks, this is unacceptable, I want to complain!"


@pytest.fixture
async def place(database: Database) -> AsyncIterator[Place]:
    made = Place(database, webhook_networks=NEAR)
    yield made
    await made.service.courier.close()


async def listen(place: Place, to: Receiver, *kinds: str, name: str = "crm") -> tuple[int, str]:
    return await place.service.webhooks.create(name, to.url, kinds or ("*",), "api:test")


async def call(client: TestClient[Any, Any], path: str, body: Any = None) -> Any:
    """POST with a body, GET without; the answer's JSON."""
    answer = await (client.get(path) if body is None else client.post(path, json=body))
    assert answer.status < 300, await answer.text()
    return await answer.json()


def verified(secret: str, each: Any) -> Any:
    """What an independent implementation of Standard Webhooks makes of it; its clock is the wall's, so not the time."""
    checker = Webhook(secret)
    checker._Webhook__verify_timestamp = lambda header: datetime.fromtimestamp(float(header)).astimezone()  # type: ignore[attr-defined]
    return checker.verify(each.body, each.headers)


async def test_what_happens_to_a_case_reaches_whoever_listens_signed(place: Place) -> None:
    """From the complaint to the customer's rating, in the dotted names, and never with a word that was written."""
    async with receiver() as all_of_it, receiver() as ratings, place.client() as client:
        secret = (await listen(place, all_of_it))[1]
        await listen(place, ratings, "rating.received", "case.closed", name="figures")
        await place.say(COMPLAINT, "t1")
        case = (await place.rows(tables.cases))[0]
        number = numbers.number(case["id"])
        await place.hire("anna")
        for act, body in (
            ("assignments", {"agent": "anna", "owner": "anna"}),
            ("plans", {"agent": "anna", "plan": "We look for it"}),
            ("resolutions", {"agent": "anna", "result": "It was found"}),
        ):
            await call(client, f"/api/v1/cases/{number}/{act}", body)
            await place.service.settle()
        buttons = (await place.rows(tables.messages))[-1]["data"]["buttons"]
        await place.tap("t1", buttons[-1]["title"] if "5" in buttons[-1]["title"] else buttons[0]["title"])
        kinds = all_of_it.kinds()
        expected = ["case.created", "case.acknowledged", "case.assigned", "case.planned", "case.resolved"]
        kept = [row["kind"] for row in await place.rows(tables.posts) if row["webhook_id"] == 1]
        assert sorted(kept) == sorted(kinds), "posts go out side by side"
        assert [kind for kind in kept if kind in expected] == expected
        assert {"survey.sent", "rating.received", "case.following_up"} <= set(kinds)
        assert set(ratings.kinds()) <= {"rating.received", "case.closed"}
        assert "rating.received" in ratings.kinds()
        assert set(kinds) <= set(events.KINDS)
        for each in all_of_it.got:
            told = verified(secret, each)
            assert told["type"]
            assert told["timestamp"]
            assert b"parcel" not in each.body
            assert b"look for it" not in each.body
            assert b"12345678" not in each.body
        with pytest.raises(WebhookVerificationError):
            verified("whsec_" + "A" * 43 + "=", all_of_it.got[0])
        planned = next(each.told["data"] for each in all_of_it.got if each.told["type"] == "case.planned")
        assert planned["by"].startswith("staff:")
        assert (planned["from_state"], planned["to_state"]) == ("assigned", "planned")
        assert planned["case"]["number"] == number
        assert planned["case"]["conversation"] == case["conversation_id"]
        same = {each.key for each in all_of_it.got} & {each.key for each in ratings.got}
        assert len(same) == len(ratings.got), "an event has one webhook-id, whoever hears of it"


async def test_what_is_said_without_a_name_is_told_without_one(place: Place) -> None:
    """Of an anonymous survey nothing leads to whoever answered."""
    async with receiver() as to:
        await listen(place, to)
        async with place.client() as client:
            await call(client, "/api/v1/episodes", episode(addresses=[address("sms", "+8613800138000")]))
        await place.service.settle()
        anonymous = update(tables.surveys).values(anonymous=True)
        await place.database.write(lambda connection: connection.execute(anonymous).rowcount)
        to.got.clear()
        await place.say("5", "+8613800138000", "sms")
        told = next(each for each in to.got if each.told["type"] == "rating.received")
        assert set(told.told["data"]["survey"]) == {"id", "definition", "state", "reason", "anonymous", "touchpoint"}
        assert b"c1" not in told.body
        assert b"8613800138000" not in told.body


async def test_who_is_not_asked_is_told_whoever_decides_it(place: Place, tmp_path: Path) -> None:
    """When a service is reported, when many are imported, when a planned survey is due; each once, with its reason."""
    async with receiver() as to, place.client() as client:
        await listen(place, to, "survey.suppressed")
        for _ in range(2):
            await call(client, "/api/v1/episodes", episode("e1", addresses=[]))
        table = (
            "external_id,touchpoint,ended_at,customer_id,survey\n"
            "e1,store,2026-03-05 09:30,c1,\n"
            "e2,store,2026-03-05 09:30,c2,nonesuch\n"
        )
        path = tmp_path / "services.csv"
        path.write_text(table, encoding="utf-8")
        await take(place.service, rows_of(path), lambda done: None)
        later = (place.clock.now() + timedelta(hours=1)).isoformat()
        await call(client, "/api/v1/episodes", episode("e3", ended_at=later))
        await place.say("STOP", "+8613800138000", "sms")
        place.clock.advance(timedelta(hours=2))
        await place.service.settle()
        found = [(each.told["data"]["survey"]["episode"], each.told["data"]["survey"]["reason"]) for each in to.got]
        assert sorted(found) == [("e1", "no_address"), ("e2", "no_definition"), ("e3", "opted_out")]


async def test_hand_overs_are_told_and_ordinary_words_are_not(place: Place) -> None:
    """Who has a conversation is an event; what is said in it is none."""
    async with receiver() as to, place.client() as client:
        await listen(place, to, "conversation.queued", "conversation.handed_over", "conversation.returned")
        await place.say("hello", "t2")
        assert to.got == []
        await place.say("I want to talk to a person", "t2")
        await place.hire("ben")
        talk = to.got[0].told["data"]["conversation"]["id"]
        await call(client, f"/api/v1/conversations/{talk}/claim", {"agent": "ben"})
        await call(client, f"/api/v1/conversations/{talk}/release", {"agent": "ben"})
        await place.service.settle()
        assert to.kinds() == ["conversation.queued", "conversation.handed_over", "conversation.returned"]
        assert to.got[1].told["data"]["conversation"]["agent"] == "ben"


async def test_nobody_listens_and_nothing_is_kept(place: Place) -> None:
    """What is told to nobody costs no row; what is turned off neither."""
    async with receiver() as to:
        await place.say(COMPLAINT, "t1")
        id, _ = await listen(place, to)
        await place.service.webhooks.change(id, "api:test", on=False)
        await place.say("I want to talk to a person", "t1")
        assert await place.count(tables.posts) == 0
        assert to.got == []


async def test_a_receiver_that_fails_is_tried_for_a_day_and_then_shown(place: Place) -> None:
    """Eleven attempts under one id, ever farther apart, within 24 hours; then a dead letter, an alert to the
    administrators, and another day when it is replayed."""
    async with receiver() as to, place.client() as client:
        id, secret = await listen(place, to)
        to.status = 500
        key = await place.service.webhooks.test(id)
        began, at = place.clock.now(), []
        while (due := await place.service.courier.next_due()) is not None:
            place.clock.move_to(max(due, place.clock.now()))
            await place.service.courier.settle()
            at.append(place.clock.now() - began)
        assert len(at) == len(to.got) == 11
        gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
        assert gaps == sorted(gaps)
        assert gaps[0] < timedelta(seconds=6)
        assert timedelta(hours=20) < at[-1] <= timedelta(hours=24)
        assert {each.key for each in to.got} == {key}
        assert len({each.body for each in to.got}) == 1
        stamps = [int(each.headers["webhook-timestamp"]) for each in to.got]
        assert stamps == sorted(set(stamps)), "each attempt is signed with its own time"
        assert [verified(secret, each)["type"] for each in to.got] == ["webhook.test"] * 11
        dead = (await call(client, f"/api/v1/webhooks/{id}/posts?state=dead"))["items"]
        assert [(each["key"], each["status"], each["attempts"]) for each in dead] == [(key, 500, 11)]
        assert (await call(client, "/api/v1/webhooks"))["items"][0]["dead"] == 1
        assert [row["audience"] for row in await place.rows(tables.alerts)] == ["admin"]
        to.status, to.got = 200, []
        assert (await call(client, f"/api/v1/webhooks/{id}/replay", {}))["count"] == 1
        await place.service.courier.settle()
        assert [each.key for each in to.got] == [key]
        assert (await call(client, f"/api/v1/webhooks/{id}/posts"))["items"][0]["state"] == "sent"


async def test_gone_turns_it_off_and_a_redirect_is_not_followed(place: Place) -> None:
    """410 ends it at once, with what waits kept as dead letters; a redirect is an answer like any other failure."""
    async with receiver() as to, receiver() as elsewhere:
        id, _ = await listen(place, to)
        to.status, to.answer = 302, {"Location": elsewhere.url}
        await place.service.webhooks.test(id)
        await place.service.courier.settle()
        assert elsewhere.got == []
        assert (await place.rows(tables.posts))[0]["status"] == 302
        to.status = 410
        await place.service.webhooks.test(id)
        await place.service.courier.settle()
        found = await place.service.webhooks.one(id)
        assert (found.state, found.waiting, found.dead) == ("gone", 0, 2)
        await place.say(COMPLAINT, "t1")
        assert await place.count(tables.posts) == 2, "nothing more is kept for it"


async def test_a_pause_that_is_asked_for_is_kept(place: Place) -> None:
    """429 and 503 may say how long."""
    async with receiver() as to:
        id, _ = await listen(place, to)
        to.status, to.answer = 429, {"Retry-After": "7200"}
        await place.service.webhooks.test(id)
        await place.service.courier.settle()
        assert await place.service.courier.next_due() == place.clock.now() + timedelta(hours=2)


async def test_one_that_hangs_holds_up_no_other(place: Place) -> None:
    """Four are under way to it, the rest wait; another's arrive meanwhile."""
    async with receiver() as slow, receiver() as quick:
        slow.hangs = asyncio.Event()
        ours, theirs = await listen(place, slow, name="slow"), await listen(place, quick, name="quick")
        for _ in range(10):
            await place.service.webhooks.test(ours[0])
        await place.service.webhooks.test(theirs[0])
        courier = place.service.courier
        assert await courier.step() == TO_ONE + 1
        await quick.until(1)
        await slow.until(TO_ONE)
        assert await courier.step() == 0
        slow.hangs.set()
        await courier.settle()
        assert len(slow.got) == 10


async def test_killed_while_it_sends_it_is_sent_again_under_the_same_id(place: Place) -> None:
    """The receiver took it, and we died before we noted it: another process repeats it, once the lease is over."""
    async with receiver() as to:
        id, _ = await listen(place, to)
        key = await place.service.webhooks.test(id)
        to.hangs = asyncio.Event()
        await place.service.courier.step()
        await to.until(1)
        for task in [each for each in asyncio.all_tasks() if each.get_name().startswith("post-")]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        to.hangs.set()
        other = Courier(
            place.database,
            place.clock,
            Hooks(Http(permits=permits(place.service.settings.networks)), place.clock, place.service.secret),
            place.service.mail,
        )
        assert await other.settle() == 0, "somebody has it"
        place.clock.advance(timedelta(seconds=61))
        assert await other.settle() == 1
        assert [each.key for each in to.got] == [key, key]
        assert [row["state"] for row in await place.rows(tables.posts)] == ["sent"]


async def test_of_two_couriers_each_post_is_taken_by_one(place: Place) -> None:
    """Whoever else looks at the same moment takes others."""
    async with receiver() as to:
        id, _ = await listen(place, to)
        for _ in range(8):
            await place.service.webhooks.test(id)
        other = Courier(
            place.database,
            place.clock,
            Hooks(Http(permits=permits(place.service.settings.networks)), place.clock, place.service.secret),
            place.service.mail,
        )
        await asyncio.gather(place.service.courier.settle(), other.settle())
        assert len(to.got) == len({each.key for each in to.got}) == 8


async def test_a_turn_that_is_rolled_back_tells_nothing(place: Place) -> None:
    """An event stands and falls with what it tells of."""
    async with receiver() as to:
        await listen(place, to)
        await place.say(COMPLAINT, "t1")
        before = await place.count(tables.posts)

        def work(connection: Any) -> None:
            events.note(connection, [events.Event("case.updated", place.clock.now(), "case", 1)])
            raise RuntimeError("the disk is full")

        with pytest.raises(RuntimeError):
            await place.database.write(work)
        assert await place.count(tables.posts) == before


async def test_the_secret_is_shown_once_and_kept_nowhere(place: Place) -> None:
    """Neither the answers, nor the audit, nor a repeated request give it away; a new one stands beside the old for a
    day."""
    async with receiver() as to, place.client() as client:
        body = {"name": "crm", "url": to.url, "events": ["case.created"]}
        answer = await client.post("/api/v1/webhooks", json=body, headers={"Idempotency-Key": "k1"})
        made = await answer.json()
        secret, id = made["secret"], made["id"]
        again = await client.post("/api/v1/webhooks", json=body, headers={"Idempotency-Key": "k1"})
        assert (answer.status, again.status) == (201, 409)
        raw = secret.removeprefix("whsec_")

        def everything(connection: Any) -> str:
            return "\n".join(
                str(row) for table in tables.metadata.sorted_tables for row in connection.execute(select(table))
            )

        assert raw not in await place.database.read(everything)
        assert raw not in str(await call(client, "/api/v1/webhooks"))
        newer = (await call(client, f"/api/v1/webhooks/{id}/secret", {}))["secret"]
        assert newer != secret
        for expected in ({secret, newer}, {newer}):
            to.got.clear()
            await place.service.webhooks.test(id)
            await place.service.courier.settle()
            fits = set()
            for each in (secret, newer):
                with contextlib.suppress(WebhookVerificationError):
                    verified(each, to.got[0])
                    fits.add(each)
            assert fits == expected
            place.clock.advance(timedelta(hours=25))


async def test_another_server_secret_is_noticed_and_says_what_to_do(place: Place) -> None:
    """A restored database beside a new secret: signed wrongly, every receiver would refuse."""
    async with receiver() as to:
        id, _ = await listen(place, to)
        await place.service.webhooks.test(id)
        wrong = Hooks(
            Http(permits=permits(place.service.settings.networks)), place.clock, b"another secret of 32 bytes......"
        )
        await Courier(place.database, place.clock, wrong, place.service.mail).settle()
        row = (await place.rows(tables.posts))[0]
        assert row["state"] == "dead"
        assert "new secret" in row["reason"]
        assert to.got == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://10.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/hook",
        "https://[::ffff:10.0.0.1]/hook",
        "https://[64:ff9b::a00:1]/hook",
        "https://user:word@example.com/hook",
        "https://example.com/hook#part",
        "ftp://example.com/",
        "https://exa mple.com/",
        "https:///hook",
        "javascript:alert(1)",
    ],
)
async def test_where_nothing_may_be_sent_nothing_is_registered(sqlite: Database, url: str) -> None:
    """Out into the world over https, unless the operator names networks."""
    place = Place(sqlite)
    async with place.client() as client:
        body = {"name": "x", "url": url, "events": ["*"]}
        answer = await client.post("/api/v1/webhooks", json=body)
        assert answer.status == 422
        assert (await answer.json())["errors"][0]["pointer"] == "#/url"


async def test_a_name_that_leads_to_a_private_address_is_not_connected_to(sqlite: Database) -> None:
    """What a name leads to may change after it was registered: what counts is what is connected to."""
    place = Place(sqlite)
    async with receiver() as to:
        id, _ = await place.service.webhooks.create("x", "https://localhost/hook", ["*"], "api:test")
        inner = update(tables.webhooks).values(url=to.url.replace("127.0.0.1", "localhost"))
        await place.database.write(lambda connection: connection.execute(inner).rowcount)
        await place.service.webhooks.test(id)
        await place.service.courier.settle()
        row = (await place.rows(tables.posts))[0]
        assert to.got == []
        assert row["state"] == "waiting"
        assert "not one that may be called" in row["reason"]


@pytest.mark.parametrize("wrong", [{"events": []}, {"events": ["case.creatd"]}, {"name": "a\nb"}, {"url": ""}])
async def test_what_is_wrong_with_a_webhook_is_said(sqlite: Database, wrong: dict[str, Any]) -> None:
    """Before anything is registered."""
    place = Place(sqlite, webhook_networks=NEAR)
    async with place.client() as client:
        body = {"name": "x", "url": "https://example.com/", "events": ["*"]} | wrong
        answer = await client.post("/api/v1/webhooks", json=body)
        assert answer.status == 422
        assert (await answer.json())["errors"][0]["pointer"].startswith(f"#/{next(iter(wrong))}")
        assert (await call(client, "/api/v1/webhooks"))["items"] == []
