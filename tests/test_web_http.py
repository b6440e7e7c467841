"""The chat without a socket, its page, the widget, health and the manners that all pages share."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from web_parts import START, Site, new_id, site

from bot.errors import ContentError
from bot.web import chat
from bot.web.hearing import largest
from bot.web.language import COOKIE, language_of, read, texts
from bot.web.limits import REMEMBERED, Limits, Rate, sender
from bot.web.rendering import HERE, asset
from storage import tables
from storage.database import open_database
from storage.schema import upgrade

ONE = Rate(burst=1, per_second=1)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    store = open_database(f"sqlite:///{tmp_path / 'earful.db'}")
    await upgrade(store)
    async with site(store) as made:
        yield made
    await store.close()


class Caller:
    """Somebody who talks plain HTTP."""

    def __init__(self, place: Site, token: str) -> None:
        self.place = place
        self.token = token

    async def post(self, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        given = {"Authorization": f"Bearer {self.token}"} | headers
        async with self.place.session.post(f"{self.place.url}/chat/messages", json=body, headers=given) as answer:
            told = await answer.json() if answer.content_type == "application/json" else {}
            return answer.status, told

    async def look(self, **query: str | int) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        address = f"{self.place.url}/chat/messages"
        async with self.place.session.get(address, params=query, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            told: dict[str, Any] = await answer.json()
            return told


async def caller(place: Site, token: str | None = None) -> Caller:
    async with place.session.post(f"{place.url}/chat/session", json={"token": token}) as answer:
        assert answer.status == 200
        return Caller(place, (await answer.json())["token"])


# ---- plain HTTP ----


async def test_without_a_socket_the_same_is_said_and_seen(place: Site) -> None:
    """Session, message, transcript, tap: the same rules, the same transcript."""
    guest = await caller(place)
    assert await guest.post({"id": "message-1", "text": "let me choose"}) == (202, {"id": "message-1"})
    assert await guest.post({"id": "message-1", "text": "let me choose"}) == (202, {"id": "message-1"})
    await place.service.settle()
    view = await guest.look(waiting="message-1,message-2")
    assert [item["text"] for item in view["items"]] == ["let me choose", "Which?"]
    assert (view["done"], view["state"]) == (["message-1"], {"owner": "bot"})
    seq = view["items"][-1]["seq"]
    assert (await guest.post({"id": new_id(), "seq": seq, "index": 0}))[0] == 202
    assert (await guest.post({"id": new_id(), "seq": seq, "index": 5}))[0] == 404
    await place.service.settle()
    more = await guest.look(after=view["upto"])
    assert [item["text"] for item in more["items"]] == ["Tea", "One tea."]
    assert more["items"][0]["tapped"] == seq


async def test_a_poll_is_held_until_there_is_something_else_to_tell(place: Site) -> None:
    """It costs no more than a socket, and tells at once."""
    guest = await caller(place)
    await guest.post({"id": new_id(), "text": "hello"})
    await place.service.settle()
    view = await guest.look()
    same = await guest.look(after=view["upto"])
    held = asyncio.create_task(guest.look(after=view["upto"], mark=same["mark"]))
    await guest.post({"id": new_id(), "text": "again"})
    await place.service.settle()
    told = await held
    assert "again" in [item["text"] for item in told["items"]]
    assert told["mark"] != same["mark"]


async def test_a_held_poll_ends_by_itself_and_at_the_end_of_the_server(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would cut it otherwise."""
    monkeypatch.setattr(chat, "HELD", 0.02)
    guest = await caller(place)
    view = await guest.look()
    again = await guest.look(mark=view["mark"])
    assert again == view
    assert place.service.live._by_lane == {}


async def test_older_pages_are_asked_for_by_number(place: Site) -> None:
    """Going back through a long conversation reaches its first word, with nothing left out."""
    guest = await caller(place)
    await guest.post({"id": new_id(), "text": "0"})
    await place.service.settle()
    lane = (await place.rows(tables.conversations))[0]["lane"]
    await place.service.turns.act(
        lane, lambda _, effects: [effects.hear(str(n), at=effects.now) for n in range(1, 200)]
    )
    view = await guest.look()
    found = view["items"]
    while view["more"]:
        view = await guest.look(before=found[0]["seq"])
        found = view["items"] + found
    assert [item["text"] for item in found] == ["0", "You said: 0", *(str(number) for number in range(1, 200))]


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"id": "message-1", "text": "x" * 4001}, 413, "too_long"),
        ({"id": "message-1", "text": " "}, 400, "empty"),
        ({"id": "message-1", "text": ["x"]}, 400, "malformed"),
        ({"text": "x"}, 400, "malformed"),
        ({"id": "message-1", "seq": 1, "index": 0}, 404, "no_such_button"),
        ({"id": "message-1", "seq": "1", "index": 0}, 400, "malformed"),
        ({}, 400, "malformed"),
    ],
)
async def test_a_refusal_says_why_in_words_and_as_a_status(
    place: Site, body: dict[str, Any], status: int, reason: str
) -> None:
    """The reason is stable, the words are the page's language."""
    guest = await caller(place)
    found, told = await guest.post(body, **{"Accept-Language": "zh-CN"})
    assert (found, told["reason"]) == (status, reason)
    assert re.search("[一-鿿]", told["said"])


