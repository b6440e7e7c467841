"""The web chat's socket: what is said arrives once, what is told is told once, and nobody sees what is not theirs."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from web_parts import START, Guest, Site, new_id, site

from bot.loop.effects import Effects
from bot.loop.state import LaneState
from bot.web.hearing import OF_VISITOR
from bot.web.transcript import BEHIND, PAGE
from storage import tables
from storage.database import Database

# ---- what is said ----


async def test_a_first_message_is_acknowledged_kept_and_answered(database: Database) -> None:
    """Over both databases: the answer comes by itself, and the client is told that its own words have arrived."""
    async with site(database) as place:
        guest = await place.guest()
        told = await guest.say("hello", "first-message")
        assert told == {"type": "ack", "id": "first-message"}
        await guest.until(lambda it: len(it.seen) == 2 and bool(it.done))
        assert guest.texts() == ["hello", "You said: hello"]
        assert [item["from"] for item in guest.seen] == ["you", "bot"]
        assert guest.done == ["first-message"]
        assert guest.upto == guest.seen[-1]["seq"]


async def test_opening_the_page_and_the_socket_writes_nothing(place: Site) -> None:
    """A conversation begins with a message, not with a look."""
    before = await place.everything()
    async with place.session.get(f"{place.url}/chat") as page:
        assert page.status == 200
    await place.guest()
    assert await place.everything() == before


async def test_the_same_id_twice_is_one_message(place: Site) -> None:
    """A client that missed the acknowledgement sends again."""
    guest = await place.guest()
    for _ in range(3):
        assert (await guest.say("once", "the-same-id"))["type"] == "ack"
    assert [row["text"] for row in await place.rows(tables.messages)] == ["once", "You said: once"]


async def test_one_visitor_cannot_use_up_the_ids_of_another(place: Site) -> None:
    """The same id from two people is two messages."""
    one, other = await place.guest(), await place.guest()
    await one.say("from one", "shared-id")
    await other.say("from another", "shared-id")
    assert {row["text"] for row in await place.rows(tables.messages) if row["author"] == "customer"} == {
        "from one",
        "from another",
    }


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\0b", "a\ufffdb"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("\u202eright to left\u202c", "\u202eright to left\u202c"),
        ("👍🏽👨‍👩‍👧", "👍🏽👨‍👩‍👧"),
        ("  <script>alert(1)</script>\n ", "<script>alert(1)</script>"),
        ("'; drop table messages; --", "'; drop table messages; --"),
        ("好" * 4000, "好" * 4000),
    ],
)
async def test_odd_text_arrives_as_it_is_or_mended(place: Site, text: str, kept: str) -> None:
    """What a database cannot keep is replaced; everything else is kept as it was written."""
    guest = await place.guest()
    assert (await guest.say(text))["type"] == "ack"
    await guest.until(lambda it: len(it.seen) == 2)
    assert guest.texts()[0] == kept


async def test_text_over_the_limit_is_refused_with_the_numbers(place: Site) -> None:
    """Nothing is cut off silently, and the socket goes on."""
    guest = await place.guest()
    told = await guest.say("x" * 4001, "too-long-text")
    assert (told["type"], told["id"], told["reason"]) == ("refused", "too-long-text", "too_long")
    assert "4001" in told["said"]
    assert "4000" in told["said"]
    assert (await guest.say("shorter"))["type"] == "ack"


@pytest.mark.parametrize("text", ["", "   \n\t ", "\u2003"])
async def test_nothing_written_is_refused(place: Site, text: str) -> None:
    """White space alone says nothing."""
    guest = await place.guest()
    assert (await guest.say(text))["reason"] == "empty"
    assert await place.rows(tables.inbox) == []


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "text", "text": "no id"},
        {"type": "text", "id": "short", "text": "x"},
        {"type": "text", "id": "x" * 65, "text": "x"},
        {"type": "text", "id": "with:colon:inside", "text": "x"},
        {"type": "text", "id": 12345678, "text": "x"},
        {"type": "text", "id": "not-a-text", "text": 7},
        {"type": "text", "id": "not-a-text", "text": None},
        {"type": "tap", "id": "not-a-tap"},
        {"type": "tap", "id": "not-a-tap", "seq": "1", "index": 0},
        {"type": "tap", "id": "not-a-tap", "seq": True, "index": 0},
        {"type": "tap", "id": "not-a-tap", "seq": 1.5, "index": 0},
        {"type": "tap", "id": "not-a-tap", "seq": -1, "index": 0},
        {"type": "tap", "id": "not-a-tap", "seq": 2**63, "index": 0},
        {"type": "tap", "id": "not-a-tap", "seq": 1, "index": None},
    ],
)
async def test_what_makes_no_sense_is_refused_and_kept_out(place: Site, frame: dict[str, object]) -> None:
    """A program that sends nonsense is told so."""
    guest = await place.guest()
    assert (await guest.send(frame))["reason"] == "malformed"
    assert await place.rows(tables.inbox) == []


async def test_too_fast_is_told_with_the_seconds_to_wait_and_nothing_of_it_is_kept(place: Site) -> None:
    """The client sends it again by itself; the limit is the visitor's own."""
    guest, other = await place.guest(), await place.guest()
    told = [(await guest.say(f"message {number}"))["type"] for number in range(25)]
    assert told.count("ack") == OF_VISITOR.burst
    last = await guest.say("one more", "held-back-id")
    assert last["reason"] == "slow_down"
    assert last["seconds"] >= 1
    assert (await other.say("hello"))["type"] == "ack"
    place.clock.advance(timedelta(seconds=last["seconds"]))
    assert (await guest.say("one more", "held-back-id"))["type"] == "ack"


