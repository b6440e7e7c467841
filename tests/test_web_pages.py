"""Pages behind signed links: a look writes nothing, an answer counts once, and nobody sees what is not theirs."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from web_parts import SECRET, Guest, Site, site

from bot import tokens
from bot.cases import numbers
from bot.links import CASE, FORM, SURVEY
from bot.loop.cases import told
from bot.loop.effects import Effects
from bot.loop.state import LaneState
from bot.surveys.rules import FREE_TEXT_LIMIT
from bot.web import nonces
from bot.web.form_page import form_link
from bot.web.rating_page import layout
from storage import tables
from storage.changes import Insert
from storage.database import open_database
from storage.schema import upgrade

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    store = open_database(f"sqlite:///{tmp_path / 'earful.db'}")
    await upgrade(store)
    async with site(store) as made:
        yield made
    await store.close()


class Reader:
    """Somebody with a link and no JavaScript."""

    def __init__(self, place: Site, link: str, language: str = "en") -> None:
        self.place = place
        self.address = place.path(link)
        self.language = {"Accept-Language": language}
        self.status = 0
        self.body = ""

    async def look(self, query: str = "") -> str:
        async with self.place.session.get(self.address + query, headers=self.language) as answer:
            self.status, self.body = answer.status, await answer.text()
        return self.text

    async def send(self, **fields: str) -> str:
        """Post the form that is shown, with these fields filled in; the page that follows."""
        given = {"nonce": self.hidden("nonce"), "question": self.hidden("question")} | fields
        data = {name: value for name, value in given.items() if value}
        async with self.place.session.post(self.address, data=data, headers=self.language) as answer:
            self.status, self.body = answer.status, await answer.text()
        return self.text

    def hidden(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.body)
        return html.unescape(found[1]) if found else ""

    @property
    def text(self) -> str:
        """What is read on the page."""
        main = self.body[self.body.index("<main") :]
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())

    @property
    def options(self) -> list[str]:
        return re.findall(r'name="answer" value="([^"]*)"', self.body)


async def surveyed(place: Site, key: str = "post_service", **about: Any) -> tuple[Guest, int, Reader]:
    """A guest who was asked, their survey, and somebody who opens its link."""
    guest = await place.guest()
    await guest.say("hello")
    survey = await place.ask(guest.lane, key, **about)
    return guest, survey, Reader(place, place.service.links.survey(survey))


async def case_of(place: Site, say: str = "I complain") -> tuple[Guest, dict[str, Any], Reader]:
    """A guest who complained, their case, and somebody who opens its link."""
    guest = await place.guest()
    await guest.say(say)
    case = (await place.rows(tables.cases))[-1]
    return guest, case, Reader(place, place.service.links.case(case["id"]))


# ---- the rating page ----


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


async def test_looking_at_a_page_writes_nothing(place: Site) -> None:
    """Mail scanners open every link, with every method that reads."""
    _, _, rating = await surveyed(place)
    _, _, case = await case_of(place)
    form = Reader(place, form_link(place.service.links, "site"))
    before = await place.everything()
    for reader in (rating, case, form):
        for query in ("", "?change=1", "?lang=zh", "?sent=1", "?done=x", "?answer=5&question=rating&nonce=x"):
            await reader.look(query)
            assert reader.status == 200
        async with place.session.head(reader.address) as answer:
            assert answer.status == 200
    assert await place.everything() == before


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


async def test_the_same_form_sent_twice_at_once_counts_once(place: Site) -> None:
    """A double click, a proxy that repeats."""
    _, _, reader = await surveyed(place)
    await reader.look()
    data = {"nonce": reader.hidden("nonce"), "question": "rating", "answer": "4"}

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


# ---- links ----


@pytest.mark.parametrize("page", ["r", "c", "f"])
async def test_a_link_that_is_not_ours_opens_nothing_and_tells_nothing(place: Site, page: str) -> None:
    """Forged, of another purpose, of a thing that is not there, of another server, and whatever fits into a path."""
    purpose = {"r": SURVEY, "c": CASE, "f": FORM}[page]
    wrong = {"r": CASE, "c": FORM, "f": SURVEY}[page]
    bad = [
        "1",
        "x" * 3000,
        "%00",
        "%ff",
        tokens.sign(SECRET, wrong, "1"),
        tokens.sign(b"another secret, long enough", purpose, "1"),
        *([tokens.sign(SECRET, purpose, "999"), tokens.sign(SECRET, purpose, "x")] if page != "f" else []),
    ]
    _, _, _ = await case_of(place)
    before = await place.everything()
    for token in bad:
        reader = Reader(place, f"{place.service.links.address}/{page}/{token}")
        assert "This link is not valid" in await reader.look(), token
        assert reader.status == 404
        async with place.session.post(reader.address, data={"text": "x", "nonce": "x"}) as answer:
            assert answer.status == 404
    assert await place.everything() == before


async def test_a_link_that_ran_out_says_so(place: Site) -> None:
    _, survey, _ = await surveyed(place)
    reader = Reader(place, place.service.links.survey(survey, place.clock.now() + timedelta(hours=1)))
    await reader.look()
    assert reader.status == 200
    place.clock.advance(timedelta(hours=1))
    assert "This link has expired" in await reader.look()
    assert reader.status == 410


# ---- the case page ----


async def test_a_case_shows_where_it_stands_and_nothing_of_what_staff_note_among_themselves(place: Site) -> None:
    """State in words, the promise, steps, the customer's own words, people's answers; no reasons, no bot's chatter."""
    guest, case, reader = await case_of(place)
    agent = await place.hire("Lin")

    def work(state: LaneState, effects: Effects) -> None:
        at = effects.now
        told(effects, case["id"], "moved", actor="staff:1", old="acknowledged", to="assigned", note="SECRET", at=at)
        told(effects, case["id"], "noted", actor="staff:1", note="SECRET the customer is difficult", at=at)
        told(effects, case["id"], "moved", actor="staff:1", old="assigned", to="returned", note="SECRET", at=at)
        told(effects, case["id"], "completed", actor="customer", note="order_number: 123; place: Wuhan", at=at)
        effects.change_guarded(tables.cases, case["id"], 0, {"state": "assigned"})

    await place.service.turns.act(guest.lane, work)
    assert "We will get back to you by 10:00 tomorrow." in await reader.look()
    await place.service.people.claim(guest.lane, agent)
    await place.service.people.reply(guest.lane, agent, f"We are on it {SCRIPT}", "k1")
    await place.service.settle()
    text = await reader.look()
    assert numbers.number(case["id"]) in text
    assert "assigned" in text
    assert "We will get back to you" not in text  # somebody has
    assert "Order number: 123; Place: Wuhan" in text
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
    _, _, reader = await case_of(place)
    place.clock.advance(timedelta(days=3))
    assert "We are later than we promised" in await reader.look()


