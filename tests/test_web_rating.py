"""The rating page: one tap, then one question, each counted once."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from page_parts import SCRIPT, Reader, surveyed
from web_parts import SECRET, Site

from bot import tokens
from bot.cases import numbers
from bot.links import SURVEY
from bot.loop.effects import Effects
from bot.loop.state import LaneState
from bot.loop.turn import Turns
from bot.surveys.definitions import DONE, Surveys
from bot.surveys.rules import FREE_TEXT_LIMIT
from bot.web import nonces
from bot.web.rating_page import FASTEST, layout
from bot.yamlfile import Words
from storage import tables
from storage.changes import Insert


async def test_a_rating_is_one_tap_then_one_question_then_thanks(place: Site) -> None:
    """A low one opens a case that the page names, and what is written goes to it."""
    _, survey, reader = await surveyed(place)
    assert "How was the service you just had?" in await reader.look()
    assert reader.options == ["1", "2", "3", "4", "5"]
    assert "checked" not in reader.body
    assert "What went wrong, mainly?" in await reader.send(answer="2")
    assert "Recorded: 😟 Poor" in reader.text
    case = (await place.rows(tables.cases))[0]
    assert numbers.number(case["id"]) in reader.text
    assert "Thank you for telling us honestly." in await reader.send(text="It took hours & nobody cared")
    rating = (await place.rows(tables.ratings))[0]
    assert (rating["survey_id"], rating["value"], rating["source"]) == (survey, 2, "page")
    assert rating["answers"][0]["text"] == "It took hours & nobody cared"
    notes = [row["note"] for row in await place.rows(tables.case_events)]
    assert "It took hours & nobody cared" in notes
    assert (await place.rows(tables.surveys))[0]["state"] == "answered"


async def test_an_answer_needs_the_nonce_of_the_page_as_it_stands(place: Site) -> None:
    """None, forged, of another page, of another survey, too old, or used: nothing is counted."""
    _, survey, reader = await surveyed(place)
    _, _, other = await surveyed(place, "agent")
    await other.look()
    await reader.look()
    good = reader.hidden("nonce")
    subject = nonces.read(place.service, "rating", good)
    assert subject is not None
    bad = [
        "",
        "x",
        good[:-2] + "xx",
        other.hidden("nonce"),
        nonces.issue(place.service, "case", subject),
        tokens.sign(SECRET, SURVEY, str(survey)),
        tokens.sign(SECRET, "page:rating", subject, place.clock.now() - timedelta(seconds=1)),
    ]
    for nonce in bad:
        await reader.look()
        async with place.session.post(
            reader.address, data={"nonce": nonce, "question": "rating", "answer": "1"}, allow_redirects=False
        ) as answer:
            assert answer.status == 409, nonce
    assert await place.rows(tables.ratings) == []
    await reader.look()
    assert await reader.send(nonce=good, answer="5")
    assert "This is where things stand now" in await reader.send(nonce=good, question="rating", answer="1")
    assert [row["value"] for row in await place.rows(tables.ratings)] == [5]


async def test_words_are_not_lost_when_the_page_was_open_for_too_long(place: Site) -> None:
    """The form comes back with them, and the next press counts."""
    _, _, reader = await surveyed(place)
    await reader.look()
    await reader.send(answer="1")
    place.clock.advance(nonces.OPEN_FOR)
    await reader.send(text="a long story <b>")
    assert reader.status == 409
    assert "a long story &lt;b&gt;</textarea>" in reader.body
    assert "Please tap once more" in reader.text
    assert "Thank you" in await reader.send(text="a long story <b>")


async def test_a_rating_that_the_database_did_not_take_may_be_given_again(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says so, and the next press counts."""
    _, _, reader = await surveyed(place)
    await reader.look()
    apply = Turns._apply

    async def outage(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Turns, "_apply", outage)
    await reader.send(answer="5")
    assert reader.status == 503
    monkeypatch.setattr(Turns, "_apply", apply)
    await reader.look()
    await reader.send(answer="4")
    assert [row["value"] for row in await place.rows(tables.ratings)] == [4]


async def test_the_same_form_sent_twice_at_once_counts_once(place: Site) -> None:
    """A double click, a proxy that repeats."""
    _, _, reader = await surveyed(place)
    await reader.look()
    data = {"nonce": reader.hidden("nonce"), "question": "rating", "answer": "4"}
    place.clock.advance(timedelta(seconds=2))

    async def post() -> int:
        async with place.session.post(reader.address, data=data, allow_redirects=False) as answer:
            return answer.status

    statuses = await asyncio.gather(*(post() for _ in range(8)))
    assert sorted(set(statuses)) == [303, 409]
    assert statuses.count(303) == 1
    assert [row["value"] for row in await place.rows(tables.ratings)] == [4]
    assert await place.rows(tables.rating_history) == []


