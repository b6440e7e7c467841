"""Who may come in: sessions, origins, roles, and what hostile requests are told."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import WSServerHandshakeError
from desk_parts import PASSWORD, Place, form, opened

from bot.desk.guard import COOKIE
from bot.desk.routes import routes
from bot.staff.service import add_user, disable
from storage import tables
from storage.database import Database

ACTS = (
    *("claim", "hand-back", "requeue", "resolve", "transfer", "messages", "outbox/1/again", "messages/1/take-back"),
    *("messages/1/correction", "messages/1/correction/undo", "whispers", "seen", "cases", "cases/link"),
)
PAGES = (
    *("conversations", "conversations/1", "conversations/1/messages?before=9", "conversations/1/before"),
    *("search?q=a", "team", "canned?language=en", "knowledge?language=en"),
)


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    async with opened(sqlite) as place:
        yield place


async def test_every_route_of_the_api_wants_a_session(place: Place) -> None:
    """Each one, known or not to this test: whoever adds a route adds its guard."""
    await place.say("hello")
    browser = await place.browser()
    found = 0
    for route in routes:
        path = re.sub(r"\{\w+\}", "1", route.path)  # type: ignore[attr-defined] # these are all RouteDefs
        if not path.startswith("/desk/api"):
            continue
        found += 1
        for cookie in ("", f"{COOKIE}=nonsense", f"{COOKIE}={'A' * 43}"):
            headers = {"Origin": place.origin, "Cookie": cookie}
            async with browser.request(route.method, path, json={}, headers=headers) as answer:  # type: ignore[attr-defined]
                assert answer.status == 401, path
                assert (await answer.json())["error"] == "signed_out"
    assert found == len(ACTS) + len(PAGES) + 6  # away, alerts and taking one, a file each way, typing


async def test_an_ended_session_is_told_so_and_may_do_nothing(place: Place) -> None:
    """After twelve hours without use, after signing out, after the account is disabled."""
    talk = await place.say("a person please")
    ann = await place.agent()
    place.clock.advance(timedelta(hours=12))
    assert await ann.status("conversations") == 401
    assert (await ann.post(f"conversations/{talk}/claim"))[0] == 401
    bob = await place.agent("Bob", "admin")
    await place.agent("Eve", "admin")
    await disable(place.database, place.clock, "bob")
    assert await bob.status("conversations") == 401
    assert (await bob.post(f"conversations/{talk}/claim"))[0] == 401
    assert [row["owner"] for row in await place.rows(tables.conversations)] == ["queue"]


async def test_what_the_page_reads_by_itself_keeps_no_session_alive(place: Place) -> None:
    """A desk left open over night is closed in the morning; one that is used is not."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    for _ in range(3):
        place.clock.advance(timedelta(hours=5))
        async with ann.session.get("/desk/api/conversations", headers={"X-Background": "1"}):
            pass
        assert await bob.status("conversations") == 200
    assert await ann.status("conversations") == 401


@pytest.mark.parametrize(
    "origin", ["", "null", "https://evil.example", "http://127.0.0.1:1", "file://", "{origin}.evil"]
)
async def test_another_origin_changes_nothing(place: Place, origin: str) -> None:
    """A page elsewhere may hold the agent's browser, but not the agent's hand."""
    ann = await place.agent()
    talk = await place.say("a person please")
    given = origin.replace("{origin}", place.origin)
    for act in ACTS:
        headers = {"Origin": given} if given else {}
        body = {"text": "x", "client_key": "k"}
        async with ann.session.post(f"/desk/api/conversations/{talk}/{act}", json=body, headers=headers) as answer:
            assert answer.status == 403, act
            assert (await answer.json())["error"] == "origin"
    for path in ("/desk/sign-out", "/desk/password", "/desk/sign-in"):
        answer = await form(ann.session, path, given or None, login="ann", password="x", old="x", new="y", again="y")
        assert answer.status == 403, path
    with pytest.raises(WSServerHandshakeError) as refused:
        await ann.session.ws_connect("/desk/ws", origin=given or None)
    assert refused.value.status == 403
    assert [row["owner"] for row in await place.rows(tables.conversations)] == ["queue"]
    assert await ann.status("conversations") == 200


async def test_reading_writes_nothing(place: Place) -> None:
    """A GET to an act is no act."""
    ann = await place.agent()
    talk = await place.say("a person please")
    for act in ("claim", "hand-back", "requeue", "resolve"):
        assert await ann.status(f"conversations/{talk}/{act}") == 405
    assert [row["owner"] for row in await place.rows(tables.conversations)] == ["queue"]


