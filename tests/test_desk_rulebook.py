"""Deadlines, office hours and departments changed at the desk: looked over, checked, in force everywhere at once, and
taken back."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from desk_parts import Agent, Place, form, opened
from sqlalchemy import insert
from test_desk_passing import present
from web_parts import START, house

from bot.cases import calendar_reading, deadlines, departments
from bot.cases.clocks import House
from bot.cases.rulebook import FILES, Rulebook
from bot.desk import rulebook_forms
from bot.desk.rulebook_forms import Wrong
from bot.settings import ASSISTANT
from bot.surveys import reading as surveys
from storage import tables
from storage.database import Database

CALENDAR, DEADLINES, DEPARTMENTS = (
    f"/desk/admin/house/{each}" for each in ("calendar.yml", "deadlines.yml", "departments.yml")
)
NEW_YEAR = datetime(2026, 12, 31, 13, 0, tzinfo=UTC)  # 21:00 in Shanghai: nobody is there any more


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    async with opened(sqlite) as place:
        yield place


async def shown(agent: Agent, path: str) -> tuple[str, dict[str, str]]:
    """The page, and what its form holds."""
    async with agent.session.get(path) as answer:
        assert answer.status == 200, path
        page = await answer.text()
    main = page.partition('id="rules"')[2].partition("</form>")[0]
    fields = dict(re.findall(r'<input (?:type="hidden" )?name="(\w+)" value="([^"]*)"', main))
    fields |= dict.fromkeys(re.findall(r'type="checkbox" name="(\w+)" value="1" checked', main), "1")
    fields |= dict(re.findall(r'<textarea name="(\w+)"[^>]*>([^<]*)</textarea>', main))
    for name, options in re.findall(r'<select name="(\w+)"[^>]*>(.*?)</select>', main, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        fields[name] = chosen[1] if chosen else ""
    return page, {name: html.unescape(value) for name, value in fields.items()}


async def send(agent: Agent, path: str, do: str, fields: dict[str, str]) -> tuple[int, str]:
    async with await form(agent.session, path, agent.origin, **(fields | {"do": do})) as answer:
        return answer.status, html.unescape(await answer.text())


async def test_holidays_are_entered_looked_over_and_hold_at_once(database: Database) -> None:
    """An administrator writes next year's holidays: the look shows what would change and changes nothing; saved, the
    promise of this process and of another knows them; it is in the audit; the file can be given its say again."""
    async with opened(database) as place:
        other = house(database, place.clock)
        place.clock.advance(NEW_YEAR - START)
        root = await place.agent("Ro", "admin")
        desk = place.service.policy.talking.desk
        assert desk.promise("important", NEW_YEAR, "en") == "by 17:00 tomorrow (Beijing time)"
        page, fields = await shown(root, CALENDAR)
        assert "holds now" in page
        fields |= {"holidays": "2027-01-01..2027-01-03 New Year", "workdays": "2027-01-10 9:00-12:00、13:30-18:00"}
        status, page = await send(root, CALENDAR, "preview", fields)
        assert status == 200
        rows = re.findall(r'<th scope="row">(.*?)</th><td[^>]*>(.*?)</td><td[^>]*><b>(.*?)</b>', page)
        assert ("2027-01-01 – 2027-01-03", "as usual", "closed") in rows
        assert ("2027-01-10", "as usual", "09:00–12:00, 13:30–18:00") in rows
        assert [new for what, _, new in rows if "important" in what.lower()] == ["by 17:00 on Monday (Beijing time)"]
        assert not await place.rows(tables.content_versions)

        assert (await send(root, CALENDAR, "save", fields))[0] == 303
        for each in (place.service, other):
            await each.follow()
            assert each.policy.talking.desk.promise("important", NEW_YEAR, "en") == "by 17:00 on Monday (Beijing time)"
            assert each.content.calendar is each.ticking.house.calendar
        (line,) = [row for row in await place.rows(tables.audit) if row["action"] == "content_written"]
        assert (line["actor"], line["subject"]) == (f"staff:{root.id}", "content:calendar.yml")
        page, again = await shown(root, CALENDAR)
        assert again["holidays"] == "2027-01-01..2027-01-03 # New Year"
        assert "What was saved here holds now" in page
        assert (await send(root, CALENDAR, "save", fields))[0] == 409  # it was seen as it is no more
        assert (await send(root, CALENDAR + "/restore", "", {"seen": again["seen"], "version": "0"}))[0] == 303
        assert desk.promise("important", NEW_YEAR, "en") == "by 17:00 tomorrow (Beijing time)"
        assert (await send(root, CALENDAR + "/restore", "", {"seen": "2", "version": "1"}))[0] == 303
        assert desk.promise("important", NEW_YEAR, "en") == "by 17:00 on Monday (Beijing time)"
        async with root.session.get(CALENDAR + "/text") as answer:
            assert "- 2027-01-01..2027-01-03  # New Year" in await answer.text()


async def test_deadlines_and_departments_by_form(sqlite: Database) -> None:
    """A shorter first response is promised from the next complaint on; a new department takes its kind of case; one
    that people and cases need is not removed."""
    async with opened(sqlite) as place:
        await place.say("I complain")
        root, ann = await place.agent("Ro", "admin"), await place.agent("Ann")
        _, fields = await shown(root, DEADLINES)
        fields |= {
            "urgent_amount": "1",
            "urgent_zh": "一小时内",
            "urgent_en": "within an hour",
            "to2": "admin",
            "after2": "48",
        }
        assert (await send(root, DEADLINES, "save", fields))[0] == 303
        assert place.service.policy.talking.desk.promise("urgent", place.clock.now(), "zh") == "一小时内"
        assert len(place.service.ticking.house.deadlines.escalation) == 3

        _, fields = await shown(root, DEPARTMENTS)
        fields |= {"key6": "lab", "zh6": "实验室", "en6": "The “lab”: tests", "nature_product": "lab", "gone1": "on"}
        status, page = await send(root, DEPARTMENTS, "preview", fields)
        assert (status, "Takes Product" in page) == (200, True)
        assert (await send(root, DEPARTMENTS, "save", fields))[0] == 303
        assert place.service.content.departments.by_nature["product"] == "lab"
        assert "product" not in place.service.ticking.house.departments.names
        await place.database.write(
            lambda link: link.execute(
                tables.staff.update().where(tables.staff.c.id == ann.id).values(department="quality")
            )
        )
        _, fields = await shown(root, DEPARTMENTS)
        gone = {f"gone{n}": "on" for n in range(7) if fields.get(f"key{n}") in ("quality", "logistics")}
        stay = {
            name: "service" for name, value in fields.items() if value in ("quality", "logistics") and "key" not in name
        }
        status, page = await send(root, DEPARTMENTS, "save", fields | stay | gone)
        assert (status, "people in it: 1" in page, "Logistics cannot be removed yet: open cases: 1" in page) == (
            409,
            True,
            True,
        )


WRONG: list[tuple[str, dict[str, str], str]] = [
    (CALENDAR, {"day0": "9-12"}, "The hours of Monday, “9-12”"),
    (CALENDAR, {"day0": "12:00-9:00"}, "end before they begin"),
    (CALENDAR, {f"day{n}": "" for n in range(7)}, "at least one day"),
    (CALENDAR, {"time_zone": "Moon/Base"}, "no time zone"),
    (CALENDAR, {"holidays": "2027-13-01"}, "“2027-13-01”"),
    (CALENDAR, {"holidays": "2027-05-02..2027-05-01"}, "cannot be read"),
    (
        CALENDAR,
        {"holidays": "2027-01-01\n", "workdays": "2027-01-01 9:00-10:00"},
        "both a holiday and a working day",
    ),
    (CALENDAR, {"workdays": "2027-01-02"}, "Write a day and its hours"),
    (CALENDAR, {"own_quality_day3": "9"}, "The hours of Thursday, “9”"),
    (CALENDAR, {"own_quality_time_zone": "Moon/Base"}, "no time zone"),
    (CALENDAR, {"own_quality_holidays": "2027-02-30"}, "cannot be read"),
    (CALENDAR, {"own_moon_time_zone": "", "own_moon_day0": "9:00-10:00"}, "there is no department 'moon'"),
    (DEADLINES, {"plan_amount": "0"}, "whole number, with its unit"),
    (DEADLINES, {"normal_en": "soon"}, "says {by} in both languages"),
    (DEADLINES, {"urgent_zh": " "}, "in both languages"),
    (DEADLINES, {"urgent_en": "within {moon}"}, "deadlines.yml:"),
    (DEADLINES, {"after1": "0"}, "stand in order"),
    (DEADLINES, {"warn": "100"}, "from 1 to 99"),
    (DEPARTMENTS, {"en0": ""}, "is not complete"),
    (DEPARTMENTS, {"key6": "hub\n  x: y", "zh6": "x", "en6": "x"}, "is not complete"),
    (DEPARTMENTS, {"gone0": "on"}, "Choose a department that stays"),
    (DEPARTMENTS, {"rule": "by_lot"}, "one of the ways"),
    (DEPARTMENTS, {"rule": "least_loaded", "most": "0"}, "from 1 to 1000"),
    (CALENDAR, {"as": "text", "text": "time_zone: Asia/Shanghai\nweekly: {monday: [9-10]}"}, "calendar.yml:2: "),
    (CALENDAR, {"as": "text", "text": "a: &a [1]\nb: *a"}, "calendar.yml:2: an anchor"),
    (DEPARTMENTS, {"as": "text", "text": "departments: {x: {zh: 啊, en: A}}"}, "lacks 'natures'"),
    (DEADLINES, {"as": "text", "text": "x" * 100_001}, "at most"),
]


async def test_what_cannot_be_is_refused_with_what_to_write(place: Place) -> None:
    """In the form by its field, in the file by its line; nothing is kept, and what was typed stands there still."""
    root = await place.agent("Ro", "admin")
    filled = {path: (await shown(root, path))[1] for path in (CALENDAR, DEADLINES, DEPARTMENTS)}
    for path, wrong, words in WRONG:
        status, page = await send(root, path, "save", filled[path] | wrong)
        assert (status, words in page) == (422, True), (path, wrong, page)
    assert not await place.rows(tables.content_versions)


async def test_a_departments_own_hours_and_how_conversations_are_given_out(place: Place) -> None:
    """By form, over what the house has; taken back by leaving them empty. Who waits is given out from then on, in place
    of the setting."""
    root = await place.agent("Ro", "admin")
    _, fields = await shown(root, CALENDAR)
    fields |= {"own_logistics_day0": "8:00-12:00、13:00-17:00", "own_logistics_holidays": "2027-05-01 Stocktaking"}
    fields |= {"own_logistics_workdays": "2027-05-08 8:00-12:00", "own_finance_time_zone": "Europe/Berlin"}
    status, page = await send(root, CALENDAR, "preview", fields)
    assert (status, "Logistics" in page, "hours of its own" in page) == (200, True, True)
    assert (await send(root, CALENDAR, "save", fields))[0] == 303
    calendar = place.service.ticking.house.calendar
    own = calendar.of("logistics")
    assert [len(day) for day in own.weekly] == [2, 0, 0, 0, 0, 0, 0]
    assert (calendar.of("finance").weekly, str(calendar.of("finance").zone)) == (calendar.weekly, "Europe/Berlin")
    again = (await shown(root, CALENDAR))[1]
    assert again["own_logistics_holidays"] == "2027-05-01 # Stocktaking"
    kept = {name: value for name, value in again.items() if name not in ("holidays", "seen")}
    assert kept == {name: fields[name] for name in kept} | {
        "own_logistics_day0": "8:00-12:00, 13:00-17:00",
        "own_logistics_holidays": "2027-05-01 # Stocktaking",
    }
    empty = {name: "" for name in again if name.startswith("own_")}
    assert (await send(root, CALENDAR, "save", again | empty))[0] == 303
    assert place.service.ticking.house.calendar.departments == {}

    ann = await place.agent("Ann")
    talk = await place.say("a person please")
    await present(place, ann)
    assert await place.service.assigning.look() == 0  # as the setting has it
    _, fields = await shown(root, DEPARTMENTS)
    assert fields["rule"] == ""
    status, page = await send(root, DEPARTMENTS, "preview", fields | {"rule": "least_loaded", "most": "2"})
    assert "at most 2 each" in page
    assert (await send(root, DEPARTMENTS, "save", fields | {"rule": "least_loaded", "most": "2"}))[0] == 303
    async with root.session.get("/desk/team") as answer:
        assert "at most 2 each" in await answer.text()
    assert await place.service.assigning.look() == 1
    assert (await ann.talk(talk))["conversation"]["owner"] == "agent"
    _, fields = await shown(root, DEPARTMENTS)
    assert (fields["rule"], fields["most"]) == ("least_loaded", "2")
    assert (await send(root, DEPARTMENTS, "save", fields | {"rule": ""}))[0] == 303
    assert "\nassignment:" not in place.service.rulebook.text("departments.yml")


async def test_only_administrators_change_the_house(sqlite: Database) -> None:
    async with opened(sqlite) as place:
        for name, role in (("Ann", "agent"), ("Eve", "supervisor")):
            agent = await place.agent(name, role)  # type: ignore[arg-type] # a role
            for path in (CALENDAR, CALENDAR + "/text"):
                async with agent.session.get(path) as answer:
                    assert answer.status == 403
            assert (await send(agent, CALENDAR, "save", {"as": "text", "text": "x"}))[0] == 403
            assert (await send(agent, CALENDAR + "/restore", "", {"version": "0"}))[0] == 403
        root = await place.agent("Ro", "admin")
        for path in ("/desk/admin/house/notices.yml", CALENDAR + "?version=9", CALENDAR + "?version=x"):
            async with root.session.get(path) as answer:
                assert answer.status == 404, path


async def test_of_two_who_save_at_once_one_is_told(place: Place) -> None:
    """Neither overwrites the other unseen."""
    one, two = [await place.agent(name, "admin") for name in ("Ro", "Ri")]
    _, fields = await shown(one, DEADLINES)
    found = await asyncio.gather(
        *(send(each, DEADLINES, "save", fields | {"warn": str(n)}) for n, each in ((60, one), (70, two)))
    )
    assert sorted(status for status, _ in found) == [303, 409]
    assert "Somebody was faster" in next(page for status, page in found if status == 409)


async def test_what_cannot_be_read_any_more_gives_way_to_the_file(place: Place) -> None:
    """A version that another Earful wrote stops nobody from starting."""
    values = {"file": "calendar.yml", "number": 1, "kind": "written", "text": "moons: 2", "actor": "staff:1"}
    statement = insert(tables.content_versions).values(values | {"created_at": place.clock.now()})
    await place.database.write(lambda connection: connection.execute(statement))
    before = place.service.content.calendar
    await place.service.follow()
    assert place.service.content.calendar == before
    page, _ = await shown(await place.agent("Ro", "admin"), CALENDAR)
    assert "holds now" in page


def test_a_form_writes_what_it_read() -> None:
    """Saved without a change, each file means what it meant; what the form does not show, and what is remarked in the
    file, stays."""
    book = Rulebook(ASSISTANT, read(ASSISTANT))
    for file in FILES:
        text = book.text(file)
        fields = rulebook_forms.fields_of(file, book.house, text)
        made = rulebook_forms.text_of(file, text, fields)
        assert book.tried(file, made) == book.house, file
        assert re.findall(r"#.*", made) == re.findall(r"#.*", text), file
        assert rulebook_forms.text_of(file, made, rulebook_forms.fields_of(file, book.house, made)) == made
    own = """time_zone: Europe/Berlin
