"""The feedback form: whatever comes in is heard, once, and what is wrong comes back with every word."""

from __future__ import annotations

import asyncio
import html

import pytest
from page_parts import SCRIPT, Reader
from web_parts import Site

from bot.cases import numbers
from bot.web.form_page import form_link
from storage import tables


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