# ---- the form ----


async def filled(place: Site, **fields: str) -> Reader:
    """The form, opened and sent with these fields."""
    reader = Reader(place, form_link(place.service.links, "site"))
    await reader.look()
    sending = asyncio.create_task(reader.send(**fields))
    while not sending.done():
        await place.service.settle()
        await asyncio.wait({sending}, timeout=0.01)
    await sending
    return reader


async def test_a_complaint_in_a_form_becomes_one_case_with_its_link(place: Site) -> None:
    """Words and a low rating are one matter; contact details are remembered; a volunteered rating is counted."""
    reader = await filled(
        place, rating="1", words="I complain: late", name="Ann <b>", phone="+86 138-0013-8000", email="ann@example.com"
    )
    cases = await place.rows(tables.cases)
    assert [case["origin"] for case in cases] == ["conversation"]
    number = numbers.number(cases[0]["id"])
    assert f"We have opened case {number} for you and will get back to you by" in reader.text
    assert place.service.links.case(cases[0]["id"]) in reader.text
    contact = (await place.rows(tables.contacts))[0]
    assert (contact["name"], contact["phone"], contact["email"]) == ("Ann <b>", "+86 138-0013-8000", "ann@example.com")
    rating = (await place.rows(tables.ratings))[0]
    survey = (await place.rows(tables.surveys))[0]
    assert (rating["value"], rating["score"], survey["definition"], survey["state"]) == (
        1,
        20,
        "volunteered",
        "answered",
    )
    talk = (await place.rows(tables.conversations))[0]
    assert talk["thread"].startswith("form:")
    assert talk["contact_id"] == contact["id"]


