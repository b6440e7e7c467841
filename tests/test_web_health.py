"""Health, readiness and figures; and how much one sender may ask for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.test_utils import make_mocked_request
from web_parts import START, Site, new_id

from bot.web.limits import REMEMBERED, Limits, Rate, sender

ONE = Rate(burst=1, per_second=1)


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
    assert 'earful_inbox_oldest_seconds{channel="web"} 90.0' in told
    assert 'earful_conversations_with_people{owner="queue"} 1.0' in told
    assert 'earful_sends_total{channel="web",outcome="sent"} 1.0' in told
    assert 'earful_stage_seconds_count{channel="web",stage="turn"} 1.0' in told
    assert 'earful_stage_seconds_count{channel="web",stage="intake"} 2.0' in told
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
    """A header is believed from a neighbour only, and of it only what our proxy added."""
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": forwarded})
    assert sender(request.clone(remote=peer)) == found