async def test_a_form_of_another_kind_is_no_request(place: Place) -> None:
    """What a plain form could send from elsewhere is not taken for JSON."""
    ann = await place.agent()
    talk = await place.say("a person please")
    await ann.do("claim", talk)
    for body, kind, status in (
        (b'{"text": "x", "client_key": "k"}', "text/plain", 415),
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"text": 1, "client_key": "k"}', "application/json", 422),
        (b'{"text": "x"}', "application/json", 422),
        (b'{"text": "x", "client_key": ""}', "application/json", 422),
        (b'{"text": " \\n ", "client_key": "k"}', "application/json", 422),
        (b'{"text": "%s", "client_key": "k"}' % (b"x" * 4_001), "application/json", 422),
    ):
        headers = {"Origin": place.origin, "Content-Type": kind}
        path = f"/desk/api/conversations/{talk}/messages"
        async with ann.session.post(path, data=body, headers=headers) as answer:
            assert answer.status == status, body[:40]
            assert (await answer.json())["message"]


async def test_numbers_that_are_none_are_not_found(place: Place) -> None:
    """No traceback for what somebody types into the address."""
    ann = await place.agent()
    for number in ("0", "-1", "x", "9" * 40, "1e3", "%00", "١", "99999"):
        assert await ann.status(f"conversations/{number}") == 404
    for query in ("view=all", "language=fr", "after=x", "after=1", "after=9999999999999999999.1", "after=1.%00"):
        assert await ann.status(f"conversations?{query}") == 422
    assert await ann.status("conversations?channel='; drop table staff --&reason=%00&urgent=1") == 200


async def test_signing_in_with_a_one_time_password_leads_to_a_new_one(place: Place) -> None:
    """Until it is changed nothing else is reached; then the desk is."""
    one_time = await add_user(place.database, place.clock, "ann", "Ann", "agent")
    assert one_time
    browser = await place.browser()
    answer = await form(browser, "/desk/sign-in", place.origin, login="ann", password=one_time)
    assert (answer.status, answer.headers["Location"]) == (303, "/desk/password")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie  # this service has no https address
    async with browser.get("/desk", allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/desk/password"
    async with browser.get("/desk/api/conversations") as answer:
        assert (answer.status, (await answer.json())["error"]) == (403, "must_change")
    with pytest.raises(WSServerHandshakeError):
        await browser.ws_connect("/desk/ws", origin=place.origin)
    for fields, words in (
        ({"old": one_time, "new": PASSWORD, "again": "else"}, "The two new passwords differ"),
        ({"old": one_time, "new": "short", "again": "short"}, "at least 10 characters"),
        ({"old": "wrong", "new": PASSWORD, "again": PASSWORD}, "The current password is wrong"),
    ):
        answer = await form(browser, "/desk/password", place.origin, **fields)
        assert answer.status == 422
        assert words in await answer.text()
    answer = await form(browser, "/desk/password", place.origin, old=one_time, new=PASSWORD, again=PASSWORD)
    assert (answer.status, answer.headers["Location"]) == (303, "/desk")
    async with browser.get("/desk", allow_redirects=False) as page:
        assert page.status == 200


async def test_the_cookie_is_secure_where_the_address_is(sqlite: Database) -> None:
    """With a public https address it never travels in the clear."""
    async with opened(sqlite, public_url="https://desk.example") as place:
        await add_user(place.database, place.clock, "ann", "Ann", "agent", PASSWORD)
        browser = await place.browser()
        answer = await form(browser, "/desk/sign-in", "https://desk.example", login="ann", password=PASSWORD)
        assert answer.status == 303
        assert "Secure" in answer.headers["Set-Cookie"]


async def test_wrong_and_too_many_sign_ins_are_told_alike(place: Place) -> None:
    """The same words for a login that exists and one that does not; then how long to wait."""
    await add_user(place.database, place.clock, "ann", "Ann", "agent", PASSWORD)
    browser = await place.browser()
    told = []
    for login in ("ann", "nobody"):
        answer = await form(browser, "/desk/sign-in", place.origin, login=login, password="wrong")
        assert answer.status == 401
        told.append((await answer.text()).replace(f'value="{login}"', ""))
    assert told[0] == told[1]
    for _ in range(7):
        await form(browser, "/desk/sign-in", place.origin, login="ann", password="wrong")
    answer = await form(browser, "/desk/sign-in", place.origin, login="ann", password=PASSWORD)
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) <= 15 * 60 + 1
    assert "wait 15 min" in await answer.text()


async def test_signing_out_ends_the_session_in_the_store(place: Place) -> None:
    """A copy of the cookie is of no use afterwards."""
    ann = await place.agent()
    kept = ann.session.cookie_jar.filter_cookies(ann.session._base_url or "")[COOKIE].value  # type: ignore[arg-type]
    answer = await form(ann.session, "/desk/sign-out", place.origin)
    assert (answer.status, answer.headers["Location"]) == (303, "/desk/sign-in")
    assert await place.rows(tables.staff_sessions) == []
    browser = await place.browser()
    async with browser.get("/desk/api/conversations", headers={"Cookie": f"{COOKIE}={kept}"}) as page:
        assert page.status == 401