async def test_too_many_messages_are_told_when_to_come_back(place: Site) -> None:
    """429 with Retry-After, and nothing of it kept."""
    guest = await caller(place)
    for number in range(20):
        assert (await guest.post({"id": f"message-{number}", "text": "x"}))[0] == 202
    status, told = await guest.post({"id": "one-more-message", "text": "x"})
    assert (status, told["reason"], told["seconds"]) == (429, "slow_down", 1)
    assert len(await place.rows(tables.inbox)) == 20


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "[" * 9_000, '"x"', "\xff\xfe"])
async def test_a_body_that_is_no_object_is_a_bad_request(place: Site, body: str) -> None:
    """An empty one says nothing, which is refused as well."""
    guest = await caller(place)
    headers = {"Authorization": f"Bearer {guest.token}"}
    async with place.session.post(f"{place.url}/chat/messages", data=body.encode("latin-1"), headers=headers) as answer:
        assert answer.status == 400


async def test_a_body_over_the_limit_is_413(place: Site) -> None:
    """By its announced length, or by what comes."""
    guest = await caller(place)
    headers = {"Authorization": f"Bearer {guest.token}"}
    large = b" " * (largest(place.service) + 1)
    for body in (large, _pieces(large)):
        async with place.session.post(f"{place.url}/chat/messages", data=body, headers=headers) as answer:
            assert answer.status == 413


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    yield body


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer x", "Basic eDp5", "bearer " + "x" * 3000])
async def test_without_a_session_nothing_is_said_or_seen(place: Site, header: str | None) -> None:
    """401, and no trace."""
    headers = {} if header is None else {"Authorization": header}
    async with place.session.get(f"{place.url}/chat/messages", headers=headers) as answer:
        assert answer.status == 401
    body = {"id": "message-1", "text": "x"}
    async with place.session.post(f"{place.url}/chat/messages", json=body, headers=headers) as answer:
        assert answer.status == 401
    assert await place.rows(tables.inbox) == []


async def test_a_session_is_kept_while_its_token_is_good(place: Site) -> None:
    """The same visitor gets the same conversation and a fresh token; any other a new one."""
    one = await caller(place)
    await one.post({"id": new_id(), "text": "hello"})
    await place.service.settle()
    place.clock.advance(timedelta(days=1))
    again = await caller(place, one.token)
    assert again.token != one.token
    assert len((await again.look())["items"]) == 2
    assert (await (await caller(place, "x" + one.token)).look())["items"] == []


@pytest.mark.parametrize("path", ["/chat/session", "/chat/messages"])
async def test_another_origin_may_not_post(place: Site, path: str) -> None:
    """A page elsewhere can do nothing in a visitor's name."""
    for origin in ("https://evil.example", "null", "file://"):
        async with place.session.post(f"{place.url}{path}", json={}, headers={"Origin": origin}) as answer:
            assert answer.status == 403
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("query", ["after=x", "after=-1", "before=²", "after=" + "9" * 30, "after=%00"])
async def test_a_number_that_is_none_is_a_bad_request(place: Site, query: str) -> None:
    guest = await caller(place)
    headers = {"Authorization": f"Bearer {guest.token}"}
    async with place.session.get(f"{place.url}/chat/messages?{query}", headers=headers) as answer:
        assert answer.status == 400


async def test_new_sessions_from_one_address_are_limited(place: Site) -> None:
    """Somebody who opens thousands is told to wait; a visitor who is known is not."""
    guest = await caller(place)
    statuses = []
    for _ in range(int(chat.SESSIONS.burst) + 5):
        async with place.session.post(f"{place.url}/chat/session", json={}) as answer:
            statuses.append(answer.status)
    assert statuses.count(429) == 6
    assert (await caller(place, guest.token)).token


# ---- the page and the widget ----


