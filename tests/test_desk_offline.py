"""What was said elsewhere is typed in or imported: it becomes a case, a rating, a customer, like everything online."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import openpyxl
import pytest
from aiohttp import FormData
from desk_parts import Agent, Place, form, opened
from web_parts import START

from bot import app
from bot.cases import numbers
from bot.desk.offline_page import LARGEST
from storage import tables
from storage.database import Database

ENTRY = "/desk/entry"
KEY = "0123456789abcdef" * 2


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    async with opened(sqlite) as place, app.running(place.service):
        yield place


async def enter(agent: Agent, key: str = KEY, **fields: str) -> tuple[int, str]:
    given = {"key": key, "where": "hotline", "language": "en"} | fields
    answer = await form(agent.session, ENTRY, agent.origin, **given)
    async with answer:
        return answer.status, answer.headers.get("Location", "") or await answer.text()


async def upload(agent: Agent, name: str, content: bytes, *, origin: str | None = "", **fields: str) -> tuple[int, str]:
    data = FormData(fields | {"where": fields.get("where", "paper"), "language": "en"})
    data.add_field("file", content, filename=name)
    headers = {"Cookie": "earful_lang=en"} | (
        {"Origin": agent.origin if origin == "" else origin} if origin is not None else {}
    )
    async with agent.session.post(f"{ENTRY}/table", data=data, headers=headers) as answer:
        return answer.status, await answer.text()


async def take(agent: Agent, page: str) -> str:
    """Press the button under the report."""
    hidden = dict(re.findall(r'type="hidden" name="(held|name|where|language)" value="([^"]*)"', page))
    data = FormData(hidden | {"take": "1"}, default_to_multipart=True)
    headers = {"Origin": agent.origin, "Cookie": "earful_lang=en"}
    async with agent.session.post(f"{ENTRY}/table", data=data, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def result(agent: Agent, path: str) -> str:
    async with agent.session.get(path) as answer:
        return await answer.text()


async def test_a_call_on_the_hotline_becomes_a_case(place: Place) -> None:
    """With its rating, the customer and the order number, once however often it is sent; its customer cannot be written
    to, so what is resolved is called about."""
    ann = await place.agent("Ann")
    said = {
        "words": "I complain: the lid broke",
        "rating": "2",
        "name": "Carla <b>",
        "customer_id": "c-7",
        "phone": "13800138000",
        "consent": "on",
        "order_number": "20260301123",
        "said_at": "2026-03-05T09:30",
    }
    for _ in range(2):
        assert await enter(ann, **said) == (303, f"{ENTRY}?entered=hotline:{KEY}")
    page = await result(ann, f"{ENTRY}?entered=hotline:{KEY}")
    assert f'href="/desk/cases/{numbers.number(1)}"' in page
    (case,), (rating,), (survey,) = [await place.rows(t) for t in (tables.cases, tables.ratings, tables.surveys)]
    assert (case["origin"], rating["value"], rating["source"], survey["state"]) == (
        "conversation",
        2,
        "entry",
        "answered",
    )
    (episode,), (contact,) = await place.rows(tables.episodes), await place.rows(tables.contacts)
    assert (episode["touchpoint"], contact["external_id"], contact["phone"]) == ("hotline", "c-7", "13800138000")
    heard = [row for row in await place.rows(tables.messages) if row["author"] == "customer"]
    assert [row["text"] for row in heard] == ["I complain: the lid broke\nOrder number: 20260301123"]
    talk = await ann.talk(case["conversation_id"])
    assert talk["channel"]["entered"]
    assert [(row["text"], row["name"]) for row in talk["messages"] if row["author"] == "system"] == [("entered", "Ann")]
    answer = await form(ann.session, f"/desk/cases/{numbers.number(1)}/resolve", ann.origin, result="A new lid")
    assert answer.status == 303
    (task,) = await place.rows(tables.case_tasks)
    assert ((await place.rows(tables.cases))[0]["state"], task["kind"]) == ("resolved", "call_back")


async def test_a_low_rating_alone_is_followed_up_and_a_good_one_counted(place: Place) -> None:
    """A rating without a word, and a word without a rating."""
    ann = await place.agent("Ann")
    assert (await enter(ann, rating="1"))[0] == 303
    assert (await enter(ann, key="a" * 32, rating="5", words="Thank you"))[0] == 303
    (case,) = await place.rows(tables.cases)
    assert (case["origin"], case["urgency"], case["title"]) == ("entry", "important", "Low rating: 😡 Very poor")
    assert sorted(row["score"] for row in await place.rows(tables.ratings)) == [20, 100]
    assert "There is nothing to follow up" in await result(ann, f"{ENTRY}?entered=hotline:{'a' * 32}")


async def test_what_cannot_be_an_entry_says_what_to_do(place: Place) -> None:
    """Nothing is written, and what was typed is kept."""
    ann = await place.agent("Ann")
    for fields, words in (
        ({}, "give the words or a rating"),
        ({"rating": "9"}, "from 1 to 5"),
        ({"words": "kept", "phone": "13800138000"}, "ask for their consent"),
        ({"words": "kept", "phone": "call me", "consent": "on"}, "no telephone number"),
        ({"words": "kept", "email": "me", "consent": "on"}, "no e-mail address"),
        ({"words": "kept", "where": "moon"}, "the channel is hotline"),
        ({"words": "kept", "said_at": "2027-01-01T10:00"}, "no time in the past"),
        ({"words": "x" * 4_001}, "at most 4000 characters"),
    ):
        status, page = await enter(ann, **fields)
        assert (status, words in page) == (422, True), fields
        assert "kept" not in fields.get("words", "") or ">kept</textarea>" in page
        assert KEY in page
    assert (await enter(ann, key="../../etc", words="x"))[0] == 400
    answer = await form(ann.session, ENTRY, "https://evil.example", key=KEY, where="hotline", words="x")
    assert answer.status == 403
    assert await place.rows(tables.inbox) == []
    assert await place.rows(tables.conversations) == []


CSV = """渠道,内容,评分,时间,编号,姓名,电话,同意联系
热线,I complain: no call back,2,2026-03-04 15:30,h1,王小曼,13800138000,是
门店,Nice shop,5,2026-03-04,h2,,,
,,,,,,,
纸质,,9,,h3,,,
纸质,Same id,,,h1,,,
纸质,Phone without consent,,,h4,,13800138000,
月球,From the moon,,,h5,,,
"""


async def test_a_table_is_looked_through_first_and_counts_once(place: Place) -> None:
    """What is wrong is named by its line; nothing is written before the button; imported again nothing happens."""
    eve = await place.agent("Eve", "supervisor")
    status, page = await upload(eve, "notes.csv", CSV.encode("gb18030"))
    assert status == 200
    assert "2 rows can be imported, 4 cannot" in page
    found = dict(re.findall(r'<th scope="row">(\d+)</th><td>([^<]*)</td>', page))
    assert set(found) == {"5", "6", "7", "8"}
    assert found["6"] == "the same as line 2"
    assert await place.rows(tables.inbox) == []
    for _ in range(2):
        assert "2 rows imported, 4 left out" in await take(eve, page)
    await place.service.settle()
    (case,) = await place.rows(tables.cases)
    assert case["title"].startswith("I complain: no call back")
    assert sorted(row["value"] for row in await place.rows(tables.ratings)) == [2, 5]
    sent = {row["event"]["thread"]: row["event"]["sent_at"] for row in await place.rows(tables.inbox)}
    assert set(sent) == {"api:hotline:h1", "api:store:h2"}
    assert sent["api:hotline:h1"].startswith("2026-03-04T07:30")


async def test_a_workbook_is_read_as_it_was_meant(place: Place) -> None:
    """Numbers that a spreadsheet made of ids, days without a time, formulas that are only text."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["text", "rating", "date", "id"], ["=1+1 I complain", 4.0, START.replace(tzinfo=None), 4711]):
        sheet.append(row)
    sheet["A2"].data_type = "s"
    made = io.BytesIO()
    book.save(made)
    eve = await place.agent("Eve", "supervisor")
    status, page = await upload(eve, "notes.xlsx", made.getvalue())
    assert (status, "1 rows can be imported, 0 cannot" in page) == (200, True), re.findall("<td>.*?</td>", page)
    await take(eve, page)
    assert [row["event"]["thread"] for row in await place.rows(tables.inbox)] == ["api:paper:4711"]