# ---- taps ----


async def test_a_tap_answers_the_button_and_is_shown_on_it(place: Site) -> None:
    """The browser sees the words of a button, never its payload, and which message a tap belongs to."""
    guest = await place.guest()
    await guest.say("let me choose")
    await guest.until(lambda it: len(it.seen) == 2)
    asked = guest.seen[-1]
    assert asked["buttons"] == ["Tea", "Coffee"]
    assert asked["again"] is False
    assert "/tea" not in str(guest.seen)
    await guest.tap(asked["seq"], 1)
    await guest.until(lambda it: len(it.seen) == 4)
    assert guest.seen[-2]["tapped"] == asked["seq"]
    assert guest.texts()[-2:] == ["Coffee", "One coffee."]


async def test_a_tap_on_somebody_elses_message_is_refused_and_leaves_their_own_tap_alone(place: Site) -> None:
    """Message numbers can be guessed; they open nothing."""
    victim, thief = await place.guest(), await place.guest()
    await victim.say("hello")
    survey = await place.ask(victim.lane, "post_service")
    await victim.until(Guest.asked)
    seq = victim.seen[-1]["seq"]
    await thief.say("hello")
    assert (await thief.tap(seq, 0))["reason"] == "no_such_button"
    assert (await victim.tap(seq, 4))["type"] == "ack"
    assert [(row["survey_id"], row["value"]) for row in await place.rows(tables.ratings)] == [(survey, 5)]
    assert not [row for row in await place.rows(tables.inbox) if row["dedupe_key"].startswith(f"{thief.visitor.id}:t")]


@pytest.mark.parametrize("index", [2, 99, 2**40])
async def test_a_button_that_is_not_there_is_refused(place: Site, index: int) -> None:
    """An index past the last button is no button; nor is the customer's own message one."""
    guest = await place.guest()
    await guest.say("let me choose")
    await guest.until(lambda it: len(it.seen) == 2)
    assert (await guest.tap(guest.seen[1]["seq"], index))["reason"] == "no_such_button"
    assert (await guest.tap(guest.seen[0]["seq"], 0))["reason"] == "no_such_button"


