"""Improvements, and the cases that they collect."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, UniqueConstraint

from storage.table import ref, table, when
from storage.types import CleanText, Json

improvements = table(
    "improvements",
    Column("title", CleanText, nullable=False),
    Column("topic", String(200), nullable=False),  # nature:aspect, as of cases
    Column("measure", CleanText, nullable=False),  # what is to be done
    Column("impact", Integer, nullable=False),  # 1 to 5
    Column("difficulty", Integer, nullable=False),  # 1 to 5
    ref("owner_id", "staff"),
    Column("target", CleanText),  # what is to be reached
    when("due_at"),
    Column("state", String(12), nullable=False),  # open, in_progress, done, verified, dropped
    Column("reason", CleanText),
    Column("made_by", String(60), nullable=False),
    when("made_at", nullable=False),
    when("done_at"),
    when("verified_at"),
    Column("verified_by", String(60)),
    Column("outcome", Json),  # what its topic's figures showed
    Column("version", Integer, nullable=False, server_default="0"),
)

improvement_cases = table(
    "improvement_cases",
    ref("improvement_id", "improvements", nullable=False),
    ref("case_id", "cases", nullable=False),
    Column("added_by", String(60), nullable=False),
    when("added_at", nullable=False),
    UniqueConstraint("improvement_id", "case_id"),
    Index("ix_improvement_cases_case_id", "case_id"),
)