async def test_a_rating_may_be_changed_within_the_window_and_not_after(place: Site) -> None:
    """The page offers it, with nothing preselected; the old value goes to the history."""
    _, _, reader = await surveyed(place)
    await reader.look()
    await reader.send(answer="1")
    await reader.look("?change=1")
    assert reader.options == ["1", "2", "3", "4", "5"]
    assert 'aria-pressed="true"' not in reader.body
    await reader.send(answer="5")
    assert [row["value"] for row in await place.rows(tables.ratings)] == [5]
    assert [row["value"] for row in await place.rows(tables.rating_history)] == [1]
    place.clock.advance(timedelta(hours=25))
    assert "Change my rating" not in await reader.look("?change=1")
    assert "1" not in reader.options
    await reader.send(question="rating", answer="1")
    assert [row["value"] for row in await place.rows(tables.ratings)] == [5]


async def test_a_survey_that_is_over_says_so_and_counts_nothing(place: Site) -> None:
    """Expired by time though no timer came, superseded by a newer one."""
    guest, _, old = await surveyed(place)
    await old.look()
    nonce = old.hidden("nonce")
    await place.ask(guest.lane, "agent")
    assert "We have sent you a newer one since" in await old.look()
    assert old.status == 410
    await old.send(nonce=nonce, question="rating", answer="5")
    newer = Reader(place, place.service.links.survey(2))
    await newer.look()
    place.clock.advance(timedelta(days=15))
    assert "It has expired and is no longer counted" in await newer.look()
    assert newer.options == []
    assert await place.rows(tables.ratings) == []


async def test_a_rating_stands_though_its_question_comes_too_late(place: Site) -> None:
    """Who rated, and opens the page again weeks later, is thanked and asked no more."""
    _, _, reader = await surveyed(place)
    await reader.look()
    await reader.send(answer="2")
    place.clock.advance(timedelta(days=15))
    assert "Thank you for telling us honestly." in await reader.look()
    assert (reader.status, reader.options) == (200, [])
    assert [row["value"] for row in await place.rows(tables.ratings)] == [2]


async def test_an_answer_nobody_offered_is_refused(place: Site) -> None:
    """Whatever a program puts into the fields."""
    _, _, reader = await surveyed(place)
    for fields in (
        {"answer": "6"},
        {"answer": "-1"},
        {"answer": "1e0"},
        {"answer": "٣"},
        {"answer": "x" * 900},
        {"question": "went_wrong", "answer": "waited"},
        {"question": SCRIPT, "answer": SCRIPT},
        {"text": "words instead of a rating"},
        {"answer": "\0"},
    ):
        await reader.look()
        await reader.send(**fields)
        assert reader.status in (200, 400), fields
        assert "<script>alert" not in reader.body
    assert await place.rows(tables.ratings) == []


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", "{}", 415),
        ("multipart/form-data; boundary=x", "--x--", 415),
        ("application/x-www-form-urlencoded; charset=nonsense", "nonce=x", 400),
        ("application/x-www-form-urlencoded", "nonce=%ff%fe&answer=%00", 409),
        ("application/x-www-form-urlencoded", "answer=1&" * 500, 409),
        ("application/x-www-form-urlencoded", "answer=1&" * 2000, 413),
        ("application/x-www-form-urlencoded", "text=" + "x" * 1_100_000, 413),
    ],
)
async def test_a_body_that_no_form_of_ours_sends_is_refused(
    place: Site, content_type: str, body: str, status: int
) -> None:
    """With a status, and no traceback."""
    _, _, reader = await surveyed(place)
    headers = {"Content-Type": content_type}
    async with place.session.post(reader.address, data=body.encode(), headers=headers) as answer:
        assert answer.status == status
    assert await place.rows(tables.ratings) == []


async def test_a_button_and_words_together_lose_neither(place: Site) -> None:
    """Who writes and then taps means both."""
    _, _, reader = await surveyed(place)
    await reader.look()
    await reader.send(answer="1")
    await reader.send(answer="waited", text="for two hours")
    assert (await place.rows(tables.ratings))[0]["answers"][0]["text"] == "The wait: for two hours"


async def test_words_over_the_limit_are_refused_and_kept_in_the_form(place: Site) -> None:
    """Nothing is cut off silently."""
    _, _, reader = await surveyed(place)
    await reader.look()
    await reader.send(answer="1")
    await reader.send(text="x" * (FREE_TEXT_LIMIT + 1))
    assert reader.status == 413
    assert "x" * (FREE_TEXT_LIMIT + 1) in reader.body