holidays:
# they go on
- 2027-01-01   # New Year
- 2027-01-02
  # inside
weekly: {monday: ["0:00-24:00"], tuesday: [], wednesday: [], thursday: [], friday: [], saturday: [], sunday: []}
departments:
  quality: {weekly: {monday: ["8:00-9:00"], tuesday: [], wednesday: [], thursday: [], friday: [], saturday: [],
    sunday: []}}
"""
    held = book.tried("calendar.yml", own)
    fields = rulebook_forms.fields_of("calendar.yml", held, own)
    assert fields["day0"] == "0:00-24:00"
    made = rulebook_forms.text_of("calendar.yml", own, fields | {"workdays": "2027-01-03 10:00-11:00 # stock"})
    now = book.tried("calendar.yml", made)
    assert replace(now.calendar, special=held.calendar.special, departments=held.calendar.departments) == held.calendar
    assert now.calendar.departments["quality"].weekly == held.calendar.departments["quality"].weekly
    assert len(now.calendar.special) == len(held.calendar.special) + 1
    for remark in ("# New Year", "# inside", "# stock"):
        assert remark in made
    assert (fields["own_quality_day0"], fields["own_quality_day1"], fields["own_quality_holidays"]) == (
        "8:00-9:00",
        "",
        "",
    )
    with pytest.raises(Wrong):
        rulebook_forms.text_of("calendar.yml", own, fields | {"time_zone": "Europe/Berlin\nweekly: 1"})


def read(directory: Path) -> House:
    return House(
        deadlines.load(directory / "deadlines.yml"),
        calendar_reading.load(directory / "calendar.yml"),
        departments.load(directory / "departments.yml"),
        surveys.load(directory / "surveys.yml"),
    )