@pytest.mark.parametrize(
    ("wish", "following"),
    [
        ("/insights?month=2026-03", "/insights?month=2026-03"),
        ("/desk", "/desk"),
        ("//evil.example", "/desk"),
        ("https://evil.example", "/desk"),
        ("/desk/../hooks", "/desk"),
        ("/desk\\evil", "/desk"),
        ("/deskevil", "/desk"),
        ("/desk\r\nSet-Cookie: x=y", "/desk"),
    ],
)
async def test_signing_in_leads_to_a_page_of_ours(place: Place, wish: str, following: str) -> None:
    """A link that somebody sends does not send the agent on to somebody else."""
    await add_user(place.database, place.clock, "ann", "Ann", "agent", PASSWORD)
    browser = await place.browser()
    answer = await form(browser, "/desk/sign-in", place.origin, login="ann", password=PASSWORD, next=wish)
    assert (answer.status, answer.headers["Location"]) == (303, following)


async def test_what_people_are_called_is_text_wherever_it_stands(sqlite: Database) -> None:
    """In the pages that the server writes, and in the data that a page begins with."""
    hostile = "</script><img src=x onerror=alert(1)>\"&'"
    async with opened(sqlite, company=hostile) as place:
        ann = await place.agent(hostile)
        for path in ("/desk", "/desk/password"):
            async with ann.session.get(path) as answer:
                page = await answer.text()
                assert answer.status == 200
                assert "<img src=x" not in page
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
                assert answer.headers["Cache-Control"] == "no-store"
        browser = await place.browser()
        answer = await form(browser, "/desk/sign-in", place.origin, login=hostile, password="x")
        assert "<img src=x" not in await answer.text()


async def test_the_language_is_the_agents(place: Place) -> None:
    """Asked for, then remembered by the browser; errors speak it too."""
    ann = await place.agent()
    talk = await place.say("a person please")
    async with ann.session.get("/desk?lang=zh") as answer:
        assert '<html lang="zh-CN"' in await answer.text()
    path = f"/desk/api/conversations/{talk}/hand-back"
    headers = {"Origin": place.origin, "Cookie": "earful_lang=zh"}
    async with ann.session.post(path, json={}, headers=headers) as answer:
        assert (await answer.json())["message"] == "这个会话现在没有人接待，请先接手"


async def test_the_desk_weighs_little(place: Place) -> None:
    """First paint under 100 kB of our own script and style; the customer's pane comes with a conversation."""
    browser = await place.browser()
    total = 0
    for name in (
        "base.css",
        "desk.css",
        "desk.js",
        "api.js",
        "composer.js",
        "dom.js",
        "list.js",
        "live.js",
    ):
        async with browser.get(f"/desk/static/{name}") as answer:
            assert answer.status == 200
            total += len(await answer.read())
    for name in ("menu.js", "talk.js", "words.js"):
        async with browser.get(f"/desk/static/{name}") as answer:
            total += len(await answer.read())
    assert total < 100_000


async def test_a_member_chooses_what_customers_call_them(place: Place) -> None:
    """On a page of their own; the name is shown at once, a wrong one is refused with what to do, and so is a call from
    another site."""
    ann = await place.agent("Ann")
    async with ann.session.get("/desk/name", headers={"Cookie": "earful_lang=en"}) as answer:
        assert 'value="Ann"' in await answer.text()
    answer = await form(ann.session, "/desk/name", place.origin, name="林小姐")
    assert (answer.status, answer.headers["Location"]) == (303, "/desk")
    talk = await place.say("a person please")
    await ann.do("claim", talk)
    assert "林小姐" in (await place.rows(tables.messages))[-1]["text"]
    for bad in ("", "a\nb", "[[x]]"):
        answer = await form(ann.session, "/desk/name", place.origin, name=bad)
        assert answer.status == 422
        assert "A name has 1 to 100 characters" in await answer.text()
    answer = await form(ann.session, "/desk/name", "https://evil.example", name="Eve")
    assert answer.status == 403
    stranger = await place.browser()
    async with stranger.get("/desk/name", allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/desk/sign-in?next=/desk/name"


async def test_the_lists_say_when_the_office_opens(place: Place) -> None:
    """Nothing while it is open; at night the moment itself."""
    ann = await place.agent()
    assert (await ann.get("conversations"))["opens_at"] is None
    place.clock.advance(timedelta(hours=11, minutes=30))  # half past nine in the evening
    assert (await ann.get("conversations"))["opens_at"] == "2026-03-06T01:00:00+00:00"