async def test_the_chat_may_be_framed_and_no_other_page_may(place: Site) -> None:
    """Without a setting by any website; every page forbids scripts and styles that are not ours."""
    async with place.session.get(f"{place.url}/chat") as answer:
        policy = answer.headers["Content-Security-Policy"]
        body = await answer.text()
    assert "frame-ancestors 'self' *" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*(src=|application/json))|<style| on\w+=| style=", body)
    for path in ("/", "/r/x", "/c/x", "/f/x"):
        async with place.session.get(f"{place.url}{path}") as answer:
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_the_websites_of_the_settings_and_no_others_may_frame_the_chat(tmp_path: Path) -> None:
    """EARFUL_FRAME_ORIGINS."""
    store = open_database(f"sqlite:///{tmp_path / 'earful.db'}")
    await upgrade(store)
    theirs = ("https://shop.example", "https://www.shop.example")
    async with site(store, frame_origins=theirs) as place, place.session.get(f"{place.url}/chat") as answer:
        policy = answer.headers["Content-Security-Policy"]
    await store.close()
    assert "frame-ancestors 'self' https://shop.example https://www.shop.example;" in policy


async def test_a_name_that_is_a_script_is_shown_as_text(tmp_path: Path) -> None:
    """Even the company's own; in the page and in what its script reads."""
    store = open_database(f"sqlite:///{tmp_path / 'earful.db'}")
    await upgrade(store)
    async with site(store, company="</script><script>alert(1)</script>") as place:
        for path in ("/chat", "/", "/r/x"):
            async with place.session.get(f"{place.url}{path}") as answer:
                body = await answer.text()
            assert "<script>alert" not in body
            assert "&lt;script&gt;alert(1)" in body or path == "/r/x"
    await store.close()


@pytest.mark.parametrize(
    ("query", "headers", "language"),
    [
        ("?lang=en", {"Accept-Language": "zh"}, "en"),
        ("?lang=zh", {"Accept-Language": "en"}, "zh-CN"),
        ("?lang=xx", {"Accept-Language": "zh-TW,en;q=0.8"}, "zh-CN"),
        ("", {"Accept-Language": "fr, en;q=0.2, zh;q=0.7"}, "zh-CN"),
        ("", {"Accept-Language": "fr"}, "en"),
        ("", {"Accept-Language": "zh;q=x, en;q=0.1, ;;;=,"}, "en"),
        ("", {"Cookie": f"{COOKIE}=zh", "Accept-Language": "en"}, "zh-CN"),
        ("?lang=en", {"Cookie": f"{COOKIE}=zh"}, "en"),
    ],
)
async def test_the_language_asked_for_wins_then_the_one_chosen_before_then_the_browsers(
    place: Site, query: str, headers: dict[str, str], language: str
) -> None:
    """And a choice is kept."""
    async with place.session.get(f"{place.url}/chat{query}", headers=headers) as answer:
        assert f'<html lang="{language}"' in await answer.text()
        kept = answer.cookies.get(COOKIE)
    assert (kept is not None) == (query in ("?lang=en", "?lang=zh"))


def test_a_known_customer_is_addressed_in_their_language() -> None:
    """Before the browser's, after what they choose."""
    request = make_mocked_request("GET", "/r/x", headers={"Accept-Language": "en"})
    assert language_of(request, "en", "zh") == "zh"
    assert language_of(make_mocked_request("GET", "/r/x?lang=en"), "zh", "zh") == "en"


async def test_the_widget_is_one_script_with_its_texts(place: Site) -> None:
    """It may be loaded from anywhere; nothing in it is left to fill in."""
    async with place.session.get(f"{place.url}/chat/widget.js") as answer:
        script = await answer.text()
        assert answer.content_type == "text/javascript"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "和我们聊聊" in script
    assert "{{" not in script


async def test_files_are_served_with_their_version_and_nothing_beside_them(place: Site) -> None:
    """A version may be kept for ever; what is not in the folder does not exist."""
    async with place.session.get(place.url + asset("chat.js")) as answer:
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]
    for name in ("nothing.js", "..%2Fchat.py", "%2e%2e/texts.yml", "chat.js%00"):
        async with place.session.get(f"{place.url}/web/static/{name}") as answer:
            assert answer.status == 404


def test_our_own_script_and_style_stay_small() -> None:
    """Customers on a phone load all of it."""
    sizes = {path.name: path.stat().st_size for path in (HERE / "static").iterdir() if path.suffix in (".js", ".css")}
    assert sum(sizes.values()) < 50_000, sizes


def test_every_text_of_the_pages_exists_in_both_languages_and_is_used() -> None:
    """`texts.yml` is read as strictly as the operator's files."""
    found = texts()
    sources = "".join(path.read_text("utf-8") for path in HERE.rglob("*") if path.suffix in (".py", ".html", ".js"))
    for page, entries in found.pages.items():
        for key, words in entries.items():
            assert words.zh != words.en or key == "title", f"{page}.{key}"
            assert re.search("[一-鿿]", words.zh) or key in ("title", "other_language"), f"{page}.{key}"
            assert re.search(rf"\b{key}\b", sources), f"{page}.{key} is said nowhere"