async def test_a_low_rating_alone_or_with_plain_words_opens_its_own_case(place: Site) -> None:
    """Nobody who is unhappy goes unheard."""
    reader = await filled(place, rating="2")
    assert "We have opened case" in reader.text
    reader = await filled(place, rating="2", words="the room was cold")
    cases = await place.rows(tables.cases)
    assert [(case["origin"], case["title"]) for case in cases] == [
        ("form", "Low rating: 😟 Poor"),
        ("form", "the room was cold"),
    ]


async def test_praise_is_thanked_and_words_alone_are_heard(place: Site) -> None:
    """Without a case there is nothing to follow."""
    assert "Thank you for your kind words!" in (await filled(place, rating="5")).text
    reader = await filled(place, words="hello there")
    assert "Thank you, we have it" in reader.text
    assert await place.rows(tables.cases) == []
    assert [row["text"] for row in await place.rows(tables.messages) if row["author"] == "customer"] == ["hello there"]


async def test_the_same_form_sent_twice_is_one(place: Site) -> None:
    """The nonce is the key of everything that it leaves."""
    reader = Reader(place, form_link(place.service.links, "site"))
    await reader.look()
    nonce = reader.hidden("nonce")
    for _ in range(2):
        sending = asyncio.create_task(reader.send(nonce=nonce, rating="1", words="I complain"))
        while not sending.done():
            await place.service.settle()
            await asyncio.wait({sending}, timeout=0.01)
    for table in (tables.cases, tables.ratings, tables.conversations, tables.contacts):
        assert len(await place.rows(table)) == 1


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({}, 400, "Please choose a rating or write a few words."),
        ({"rating": "9"}, 400, "Please choose a rating"),
        ({"rating": SCRIPT}, 400, "Please choose a rating"),
        ({"words": "x" * 4001}, 413, "Too long: 4001 characters, and 4000 fit."),
        ({"words": SCRIPT, "phone": "call me"}, 400, "That phone number looks wrong."),
        ({"words": SCRIPT, "phone": "+" + "1" * 40}, 400, "That phone number looks wrong."),
        ({"words": SCRIPT, "email": "a@b"}, 400, "That e-mail address looks wrong."),
        ({"words": SCRIPT, "email": "a b@example.com"}, 400, "That e-mail address looks wrong."),
        ({"words": SCRIPT, "name": SCRIPT, "nonce": "x"}, 409, "Please press Send once more."),
    ],
)
async def test_a_form_with_something_wrong_comes_back_with_everything_in_it(
    place: Site, fields: dict[str, str], status: int, said: str
) -> None:
    """As text, whatever was written; and nothing is kept."""
    reader = Reader(place, form_link(place.service.links, "site"))
    await reader.look()
    assert said in await reader.send(**fields)
    assert reader.status == status
    assert "<script>alert" not in reader.body
    for name in ("words", "name", "phone", "email"):
        assert html.escape(fields.get(name, "")[:40], quote=True).replace("&#x27;", "&#39;").replace(
            "&quot;", "&#34;"
        ) in (reader.body)
    assert await place.rows(tables.conversations) == []


async def test_forms_from_one_address_are_limited(place: Site) -> None:
    """A program that fills forms is told to stop; what a person wrote stays in the form."""
    for _ in range(12):
        assert (await filled(place, rating="5")).status == 200
    reader = await filled(place, rating="5", words="one more")
    assert reader.status == 429
    assert "one more</textarea>" in reader.body


async def test_a_form_whose_words_nobody_works_still_answers(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the loop stands still, the customer is not kept waiting; their words are safe."""
    monkeypatch.setattr("bot.web.form_page.UNDERSTOOD_WITHIN", 0.02)
    reader = Reader(place, form_link(place.service.links, "site"))
    await reader.look()
    assert "Thank you, we have it" in await reader.send(words="I complain")
    assert len(await place.rows(tables.inbox)) == 1
    await place.service.settle()
    assert len(await place.rows(tables.cases)) == 1