async def test_the_page_says_whose_it_is_and_what_is_rated_in_the_customers_language(place: Site) -> None:
    """The touchpoint as the business system named it, as text; the survey's number is nowhere on the page."""
    guest = await place.guest()
    await guest.say("hello")

    def visited(state: LaneState, effects: Effects) -> Insert:
        effects.language = "zh"
        values = {"external_id": "e1", "contact_id": effects.contact_id, "ended_at": effects.now}
        return effects.add(
            Insert(tables.episodes, values | {"touchpoint": f"store_visit {SCRIPT}", "created_at": effects.now})
        )

    episode = await place.service.turns.act(guest.lane, visited)
    survey = await place.ask(guest.lane, "thumbs", episode=episode.id)
    reader = Reader(place, place.service.links.survey(survey), language="fr")
    text = await reader.look()
    assert "关于：store visit <script>" in text
    assert "这次自助服务帮到您了吗？" in text
    assert "Acme" in reader.body
    assert "<script>alert" not in reader.body
    assert re.search("[一-鿿]", await reader.look("?lang=en")) is None


def test_choices_are_laid_out_by_what_is_on_them() -> None:
    """Faces in a row, a scale of numbers, stars and sentences as a list, a question's choices as words."""
    assert layout("csat5", ["😡 Very poor", "🙂 Good"]) == "faces"
    assert layout("csat5", ["⭐ Poor", "⭐⭐⭐⭐⭐ Excellent"]) == "listed"
    assert layout("csat5", ["Poor", "Very good"]) == "listed"
    assert layout("thumbs", ["👍 Yes", "👎 No"]) == "faces"
    assert layout("nps", ["0", "10"]) == "numbers"
    assert layout("ces", ["1 No", "7 Yes"]) == "listed"
    assert layout(None, ["The wait"]) == "words"


async def test_an_answer_faster_than_a_person_counts_nowhere(place: Site) -> None:
    """A mail scanner that opens the link and presses the first button: noted, no rating, no case; the person who comes
    after it is asked as if nothing had been."""
    _, survey, reader = await surveyed(place)
    for _ in range(3):
        await reader.look()
        data = {"nonce": reader.hidden("nonce"), "question": "rating", "answer": "1"}
        place.clock.advance(timedelta(milliseconds=FASTEST - 1))
        async with place.session.post(reader.address, data=data) as answer:
            assert answer.status == 409
            assert "quicker than a person reads" in await answer.text()
    assert await place.rows(tables.ratings) == []
    assert await place.rows(tables.cases) == []
    assert (await place.rows(tables.surveys))[0]["progress"]["too_fast"] == 3
    await reader.look()
    assert "Recorded: 😍 Excellent" in await reader.send(answer="5")
    assert [(row["survey_id"], row["value"]) for row in await place.rows(tables.ratings)] == [(survey, 5)]


async def test_several_choices_are_ticked_and_sent_together_and_a_page_left_is_taken_up_again(place: Site) -> None:
    """Without JavaScript. What was chosen before is still ticked, nothing else is; nothing ticked goes on as well."""
    _, _, reader = await surveyed(place, "relationship")
    await reader.look()
    await reader.send(answer="6")
    assert "Choose as many as you like" in await reader.look()
    assert reader.body.count('type="checkbox"') == 5
    assert "checked" not in reader.body
    ticked = {"pick-price": "1", "pick-speed": "1"}
    assert "May we call you" in await reader.send(answer=DONE, text="and more", **ticked)
    assert "May we call you" in await reader.look()
    rating = (await place.rows(tables.ratings))[0]
    assert (rating["answers"][0]["options"], rating["answers"][0]["text"]) == (["speed", "price"], "and more")
    await reader.send(answer="no")
    assert (await place.rows(tables.surveys))[0]["state"] == "answered"
    _, _, other = await surveyed(place, "relationship")
    await other.look()
    await other.send(answer="6")
    assert other.status == 200
    await other.send(answer=DONE, **{"pick-nonsense": "1"})
    assert other.status == 400
    assert "May we call you" in await other.send(answer=DONE)


async def test_a_page_opened_after_the_file_was_changed_asks_what_it_began_with(place: Site) -> None:
    """And the answer is scored as it was asked."""
    _, _, reader = await surveyed(place)
    content = place.service.content
    old = content.surveys.definitions["post_service"]
    now = replace(old, version="new", scale=content.surveys.definitions["thumbs"].scale, question=Words("新的", "New"))
    surveys = Surveys({"post_service": now}, {("post_service", old.version): old})
    place.service.content = replace(content, surveys=surveys)
    place.service.rulebook.house.surveys = surveys
    assert "How was the service you just had?" in await reader.look()
    assert reader.options == ["1", "2", "3", "4", "5"]
    await reader.send(answer="2")
    assert [row["score"] for row in await place.rows(tables.ratings)] == [40]
    _, _, later = await surveyed(place)
    assert "New" in await later.look()
