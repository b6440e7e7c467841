"""Knowledge edited at the desk: what nobody could answer becomes an entry, and the next customer is told."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import api_parts
import pytest
from desk_parts import Agent, Place, form

from bot.assistant.content import read_knowledge
from bot.desk.routes import routes
from bot.knowledge import service as knowledge
from bot.knowledge.entries import Entry, Said
from bot.knowledge.library import Library
from bot.knowledge.versions import Overtaken
from bot.web.server import application, serve
from storage import tables
from storage.database import Database

PAGE = "/desk/admin/knowledge"
ASKED = "请问店里有儿童座椅可以借吗"
LIKE = "你们有儿童座椅借吗"
ANSWER = "有的，儿童座椅在前台，跟同事说一声就能借。"


@pytest.fixture
async def place(database: Database) -> AsyncIterator[Place]:
    """The desk of a service that understands and answers as it ships."""
    whole = api_parts.Place(database)
    runner, port = await serve(application(whole.service, [routes]), "127.0.0.1", 0)
    async with contextlib.AsyncExitStack() as agents:
        yield Place(whole.service, whole.clock, f"http://127.0.0.1:{port}", agents)
    await runner.cleanup()


async def send(agent: Agent, path: str, origin: str | None = "", **fields: str) -> tuple[int, str]:
    answer = await form(agent.session, PAGE + path, agent.origin if origin == "" else origin, **fields)
    async with answer:
        return answer.status, answer.headers.get("Location", "") or html.unescape(await answer.text())


async def page(agent: Agent, path: str = "") -> str:
    async with agent.session.get(PAGE + path) as answer:
        assert answer.status == 200, path
        return html.unescape(await answer.text())


async def told(place: Place) -> str:
    """The last thing that was said to a customer."""
    return str([row for row in await place.rows(tables.messages) if row["author"] == "bot"][-1]["text"])


def written(key: str = "", seen: int = 0, /, **fields: str) -> dict[str, str]:
    return {"key": key, "seen": str(seen), "do": "save"} | fields


async def test_what_nobody_could_answer_is_answered_from_then_on(place: Place) -> None:
    """A tap begins the entry with the customers' own words; saved, it answers the next customer, in this process and in
    another, without a restart; and the question is no longer an open one."""
    eve = await place.agent("Eve", "supervisor")
    other = Library(place.service.content.knowledge)
    await other.open(place.database, place.clock.now())
    await place.say(ASKED, "v1")
    await place.say(LIKE, "v2")
    assert ANSWER not in await told(place)
    assert f'name="words" value="{ASKED}"' in await page(eve)
    status, draft = await send(eve, "/new", words=ASKED)
    assert status == 200
    assert f'name="zh_question" maxlength="120" autocomplete="off" value="{ASKED}"' in draft
    saved = await send(eve, "/save", **written(zh_question=ASKED, zh_phrasings=LIKE, zh_answer=ANSWER))
    assert saved == (303, f"{PAGE}?done=saved")
    await place.say("店里有儿童座椅吗？可以借用不", "v3")
    assert ANSWER in await told(place)
    assert await other.follow(place.database)
    assert not await other.follow(place.database)
    assert other.search(ASKED, "zh")[0].answer == ANSWER
    assert other.search("do you lend child seats", "en") is not None
    assert f'name="words" value="{ASKED}"' not in await page(eve)
    assert ANSWER[:10] in await page(eve, "?find=儿童座椅")
    assert "Is answered with" in await page(eve, f"?ask={ASKED}")
    await place.tap("有帮助", "v3")
    (row,) = [row for row in await place.rows(tables.knowledge) if row["answer"] == ANSWER]
    assert (row["language"], row["helpful"]) == ("zh", 1)
    actions = [row["action"] for row in await place.rows(tables.audit)]
    assert actions == ["knowledge_written"]


async def test_every_change_can_be_taken_back(place: Place) -> None:
    """A shipped entry is put in the house's own words, removed, brought back, and given its shipped words again; each
    is a version with its author."""
    eve, library = await place.agent("Eve", "supervisor"), place.service.library
    key = "opening_hours"
    was = library.shipped[key].languages["en"]
    ours = {
        "en_question": was.question,
        "en_answer": "Every day from 8 to 8.",
        "zh_question": "几点开门",
        "zh_answer": "8 点",
    }
    assert (await send(eve, "/save", **written(key, 0, **ours)))[0] == 303
    assert library.search(was.question, "en")[0].answer == "Every day from 8 to 8."
    assert (await send(eve, f"/entry/{key}/remove", seen="1"))[0] == 303
    assert all(hit.key != key for hit in library.search(was.question, "en"))
    shown = await page(eve, f"/entry/{key}")
    assert "Every day from 8 to 8." in shown
    assert "Eve ·" in shown
    assert (await send(eve, f"/entry/{key}/restore", seen="2", version="1"))[0] == 303
    assert library.search(was.question, "en")[0].answer == "Every day from 8 to 8."
    assert (await send(eve, f"/entry/{key}/shipped", seen="3"))[0] == 303
    assert library.search(was.question, "en")[0].answer == was.answer
    kinds = [(row["number"], row["kind"]) for row in await place.rows(tables.knowledge_versions)]
    assert kinds == [(1, "written"), (2, "removed"), (3, "written"), (4, "shipped")]
    again = Library(place.service.content.knowledge)
    await again.open(place.database, place.clock.now())  # as after a restart
    assert dict(again.entries) == dict(library.entries)
    assert (await send(eve, f"/entry/{key}/restore", seen="4", version="2"))[0] == 404  # a removal has no words
    assert (await send(eve, f"/entry/{key}/explode", seen="4"))[0] == 404


async def test_two_who_write_at_once_are_told(place: Place) -> None:
    """Nobody's words are lost: the one who was overtaken has theirs in the form still; of two at the very same moment
    the database takes one."""
    eve, ann = await place.agent("Eve", "supervisor"), await place.agent("Ann", "supervisor")
    mine = {"en_question": "May I bring my dog?", "en_answer": "Yes, on a lead."}
    assert (await send(eve, "/save", **written("invoice", 0, **mine)))[0] == 303
    status, shown = await send(ann, "/save", **written("invoice", 0, en_question="Dogs?", en_answer="Only small ones."))
    assert status == 409
    assert "Only small ones." in shown
    assert 'name="seen" value="1"' in shown
    entry, here = Entry("dogs", {"en": Said("Dogs?", "Yes.")}), place.service
    made = await asyncio.gather(
        *(knowledge.change(here.database, here.clock, "dogs", 0, "written", entry, actor=f"api:{n}") for n in range(8)),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in made) == ["Overtaken"] * 7 + ["Version"]
    with pytest.raises(Overtaken):
        await knowledge.change(here.database, here.clock, "dogs", 0, "removed", None, actor="api:x")


async def test_a_preview_shows_each_channel_and_saves_nothing(place: Place) -> None:
    """What the bot would say, with buttons where there are some and numbers by SMS; phrasings that would find another
    entry are named."""
    eve = await place.agent("Eve", "supervisor")
    fields = written(zh_question=ASKED, zh_answer=ANSWER, zh_phrasings="怎么开发票")
    status, shown = await send(eve, "/save", **fields | {"do": "preview"})
    assert status == 200
    preview = shown.partition('id="preview"')[2]
    assert [name for name in ("Web chat", "SMS") if name in preview] == ["Web chat", "SMS"]
    assert preview.count(ANSWER) >= 4
    assert "<li>有帮助</li>" in preview
    assert re.search(r"1\S* 有帮助", preview)
    assert "怎么开发票" in preview.partition('role="note"')[2].partition("</ul>")[0]
    assert await place.rows(tables.knowledge_versions) == []
    assert await place.rows(tables.outbox) == []


async def test_what_cannot_be_an_entry_says_why(place: Place) -> None:
    """Nothing half, nothing endless, no markup, no placeholders, no other site's form, no other role's."""
    eve, ann = await place.agent("Eve", "supervisor"), await place.agent("Ann")
    good = {"en_question": "Dogs?", "en_answer": "Yes."}
    for bad, words in (
        ({"en_answer": ""}, "Both the question and the answer"),
        ({"en_question": "x" * 121}, "at most 120"),
        ({"en_answer": "x" * 1501}, "at most 1500"),
        ({"en_phrasings": "\n".join(str(n) for n in range(51))}, "At most 50"),
        ({"en_phrasings": "x" * 30_000}, "at most 120"),
        ({"en_answer": "see [[case_number]]"}, "Leave out [["),
        ({"en_answer": "", "en_question": ""}, "at least one language"),
    ):
        status, shown = await send(eve, "/save", **written(**good | bad))
        assert (status, words in shown) == (422, True), bad
    assert (await send(ann, "/save", **written(**good)))[0] == 403
    assert (await send(eve, "/save", origin="https://evil.example", **written(**good)))[0] == 403
    for key in ("../../etc/passwd", "A", "x" * 64, "entry'--"):
        assert (await send(eve, "/save", **written(key, **good)))[0] == 404
    hostile = '<script>alert("1")</script>'
    braces = 'Use {entry} and {0} and \\n{{x}} "quoted"'
    assert (await send(eve, "/save", **written(en_question=hostile, en_answer=braces)))[0] == 303
    async with eve.session.get(PAGE) as answer:
        assert hostile not in await answer.text()
    (found,) = [
        each
        for each in place.service.library.entries.values()
        if "en" in each.languages and each.languages["en"].question == hostile
    ]
    status, shown = await send(
        eve, "/save", **written(found.key, 1, en_question="do you repair dental braces", en_answer=braces)
    )
    assert status == 303
    await place.say("do you repair dental braces", "v9")
    assert braces in await told(place)


async def test_what_is_exported_can_be_a_content_file(place: Place, tmp_path: Path) -> None:
    """Written at the desk, exported, read as `knowledge/*.yml`: the same entries."""
    eve = await place.agent("Eve", "supervisor")
    await send(eve, "/save", **written(en_question="Dogs: yes or no?", en_answer="Yes.\n\n# On a lead"))
    async with eve.session.get(f"{PAGE}/knowledge.yml") as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment")
        (tmp_path / "all.yml").write_text(await answer.text(), "utf-8")
    assert {each.key: each for each in read_knowledge(tmp_path)} == dict(place.service.library.entries)


async def test_programs_write_knowledge_too(database: Database) -> None:
    """Over the API: listed, written, overtaken, removed, written again."""
    place = api_parts.Place(database)
    english = {"question": "Is there parking?", "answer": "Behind the house.", "phrasings": ["where can I park my car"]}
    async with place.client() as client:

        async def call(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            async with client.post(f"/api/v1/knowledge/{path}", json=body) as answer:
                return answer.status, await answer.json()

        status, made = await call("parking", {"version": 0, "en": english})
        assert (status, made["version"], made["source"], made["zh"]) == (200, 1, "written", None)
        await place.say("Where can I park my car?", "v1", "web", "default")
        assert "Behind the house." in str(place.sent("web", "default"))
        assert (await call("parking", {"version": 0, "en": english}))[0] == 409
        assert (await call("parking", {"version": 1}))[0] == 422
        assert (await call("parking", {"version": 1, "en": english | {"answer": "[[x]]"}}))[0] == 422
        assert (await call("parking/remove", {"version": 1}))[1]["source"] == "removed"
        assert (await call("parking/remove", {"version": 2}))[0] == 404
        assert (await call("Parking!", {"version": 0, "en": english}))[0] == 404
        async with client.get("/api/v1/knowledge") as answer:
            listed = {each["key"]: each for each in (await answer.json())["items"]}
        assert listed["parking"]["source"] == "removed"
        assert listed["opening_hours"]["source"] == "shipped"
        assert (await call("parking", {"version": 2, "en": english}))[1]["version"] == 3
