"""A month's report: what is counted, by which month, and that it adds up."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection, insert

from bot.cli import main
from bot.indicators import monthly
from storage import tables
from storage.database import Database

SHANGHAI = ZoneInfo("Asia/Shanghai")
MARCH = monthly.month("2026-03", SHANGHAI)
NOW = datetime(2026, 4, 10, tzinfo=SHANGHAI)


class Books:
    """Rows of a year, straight into the tables; days are those of Shanghai."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.count = 0
        self.contact = self.row(tables.contacts, external_id="c1", created_at=NOW)
        place = {"contact_id": self.contact, "channel": "sms", "account": "a", "address": "1", "created_at": NOW}
        self.address = self.row(tables.addresses, **place)
        self.talks = {channel: self.talk(channel) for channel in ("sms", "web")}

    def row(self, table: Any, **values: Any) -> int:
        return int(self.connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one())

    def talk(self, channel: str) -> int:
        values = {"lane": f"chat:{channel}", "channel": channel, "account": "a", "thread": "t", "language": "zh"}
        of = {"contact_id": self.contact, "address_id": self.address}
        return self.row(tables.conversations, **values, **of, created_at=NOW, active_at=NOW)

    def case(self, day: str, topic: str = "logistics:delay", state: str = "closed", **more: Any) -> int:
        at = datetime.fromisoformat(day).replace(tzinfo=SHANGHAI)
        after = more.pop("answered_after", timedelta(hours=1))
        values: dict[str, Any] = {
            "contact_id": self.contact,
            "conversation_id": self.talks[more.pop("channel", "sms")],
            "origin": "conversation",
            "state": state,
            "title": "late",
            "nature": [topic.split(":", maxsplit=1)[0]],
            "aspect": [topic.rsplit(":", maxsplit=1)[-1]],
            "topic": topic,
            "urgency": "normal",
            "fields": {},
            "language": "zh",
            "opened_at": at,
            "respond_by": at,
            "responded_at": None if after is None else at + after,
        }
        return self.row(tables.cases, **values | more)

    def service(self, day: str, score: float | None = None, state: str = "answered") -> None:
        self.count += 1
        at = datetime.fromisoformat(day).replace(tzinfo=SHANGHAI)
        told = {"external_id": f"e{self.count}", "contact_id": self.contact, "touchpoint": "store"}
        episode = self.row(tables.episodes, **told, ended_at=at, created_at=at)
        asked = {"episode_id": episode, "contact_id": self.contact, "definition": "post_service", "state": state}
        survey = self.row(tables.surveys, **asked, created_at=at, asked_at=at)
        if score is not None:
            given = {"survey_id": survey, "value": 1, "score": score, "source": "tap"}
            self.row(tables.ratings, **given, received_at=at + timedelta(minutes=1))


def a_year(connection: Connection) -> None:
    books = Books(connection)
    books.case("2026-02-28T23:59:59")  # of February, though it was March in no zone west of it
    books.case("2026-03-01T00:00:00", score=100.0)
    books.case("2026-03-10T09:00:00", score=60.0, channel="web")
    books.case("2026-03-11T09:00:00", state="planned", answered_after=timedelta(hours=25))
    books.case("2026-03-12T09:00:00", "service:attitude", "closed_unconfirmed")
    books.case("2026-03-12T10:00:00", "service:attitude", "in_progress", answered_after=None)
    books.case("2026-03-13T09:00:00", "price:billing", "withdrawn", answered_after=None)
    books.case("2026-03-14T09:00:00", "logistics:delay", "merged")
    books.case("2026-03-31T23:59:59", "product:quality")
    books.case("2026-04-01T00:00:00", "product:quality")
    for score in (100.0, 90.0, 80.0, None):
        books.service("2026-03-05T10:00:00", score, "answered" if score else "expired")
    for state in ("suppressed", "planned", "expired", "expired", "expired", "expired"):
        books.service("2026-03-06T10:00:00", None, state)
    books.service("2026-02-06T10:00:00", 40.0)
    books.row(
        tables.improvements,
        title="Call ahead",
        topic="logistics:delay",
        measure="-",
        impact=5,
        difficulty=1,
        state="in_progress",
        made_by="staff:1",
        made_at=NOW,
    )


@pytest.fixture
async def told(database: Database) -> monthly.Report:
    await database.write(a_year)
    return await database.read(lambda connection: monthly.report(connection, MARCH, SHANGHAI, NOW, ["feedback"]))