async def test_a_thousand_taps_at_once_are_one_rating(place: Site) -> None:
    """Every one of them is answered; those over the limit are told to wait; the rating is counted once."""
    guest = await place.guest()
    await guest.say("hello")
    await place.ask(guest.lane, "post_service")
    await guest.until(Guest.asked)
    seq = guest.seen[-1]["seq"]
    for number in range(1000):
        await guest.ws.send_json({"type": "tap", "id": f"tap-number-{number}", "seq": seq, "index": 3})
    told: list[str] = []
    async with asyncio.timeout(30):
        while len(told) < 1000:
            frame = await guest.ws.receive_json()
            if frame["type"] in ("ack", "refused"):
                told.append(frame.get("reason", "ack"))
    await place.service.settle()
    assert set(told) == {"ack", "slow_down"}
    assert [row["value"] for row in await place.rows(tables.ratings)] == [4]
    assert await place.rows(tables.rating_history) == []
    place.clock.advance(timedelta(minutes=1))
    assert (await guest.say("still here"))["type"] == "ack"


# ---- what is told ----


async def test_who_comes_back_gets_what_they_missed_and_nothing_twice(database: Database) -> None:
    """The resume: from `upto` on, whatever came while nobody looked, over both databases."""
    async with site(database) as place:
        guest = await place.guest()
        await guest.say("one")
        await guest.until(lambda it: len(it.seen) == 2)
        await guest.ws.close()
        await place.ask(guest.lane, "post_service")
        back = await place.guest(guest.token, guest.upto)
        await back.until(lambda it: len(it.seen) == 1)
        assert back.welcome["new"] is False
        assert back.seen[0]["buttons"][0].startswith("😡")
        assert back.seen[0]["again"] is True
        await back.say("two")
        await back.until(lambda it: "two" in it.texts())
        assert len({item["seq"] for item in guest.seen + back.seen}) == len(guest.seen + back.seen)


async def test_a_message_that_is_still_on_its_way_is_not_skipped_by_later_ones(place: Site) -> None:
    """A message has its number when it is written, and is shown when it is sent: `upto` stops before what is still to
    come, so that a client which leaves in between finds it later."""
    guest = await place.guest()
    await guest.ws.send_json({"type": "text", "id": new_id(), "text": "one"})
    await guest.read("ack")
    await place.service.turns.settle()  # decided and written, not sent
    await guest.until(lambda it: it.texts() == ["one"])
    assert guest.upto == guest.seen[0]["seq"]
    await guest.ws.send_json({"type": "text", "id": new_id(), "text": "two"})
    await guest.read("ack")
    await place.service.turns.settle()
    await guest.until(lambda it: it.texts() == ["one", "two"])
    assert guest.upto == guest.seen[0]["seq"]
    later = await place.guest(guest.token, guest.upto)
    await place.service.settle()
    await later.until(lambda it: "You said: two" in it.texts())
    assert sorted(later.texts()) == ["You said: one", "You said: two", "two"]
    await guest.until(lambda it: "You said: two" in it.texts())
    assert len(guest.texts()) == len(set(guest.texts())) == 4


async def test_a_reply_that_a_person_overtook_is_never_shown(place: Site) -> None:
    """The bot does not talk over a person, not even with what it had said already; and nothing waits for it."""
    guest = await place.guest()
    await guest.say("a person please")
    await guest.ws.send_json({"type": "text", "id": new_id(), "text": "hello"})
    await guest.read("ack")
    lane = guest.lane

    def back_to_bot(state: LaneState, effects: Effects) -> None:
        effects.own("bot", effects.epoch + 1, agent_id=None, queued_at=None)

    await place.service.turns.act(lane, back_to_bot)
    await guest.ws.send_json({"type": "text", "id": new_id(), "text": "anything new"})
    await guest.read("ack")
    await place.service.turns.settle()
    await place.service.people.claim(lane, await place.hire())
    await place.service.settle()
    await guest.until(lambda it: bool(it.texts()) and it.texts()[-1].startswith("Lin has joined"))
    assert "You said: anything new" not in guest.texts()
    again = await place.guest(guest.token)
    await again.until(lambda it: bool(it.seen))
    assert "You said: anything new" not in again.texts()
    assert again.upto == max(row["id"] for row in await place.rows(tables.messages))


