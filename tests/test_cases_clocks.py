"""Deadlines as records: counted, warned of, breached, escalated, each once and in order, whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from api_parts import Place, content
from loop_parts import START
from sqlalchemy import insert, select, update

from bot import content as contents
from bot.cases import calendar_reading, deadlines
from bot.cases.calendar import workday_time_between
from bot.cases.clocks import House
from bot.cases.tick import Ticking
from bot.clock import ManualClock
from bot.errors import ContentError
from bot.loop.casework import Worker
from bot.settings import ASSISTANT
from storage import tables
from storage.database import Database

COMPLAINT = "The parcel is damaged and nobody answers, order 55667788. I am very unhappy"
LOGISTICS = """
departments:
  logistics:
    weekly: {monday: ["8:00-12:00", "13:00-17:00"], tuesday: ["8:00-12:00"], wednesday: [], thursday: [],
             friday: [], saturday: [], sunday: []}
    workdays: [{date: 2026-03-07, hours: ["9:00-10:00"]}]
"""


def shipped(name: str, tmp_path: Path, more: str) -> Path:
    text = (ASSISTANT / name).read_text("utf-8")
    path = tmp_path / name
    path.write_text(text.replace("\ndepartments:\n", "\n#\n") + more if name == "calendar.yml" else text + more)
    return path


async def stages(place: Place) -> list[tuple[datetime, str]]:
    rows = await place.rows(tables.case_events)
    return [(row["at"], row["kind"]) for row in rows if row["kind"].startswith(("deadline_", "escalated"))]


async def test_a_deadline_is_warned_of_breached_and_escalated_each_once(database: Database) -> None:
    """With the time that each was due at, to the department, the supervisor, the administrator."""
    place = Place(database)
    await place.say(COMPLAINT, "emma")
    for _ in range(40):
        place.clock.advance(timedelta(hours=3))
        await place.service.settle()
        await place.service.settle()
    found = await stages(place)
    assert [kind for _, kind in found] == ["deadline_warned", "deadline_breached", "escalated", "escalated"]
    [row] = await place.rows(tables.deadlines)
    assert [at for at, _ in found][:3] == [row["warn_at"], row["due_at"], row["due_at"]]
    assert (row["next_at"], row["level"]) == (None, 2)
    audiences = [alert["audience"] for alert in await place.rows(tables.alerts)]
    [case] = await place.rows(tables.cases)
    of_the_house = f"department:{case['department']}"
    assert audiences == [of_the_house, of_the_house, "supervisor", "admin"]


async def test_a_clock_that_jumps_a_year_fires_each_once_and_in_order(database: Database) -> None:
    """Two cases, one with a plan: everything that was missed comes in the order of its own time, and nothing twice."""
    place = Place(database)
    await place.say(COMPLAINT, "emma")
    place.clock.advance(timedelta(hours=1))
    await place.say(COMPLAINT, "otto")
    await place.service.casework.assign(2, Worker("staff:1"))
    place.clock.advance(timedelta(days=365))
    for _ in range(3):
        await place.service.settle()
    found = await stages(place)
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    assert len(found) == 4 * 4  # two first responses, a plan, an execution
    assert all(at < place.clock.now() - timedelta(days=300) for at, _ in found)


async def test_another_process_goes_on_where_one_stopped(database: Database) -> None:
    """Nothing is kept in memory: a second ticking on the same database finds what the first left, once."""
    place = Place(database)
    await place.say(COMPLAINT, "emma")
    place.clock.advance(timedelta(days=10))
    other = Ticking(database, place.clock, place.service.ticking.house)
    assert await other.next_due() is not None
    assert await other.tick() == 1
    assert await other.tick() == await place.service.ticking.tick() == 0
    assert await other.next_due() is None
    assert len(await stages(place)) == 4


async def test_a_tick_of_many_keeps_their_order(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where what is due is more than a tick takes."""
    monkeypatch.setattr("bot.cases.tick.SCAN", 3)
    place = Place(database)
    await place.say(COMPLAINT, "emma")
    await place.database.write(lambda c: c.execute(tables.deadlines.delete()))

    def work(connection: Any) -> None:
        for n in range(10):
            due = START + timedelta(hours=5 + n % 4, minutes=n)
            values = {"case_id": 1, "kind": "task", "subject": f"task:{n}", "counted": "clock", "started_at": START}
            times = {"counted_from": START, "warn_at": START + timedelta(hours=n % 3), "due_at": due}
            next_at = {"next_at": times["warn_at"]}
            connection.execute(insert(tables.deadlines).values(values | times | next_at))

    await database.write(work)
    place.clock.advance(timedelta(days=30))
    await place.service.settle()
    found = await stages(place)
    assert len(found) == 40
    assert [at for at, _ in found] == sorted(at for at, _ in found)


