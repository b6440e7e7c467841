"""Signed links: a look writes nothing, and nobody opens what is not theirs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from page_parts import Reader, case_of, surveyed
from web_parts import SECRET, Site

from bot import tokens
from bot.links import CASE, FORM, SURVEY
from bot.web.form_page import form_link


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
    """410, and what to do instead."""
    _, survey, _ = await surveyed(place)
    reader = Reader(place, place.service.links.survey(survey, place.clock.now() + timedelta(hours=1)))
    await reader.look()
    assert reader.status == 200
    place.clock.advance(timedelta(hours=1))
    assert "This link has expired" in await reader.look()
    assert reader.status == 410


@pytest.mark.parametrize(("language", "words"), [("en", "There is no such page"), ("zh", "没有这个页面")])
@pytest.mark.parametrize(
    ("path", "status"), [("/nowhere", 404), ("/c/", 404), ("/chat/x", 404), ("/chat/session", 405)]
)
async def test_an_address_that_leads_nowhere_says_what_to_do(
    place: Site, language: str, words: str, path: str, status: int
) -> None:
    """A page in the browser's language with a way on; a program, or another method, gets the bare answer."""
    url = f"{place.url}{path}"
    headers = {"Accept": "text/html,*/*", "Accept-Language": language}
    async with place.session.get(url, headers=headers) as answer:
        body = await answer.text()
        assert (answer.status, words in body, 'href="/chat"' in body) == (status, True, True)
    async with place.session.get(url, headers={"Accept": "application/json"}) as answer:
        assert (answer.status, "<html" in await answer.text()) == (status, False)
    async with place.session.put(url, headers=headers) as answer:
        assert "<html" not in await answer.text()