def test_a_text_whose_languages_fill_in_different_values_is_refused(tmp_path: Path) -> None:
    """A placeholder that is missing in one language would be missed only there."""
    path = tmp_path / "texts.yml"
    path.write_text('page:\n  one: {zh: "{a}", en: "{a} {b}"}\n  two: {zh: 好}\n', "utf-8")
    with pytest.raises(ContentError) as wrong:
        read(path)
    assert [problem.line for problem in wrong.value.problems] == [2, 3]


# ---- health ----


async def test_health_readiness_and_metrics_say_how_it_is(place: Site) -> None:
    """Ready only while the loop is at work; figures without any text or id."""
    async with place.session.get(f"{place.url}/healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok")
    async with place.session.get(f"{place.url}/readyz") as answer:
        assert (answer.status, await answer.json()) == (503, {"database": "ok", "loop": "failing"})
    working = [asyncio.create_task(asyncio.sleep(60), name=name) for name in ("turns", "delivery", "timers")]
    async with place.session.get(f"{place.url}/readyz") as answer:
        assert (answer.status, await answer.json()) == (200, {"database": "ok", "loop": "ok"})
    for task in working:
        task.cancel()
    guest = await place.guest()
    await guest.say("a person with a secret")
    await guest.ws.send_json({"type": "text", "id": new_id(), "text": "unread"})
    await guest.read("ack")
    place.clock.advance(timedelta(seconds=90))
    async with place.session.get(f"{place.url}/metrics") as answer:
        told = await answer.text()
    assert 'earful_events_total{channel="web",what="chat_accepted"} 2.0' in told
    assert 'earful_inbox_waiting{channel="web"} 1.0' in told
    assert "earful_inbox_oldest_seconds 90.0" in told
    assert 'earful_conversations_with_people{owner="queue"} 1.0' in told
    assert 'earful_sends_total{outcome="sent"} 1.0' in told
    assert "earful_chat_sockets 1.0" in told
    assert "secret" not in told
    assert guest.visitor.id not in told


async def test_a_database_that_is_gone_is_told_and_what_needs_none_still_counts(place: Site) -> None:
    """Supervisors look just then."""
    await place.service.database.close()
    async with place.session.get(f"{place.url}/readyz") as answer:
        assert (answer.status, (await answer.json())["database"]) == (503, "failing")
    async with place.session.get(f"{place.url}/metrics") as answer:
        assert answer.status == 200
        told = await answer.text()
    assert "earful_turns_total" in told
    assert "earful_inbox_waiting" not in told
    async with place.session.get(f"{place.url}/healthz") as answer:
        assert answer.status == 200


# ---- limits ----


def test_a_bucket_gives_a_burst_then_fills_again() -> None:
    """What is refused costs nothing, and of several buckets none is touched if one is empty."""
    limits, now = Limits(), START
    pair = Rate(burst=2, per_second=0.5)
    assert [limits.take({("a",): pair}, now) for _ in range(3)] == [0, 0, 2]
    assert limits.take({("a",): pair, ("b",): ONE}, now) == 2
    assert limits.take({("b",): ONE}, now) == 0
    assert limits.take({("a",): pair}, now + timedelta(seconds=2)) == 0
    assert limits.take({("a",): pair}, now - timedelta(days=1)) > 0  # a clock set back gives nothing


def test_limits_remember_only_so_many() -> None:
    """Somebody with very many addresses does not fill the memory, and those in use are not forgotten first."""
    limits = Limits()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(REMEMBERED * 2):
        limits.take({("from", str(number)): ONE}, start + timedelta(milliseconds=number))
    assert len(limits._left) <= REMEMBERED + 1


def test_places_are_held_and_given_back() -> None:
    """Whatever happens inside."""
    limits = Limits()
    with limits.holding({("socket", "a"): 1}) as first, limits.holding({("socket", "a"): 1}) as second:
        assert (first, second, limits.held("socket")) == (True, False, 1)
    with pytest.raises(ZeroDivisionError), limits.holding({("socket", "a"): 1}):
        _ = 1 / 0
    assert limits.held("socket") == 0


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("9.9.9.9", "1.1.1.1", "9.9.9.9"),  # a stranger may write what they like into a header
        ("127.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.2", "6.6.6.6, 1.1.1.1, 10.0.0.3", "1.1.1.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "nonsense, also <b>", "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::"),
        ("::ffff:8.8.8.8", "", "8.8.8.8"),
        ("", "", "unknown"),
    ],
)
def test_the_sender_is_whoever_our_own_proxy_says_and_nobody_elses_word_counts(
    peer: str, forwarded: str, found: str
) -> None:
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": forwarded})
    assert sender(request.clone(remote=peer)) == found
