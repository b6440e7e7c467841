"""The case page: what a customer sees of their case, and what they say about it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from page_parts import SCRIPT, Reader, case_of
from web_parts import Site

from bot.cases import numbers
from bot.loop.case_moves import told
from bot.loop.effects import Effects
from bot.loop.state import LaneState
from storage import tables


async def test_a_case_shows_where_it_stands_and_nothing_of_what_staff_note_among_themselves(place: Site) -> None:
    """State in words, the promise, steps, the customer's own words, people's answers; no reasons, no bot's chatter."""
    guest, case, reader = await case_of(place)
    agent = await place.hire("Lin")

    def work(state: LaneState, effects: Effects) -> None:
        at = effects.now
        told(effects, case["id"], "moved", actor="staff:1", old="acknowledged", to="assigned", note="SECRET", at=at)
        told(effects, case["id"], "noted", actor="staff:1", note="SECRET the customer is difficult", at=at)
        told(effects, case["id"], "completed", actor="staff:1", note="SECRET from the till", at=at)
        told(effects, case["id"], "moved", actor="staff:1", old="assigned", to="returned", note="SECRET", at=at)
        told(effects, case["id"], "completed", actor="customer", note="order_number: 123; place: Wuhan", at=at)
        told(effects, case["id"], "reported", actor="customer", note="The parcel is still damaged", at=at)
        told(effects, case["id"], "split", actor="staff:1", note="1010: SECRET", at=at)
        told(effects, case["id"], "remedy_approved", actor="staff:1", note="SECRET refund", at=at)
        effects.change_guarded(tables.cases, case["id"], 0, {"state": "assigned"})

    await place.service.turns.act(guest.lane, work)
    assert "We will get back to you by 10:00 tomorrow (Beijing time)." in await reader.look()
    assert "Times are Beijing time" in await reader.look()
    assert "Today, 10:00" in await reader.look()
    assert "北京时间" not in await reader.look("?lang=zh")
    await place.service.people.claim(guest.lane, agent)
    await place.service.people.reply(guest.lane, agent, f"We are on it {SCRIPT}", "k1")
    await place.service.settle()
    text = await reader.look()
    assert numbers.number(case["id"]) in text
    assert "Assigned" in text
    assert "Status: In progress" in text  # the answer moved it on
    assert "We will get back to you" not in text  # somebody has
    assert "Order number: 123; Place: Wuhan" in text
    assert "The parcel is still damaged" in text
    assert "We are on it" in text
    assert "SECRET" not in reader.body
    assert "reassigned" not in text
    assert "<script>alert" not in reader.body
    assert "Sorry. Your case is" not in text
    assert "已分派" in await reader.look("?lang=zh")


async def test_a_reply_reaches_the_transcript_the_timeline_and_a_person_once(place: Site) -> None:
    """However often the same form is sent; and the bot leaves it to the person."""
    guest, case, reader = await case_of(place)
    await reader.look()
    nonce = reader.hidden("nonce")
    for _ in range(3):
        text = await reader.send(nonce=nonce, text="Any news? <b>")
        await place.service.settle()
    assert "A colleague will read your message." in text
    await reader.look()
    assert reader.body.count("Any news? &lt;b&gt;") == 1
    mine = [row for row in await place.rows(tables.messages) if row["text"] == "Any news? <b>"]
    assert [row["author"] for row in mine] == ["customer"]
    replied = [row for row in await place.rows(tables.case_events) if row["kind"] == "replied"]
    assert [(row["actor"], row["note"]) for row in replied] == [("customer", "Any news? <b>")]
    talk = (await place.rows(tables.conversations))[0]
    assert (talk["owner"], talk["reason"]) == ("queue", "case_reply")
    await guest.until(lambda it: "Any news? <b>" in it.texts())
    assert "You said: Any news? <b>" not in guest.texts()
    assert "case_reply" not in guest.texts()
    assert case["id"] == (await place.rows(tables.cases))[0]["id"]


async def test_a_reply_that_failed_half_way_is_completed_by_sending_it_again(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says that it was not taken in, keeps the words, and the second try does what is missing, once."""
    _, _, reader = await case_of(place)
    await reader.look()
    nonce = reader.hidden("nonce")
    accept = type(place.service.intake).accept

    async def outage(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(type(place.service.intake), "accept", outage)
    text = await reader.send(nonce=nonce, text="Any news?")
    assert reader.status == 503
    assert "could not take it in" in text
    assert "Any news?</textarea>" in reader.body
    monkeypatch.setattr(type(place.service.intake), "accept", accept)
    await reader.send(nonce=nonce, text="Any news?")
    await place.service.settle()
    assert [row["kind"] for row in await place.rows(tables.case_events)].count("replied") == 1
    assert [row["text"] for row in await place.rows(tables.messages)].count("Any news?") == 1


@pytest.mark.parametrize(
    ("text", "status"), [("", 400), (" \n ", 400), ("x" * 4001, 413), ("x" * 4000, 200), ("a\0b\ud800", 200)]
)
async def test_a_reply_is_checked_and_mended(place: Site, text: str, status: int) -> None:
    """Empty and too long are told; what cannot be stored is replaced."""
    _, _, reader = await case_of(place)
    await reader.look()
    async with place.session.post(
        reader.address,
        data=b"nonce=" + reader.hidden("nonce").encode() + b"&text=" + _quoted(text),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ) as answer:
        assert answer.status == status
    replied = [row["note"] for row in await place.rows(tables.case_events) if row["kind"] == "replied"]
    assert bool(replied) == (status == 200)


def _quoted(text: str) -> bytes:
    return b"".join(b"%%%02x" % byte for byte in text.encode("utf-8", "surrogatepass"))


async def test_replies_are_limited_and_the_words_stay(place: Site) -> None:
    """A link in the wrong hands floods nobody."""
    _, _, reader = await case_of(place)
    for number in range(8):
        await reader.look()
        await reader.send(text=f"reply {number}")
    assert reader.status == 429
    assert "reply 7</textarea>" in reader.body
    assert [row["kind"] for row in await place.rows(tables.case_events)].count("replied") == 6


async def test_the_follow_ups_rating_is_a_tap_away(place: Site) -> None:
    """While it awaits its answer, the case page leads to it."""
    guest, case, reader = await case_of(place)
    assert "Are you satisfied?" not in await reader.look()
    await place.ask(guest.lane, "case_follow_up", case=case["id"])
    assert "Are you satisfied? Rate it here" in await reader.look()
    link = re.search(r'href="(/r/[^"?]+)', reader.body)
    assert link is not None
    rating = Reader(place, place.service.links.address + link[1])
    assert "Are you satisfied now?" in await rating.look()
    place.clock.advance(timedelta(days=60))
    assert "Are you satisfied?" not in await reader.look()


async def test_a_promise_that_was_not_kept_is_not_hidden(place: Site) -> None:
    """The page apologises instead of naming a time that has passed."""
    _, _, reader = await case_of(place)
    place.clock.advance(timedelta(days=3))
    assert "We are later than we promised" in await reader.look()