async def test_figures_are_those_of_the_months_own_days(told: monthly.Report) -> None:
    """By the office's calendar; beside them the month before."""
    now = {each.name: (round(each.now.value, 1), each.now.n) if each.now else None for each in told.figures}
    assert (told.services, told.ratings, told.complaints) == (10, 3, 8)
    assert now == {
        "complaint_rate": (70.0, 10),  # seven, without the merged one
        "scores_90": (66.7, 3),
        "within_24h": (66.7, 6),  # not the withdrawn and the merged; one late, one never
        "closure": (50.0, 6),  # three by the customer, of six
        "asked": (80.0, 10),
        "answered": (37.5, 8),
    }
    then = {each.name: round(each.then.value, 1) if each.then else None for each in told.figures}
    assert (then["complaint_rate"], then["scores_90"], then["closure"]) == (100.0, 0.0, 100.0)
    assert {each.name: each.met for each in told.figures if monthly.GOALS[each.name]} == {
        "within_24h": False,
        "closure": False,
    }


async def test_the_three_that_most_complained_about_stand_first(told: monthly.Report) -> None:
    """With their scores, the newest cases and what is done about them."""
    assert [(each.topic, each.count, each.then) for each in told.issues] == [
        ("logistics:delay", 3, 1),
        ("service:attitude", 2, 0),
        ("product:quality", 1, 0),
    ]
    first = told.issues[0]
    assert first.score is not None
    assert (first.score.value, first.score.n) == (80.0, 2)
    assert list(first.cases) == [4, 3, 2]
    assert list(first.measures) == [("Call ahead", "in_progress")]
    assert told.issues[1].measures == []
    assert round(sum(each.part.value for each in told.issues), 6) == 100.0


async def test_the_flow_adds_up_to_all_complaints(told: monthly.Report) -> None:
    """Each complaint once: from its channel through its nature to its outcome."""
    assert sum(count for *_, count in told.flow) == told.complaints
    assert ("web", "logistics", "closed", 1) in told.flow
    assert ("sms", "price", "withdrawn", 1) in told.flow
    assert ("sms", "logistics", "merged", 1) in told.flow


async def test_an_answer_that_may_still_come_in_time_is_not_held_against_us(database: Database) -> None:
    """A complaint of this morning waits, and is not late."""

    def young(connection: Connection) -> None:
        Books(connection).case("2026-03-31T20:00:00", state="received", answered_after=None)

    await database.write(young)
    at = datetime(2026, 4, 1, 10, tzinfo=SHANGHAI)
    for now, expected in ((at, None), (at + timedelta(days=1), 0.0)):
        told = await database.read(
            lambda connection, now=now: monthly.report(connection, MARCH, SHANGHAI, now, [])  # type: ignore[misc] # bound here
        )
        figure = next(each.now for each in told.figures if each.name == "within_24h")
        assert (figure.value if figure else None) == expected


@pytest.mark.parametrize("name", ["2026-13", "2026-00", "2026", "2026-1", "２０２６-11", "0000-01", "9999-12", ""])
def test_what_is_no_month_is_refused(name: str) -> None:
    """With how to write one."""
    with pytest.raises(ValueError, match="month"):
        monthly.month(name, SHANGHAI)


def test_a_month_ends_where_the_next_begins() -> None:
    """Also over the year's end, and back."""
    december = monthly.month("2026-12", SHANGHAI)
    assert december.until == monthly.month("2027-01", SHANGHAI).since
    assert monthly.before(monthly.month("2027-01", SHANGHAI), SHANGHAI) == december


@pytest.fixture
async def house(tmp_path: Path, sqlite: Database) -> Path:
    await sqlite.write(a_year)
    return tmp_path


def called(house: Path, *words: str) -> Result:
    return CliRunner(env={"EARFUL_DATA_DIR": str(house), "EARFUL_LANGUAGE": "zh"}).invoke(main, ["report", *words])


async def test_the_command_writes_it_in_either_language(house: Path) -> None:
    """To the screen or to a file; a month that is none is refused, and so is a place that cannot be written."""

    def calls() -> tuple[Result, ...]:
        file = house / "march.md"
        return (
            called(house, "--month", "2026-03"),
            called(house, "--month", "2026-03", "--language", "en", str(file)),
            called(house, "--month", "2026-3"),
            called(house, "--month", "2026-03", str(house / "none" / "march.md")),
        )

    chinese, english, wrong, nowhere = await asyncio.to_thread(calls)
    assert "| 24 小时内首次回复 | 66.7% (" in chinese.output
    assert "1. **物流 · 延误**：3 件" in chinese.output
    assert "Call ahead (进行中)" in chinese.output
    assert "| 合计 | | | 8 |" in chinese.output
    assert english.exit_code == 0
    text = (house / "march.md").read_text(encoding="utf-8")
    assert "| together | | | 8 |" in text
    assert "--from 2026-03-01 --before 2026-04-01" in text
    assert not any("\u4e00" <= sign <= "\u9fff" for sign in text)
    assert "write it as 2026-11" in wrong.output
    assert "cannot be written" in nowhere.output
