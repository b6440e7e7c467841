"""What a message costs does not grow with what is stored: no statement of a journey reads a whole table."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from sqlalchemy.dialects import sqlite as sqlite_dialect
from statement_parts import heard
from test_loop_second_look import SAME, Slow, complain
from web_parts import START, house

from bot.contacts.service import Person, meet
from bot.loop.state import _PEOPLE
from bot.settings import load
from bot.simulation.play import play
from bot.simulation.scenario import read
from bot.web.health import _waiting
from storage.database import Database
from storage.prepared import as_prepared
from storage.tables import metadata

JOURNEYS = (
    "agent_resolves_and_is_rated",
    "ask_how_far_the_case_is",
    "complaint_zh_web",
    "episode_one_tap_low",
    "expired_survey_counts_nothing",
    "lost_answer_is_unknown",
    "negative_comment",
    "person_office_open",
    "survey_quoted_under_an_agent",
)
SMALL = {
    *(
        "staff",
        "knowledge",
        "knowledge_versions",
        "content_versions",
        "survey_versions",
        "notes",
        "api_tokens",
        "alembic_version",
    ),
    *("webhooks", "webhook_kinds", "pagers"),
}
"""Tables that do not grow with what customers say."""
OPEN_ONLY = {
    *("ix_inbox_new", "ix_outbox_open", "ix_timers_due", "ix_conversations_waiting", "uq_surveys_awaiting"),
    "ix_posts_waiting",
    "ix_posts_dead",
    "ix_care_messages_due",
    "ix_care_watches_look_at",
}
"""Indexes of what waits: to read one through costs what is open, not what is stored."""


async def test_no_statement_of_a_journey_reads_a_whole_table(
    tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own plan of every statement names an index, or one of what waits."""
    with _said(monkeypatch) as statements:
        for name in JOURNEYS:
            await play(
                read(Path(__file__).parent / "scenarios" / f"{name}.yml"),
                load(environment={}, encoders=False),
                tmp_path,
            )
    _check(statements, migrated_sqlite, least=30)


async def test_no_statement_beside_the_journeys_reads_a_whole_table(
    sqlite: Database, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sweeps, timers, the second look, metrics and what the business system tells: the more is stored, the more often
    they come."""
    service = house(sqlite, closer=Slow(SAME))
    await complain(service)
    places = [("sms", "a", "+1"), ("web", "default", "v1"), ("email", "a", "x@example.com")]
    with _said(monkeypatch) as statements:
        await service.turns.sweep()
        await service.timers.fire()
        await service.timers.next_due()
        await service.delivery.sweep()
        await service.delivery.abandon()
        assert await service.second_look.look() == 1
        await sqlite.read(_waiting)
        await sqlite.write(lambda connection: meet(connection, Person(external_id="7"), places, START, "test"))
    _check(statements, migrated_sqlite, least=15)


@contextmanager
def _said(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Every statement that the product executes meanwhile."""
    statements: set[str] = set()

    def note(statement: str) -> None:
        if statement not in statements and not _of_the_player():
            statements.add(statement)  # how the player looks at the outcome is not the product's

    with heard(monkeypatch, note):
        yield statements


def _of_the_player() -> bool:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if "/simulation/" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


def _check(statements: set[str], migrated: Path, *, least: int) -> None:
    worked = [text for text in statements if text.split(None, 1)[0] in ("SELECT", "UPDATE", "DELETE", "select")]
    assert len(worked) > least
    with sqlite3.connect(migrated) as connection:
        whole = {text: found for text in worked if (found := _read_whole(connection, text))}
    assert not whole, "\n".join(f"{plan}: {' '.join(text.split())}" for text, plan in whole.items())


def _read_whole(connection: sqlite3.Connection, statement: str) -> list[str]:
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?")).fetchall()
    return [detail for *_, detail in plan if _is_whole(detail)]


def _is_whole(detail: str) -> bool:
    words = detail.split()
    if "AUTOMATIC" in words:
        return True  # an index made anew for this one statement
    if re.search(r"\(channel=\?( AND account=\?)?\)$", detail):
        return True  # a channel's rows are all rows, where there is one channel
    if words[0] != "SCAN" or words[1] not in metadata.tables or words[1] in SMALL:
        return False
    return not set(words) & OPEN_ONLY


@pytest.mark.parametrize(
    ("detail", "whole"),
    [
        ("SCAN messages", True),
        ("SEARCH outbox USING INDEX ix_outbox_reference (channel=?)", True),
        ("SEARCH outbox USING INDEX ix_outbox_reference (channel=? AND account=? AND reference=?)", False),
        ("SCAN messages USING COVERING INDEX ix_messages_conversation_id_id", True),
        ("SEARCH surveys USING AUTOMATIC PARTIAL COVERING INDEX (address_id=?)", True),
        ("SEARCH messages USING INTEGER PRIMARY KEY (rowid=?)", False),
        ("SCAN inbox USING INDEX ix_inbox_new", False),
        ("SCAN json_each VIRTUAL TABLE INDEX 1:", False),
    ],
)
def test_a_plan_that_reads_a_whole_table_is_seen(detail: str, whole: bool) -> None:
    """The test above can fail."""
    assert _is_whole(detail) is whole


def test_whoever_is_new_is_looked_for_by_the_whole_key(migrated_sqlite: Path) -> None:
    """By the channel alone it would be an index, too, and read every address of the channel."""
    with sqlite3.connect(migrated_sqlite) as connection:
        statement = as_prepared(_PEOPLE, sqlite_dialect.dialect()).sql
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?")).fetchall()
    assert any("(channel=? AND account=? AND address=?)" in detail for *_, detail in plan), plan