async def test_a_hostile_file_is_refused_with_what_to_do(place: Place) -> None:
    """No table, too large, a bomb, another site's, an agent's: nothing is written."""
    eve, ann = await place.agent("Eve", "supervisor"), await place.agent("Ann")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/sharedStrings.xml", b"0" * 60_000_000)
    for name, content, status, words in (
        ("a.csv", b"", 422, "Choose a file"),
        ("a.csv", b"\n\n", 422, "empty"),
        ("a.csv", b"colour,size\nred,1\n", 422, "no column of text or rating"),
        ("a.csv", b"text\n\xff\xff\x00", 422, "neither UTF-8"),
        ("a.xlsx", b"PK nonsense", 422, "no .xlsx workbook"),
        ("a.xlsx", bomb.getvalue(), 422, "too large"),
        ("a.csv", b"text\n" + b"x\n" * 1_200, 422, "too large"),
        ("a.csv", b"x" * (LARGEST + 1), 413, "too large"),
        ("a.csv", b"x" * 1_100_000, 413, "too large"),
    ):
        found, page = await upload(eve, name, content)
        assert (found, words in page) == (status, True), (name, content[:20])
    assert (await upload(eve, "a.csv", b"text\nx\n", origin="https://evil.example"))[0] == 403
    assert (await upload(ann, "a.csv", b"text\nx\n"))[0] == 403
    assert 'name="file"' not in await result(ann, ENTRY)
    assert await place.rows(tables.inbox) == []


async def test_an_entry_of_many_rows_is_quick(place: Place) -> None:
    """Three hundred rows, a third of them low ratings without a word."""
    eve = await place.agent("Eve", "supervisor")
    lines = ["text,rating,id", *(f"{'fine' if n % 3 else ''},{1 if n % 3 == 0 else 5},r{n}" for n in range(300))]
    _, page = await upload(eve, "many.csv", "\n".join(lines).encode())
    await take(eve, page)
    assert len(await place.rows(tables.cases)) == 100
    counted: dict[float, Any] = {}
    for row in await place.rows(tables.ratings):
        counted[row["score"]] = counted.get(row["score"], 0) + 1
    assert counted == {20: 100, 100: 200}
