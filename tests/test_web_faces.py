"""What all pages share: the policy of a page, its language, its texts and files, and the widget."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from web_parts import Site, site

from bot.errors import ContentError
from bot.web.language import COOKIE, language_of, read, texts
from bot.web.limits import Rate
from bot.web.rendering import HERE, asset
from storage.database import Database

ONE = Rate(burst=1, per_second=1)


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


async def test_the_websites_of_the_settings_and_no_others_may_frame_the_chat(sqlite: Database) -> None:
    """EARFUL_FRAME_ORIGINS."""
    theirs = ("https://shop.example", "https://www.shop.example")
    async with site(sqlite, frame_origins=theirs) as place, place.session.get(f"{place.url}/chat") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self' https://shop.example https://www.shop.example;" in policy


async def test_a_name_that_is_a_script_is_shown_as_text(sqlite: Database) -> None:
    """Even the company's own; in the page and in what its script reads."""
    async with site(sqlite, company="</script><script>alert(1)</script>") as place:
        for path in ("/chat", "/", "/r/x"):
            async with place.session.get(f"{place.url}{path}") as answer:
                body = await answer.text()
            assert "<script>alert" not in body
            assert "&lt;script&gt;alert(1)" in body or path == "/r/x"


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
    assert sum(sizes.values()) < 56_000, sizes


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