async def test_what_is_met_in_time_fires_nothing(database: Database) -> None:
    """An answer in time: no warning, no breach, and the time it took in the house's own hours."""
    place = Place(database)
    await place.say(COMPLAINT, "emma")
    await place.service.casework.begin(1, Worker("staff:1"))
    await place.service.casework.ask(1, Worker("staff:1"), "Which one?")
    await place.service.casework.resume(1, Worker("staff:1"))
    [row] = [row for row in await place.rows(tables.deadlines) if row["kind"] == "first_response"]
    assert (row["state"], row["took_seconds"]) == ("met", 0.0)
    place.clock.advance(timedelta(days=1))
    await place.service.settle()
    assert await stages(place) == []


def test_departments_keep_hours_of_their_own(tmp_path: Path) -> None:
    """What they do not say is the house's; a moved workday (调休) counts for them alone."""
    house = calendar_reading.load(shipped("calendar.yml", tmp_path, LOGISTICS))
    friday = datetime(2026, 3, 6, 2, tzinfo=UTC)
    promised = House(deadlines.load(ASSISTANT / "deadlines.yml"), house, content().departments, content().surveys)
    office = deadlines.after(house.of("logistics"), friday, timedelta(hours=2), "office")
    assert office == datetime(2026, 3, 9, 1, tzinfo=UTC)  # an hour on Saturday, and one on Monday from 8:00
    assert deadlines.after(house.of("service"), friday, timedelta(hours=2), "office") == friday + timedelta(hours=2)
    assert promised.calendar.of("nobody") is house
    assert workday_time_between(house, friday, friday + timedelta(days=2)) == timedelta(days=2)


@pytest.mark.parametrize(
    ("file", "more", "said"),
    [
        ("calendar.yml", "\ndepartments: {marketing: {weekly: {monday: []}}}\n", "lacks"),
        ("calendar.yml", "\ndepartments: {nobody: {}}\n", "there is no department 'nobody'"),
        (
            "calendar.yml",
            "\ndepartments: {marketing: {weekly: {monday: [], tuesday: [], wednesday: [], thursday: [], friday: [],"
            " saturday: [], sunday: []}}}\n",
            "marketing is never open",
        ),
        ("deadlines.yml", "\ncall_back: {hours: 0, counted: clock}\n", "hours of call_back"),
    ],
)
def test_content_that_cannot_be_kept_is_refused(tmp_path: Path, file: str, more: str, said: str) -> None:
    """A department that never opens or does not exist; a deadline of no time."""
    import shutil

    place = tmp_path / "assistant"
    shutil.copytree(ASSISTANT, place)
    text = (place / file).read_text("utf-8")
    text = text.replace("\ndepartments:\n", "\n#\n").replace("\ncall_back:\n  hours: 24\n  counted: workdays\n", "\n")
    (place / file).write_text(text + more)
    with pytest.raises(ContentError, match=said):
        contents.load(place)


async def test_a_department_that_is_taken_out_still_owns_its_cases(database: Database) -> None:
    """Its cases are worked on, count the house's hours, and can be handed to one that exists."""
    place = Place(database)
    await place.say(COMPLAINT, "emma")
    gone = update(tables.cases).values(department="gone")
    await database.write(lambda c: c.execute(gone))
    work, by = place.service.casework, Worker("staff:1")
    await work.begin(1, by)
    place.clock.advance(timedelta(days=20))
    await place.service.settle()
    assert "department:gone" in [alert["audience"] for alert in await place.rows(tables.alerts)]
    await work.assign(1, by, department="quality", required="take it over")
    department = select(tables.cases.c.department)
    assert await database.read(lambda c: c.execute(department).scalar()) == "quality"
    [task] = await place.rows(tables.case_tasks)
    assert (task["from_department"], task["department"], task["required"]) == ("gone", "quality", "take it over")


def test_a_clock_is_moved_forward_only() -> None:
    """The manual one; the system's own may go back, and then nothing fires until it has caught up."""
    clock = ManualClock(START)
    with pytest.raises(ValueError, match="does not go back"):
        clock.move_to(START - timedelta(seconds=1))