async def test_who_waits_at_night_is_told_when_the_office_opens(place: Site) -> None:
    """By the socket and without one; an urgent matter is told apart, for it does not wait for that."""
    place.clock.move_to(START.replace(hour=15))  # 23:00 in Shanghai
    guest = await place.guest()
    await guest.say("a person please")
    await guest.until(lambda it: it.state.get("owner") == "queue")
    opens = "2026-03-06T09:00:00+08:00"
    assert guest.state == {"owner": "queue", "position": 1, "opens_at": opens}
    headers = {"Authorization": f"Bearer {guest.token}"}
    async with place.session.get(f"{place.url}/chat/messages", headers=headers) as answer:
        assert (await answer.json())["state"]["opens_at"] == opens

    def hurry(state: LaneState, effects: Effects) -> None:
        effects.own("queue", effects.epoch, reason="urgent")

    await place.service.turns.act(guest.lane, hurry)
    await guest.until(lambda it: bool(it.state.get("urgent")))


async def test_the_customer_sees_their_place_in_the_queue_and_the_agents_name_but_nothing_internal(place: Site) -> None:
    """System lines, what was understood and who is on the staff stay on our side."""
    first, second = await place.guest(), await place.guest()
    await first.say("a person please")
    place.clock.advance(timedelta(seconds=5))
    await second.say("a person please")
    await second.until(lambda it: it.state.get("owner") == "queue")
    assert second.state == {"owner": "queue", "position": 2}
    agent = await place.hire("Lin <b>")
    await place.service.people.claim(second.lane, agent)
    await place.service.people.reply(second.lane, agent, "Hello, this is <i>Lin</i>", "key-1")
    await place.service.settle()
    await second.until(lambda it: bool(it.seen) and it.seen[-1]["from"] == "agent")
    assert second.state == {"owner": "agent", "name": "Lin <b>"}
    assert second.seen[-1]["name"] == "Lin <b>"
    allowed = {"seq", "from", "text", "at", "name", "buttons", "again", "tapped"}
    assert all(set(item) <= allowed for item in second.seen)
    assert {item["from"] for item in second.seen} == {"you", "bot", "agent"}
    assert "claimed" not in second.texts()


async def test_a_long_conversation_begins_with_its_newest_page(place: Site) -> None:
    """Older pages are asked for; somebody far behind starts afresh instead of receiving everything."""
    guest = await place.guest()
    await guest.say("0")

    def chatter(state: LaneState, effects: Effects) -> None:
        for number in range(1, BEHIND + 10):
            effects.hear(str(number), at=effects.now)

    await place.service.turns.act(guest.lane, chatter)
    fresh = await place.guest(guest.token)
    view = await fresh.read("messages")
    assert (view["fresh"], view["more"], len(view["items"])) == (True, True, PAGE)
    assert view["items"][-1]["text"] == str(BEHIND + 9)
    behind = await place.guest(guest.token, guest.seen[0]["seq"] if guest.seen else 1)
    assert (await behind.read("messages"))["fresh"] is True


async def test_a_client_that_remembers_another_database_starts_afresh(place: Site) -> None:
    """After a restore from a backup, message numbers begin lower than the client's."""
    guest = await place.guest()
    await guest.say("hello")
    back = await place.guest(guest.token, 10_000)
    view = await back.read("messages")
    assert view["fresh"] is True
    assert [item["text"] for item in view["items"]] == ["hello", "You said: hello"]


async def test_two_windows_of_one_visitor_see_the_same(place: Site) -> None:
    """What is written in one window appears in the other."""
    one = await place.guest()
    await one.say("hello")
    other = await place.guest(one.token)
    await other.until(lambda it: len(it.seen) == 2)
    await one.say("and again")
    await other.until(lambda it: len(it.seen) == 4)
    assert other.texts()[-1] == "You said: and again"
    assert other.done == []
