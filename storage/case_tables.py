"""Tables beside the cases: their deadlines, tasks, groups and alerts."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, UniqueConstraint, text

from storage.table import ref, table, when
from storage.types import CleanText, Json

case_groups = table(
    "case_groups",  # many customers, one matter
    Column("topic", String(200), nullable=False),
    Column("state", String(10), nullable=False, server_default="open"),  # open, closed
    when("opened_at", nullable=False),
    when("active_at", nullable=False),
    Index("ix_case_groups_topic", "topic"),
)

deadlines = table(
    "deadlines",
    ref("case_id", "cases", nullable=False),
    Column("kind", String(20), nullable=False),  # first_response, plan, execution, follow_up, call_back, remedy, task
    Column("subject", String(40), nullable=False, server_default=""),  # task:5, remedy:3
    Column("department", String(60)),
    Column("counted", String(10), nullable=False),
    Column("state", String(10), nullable=False, server_default="running"),  # running, frozen, met, cancelled
    Column("attempt", Integer, nullable=False, server_default="1"),
    when("started_at", nullable=False),
    when("warn_at", nullable=False),
    when("due_at", nullable=False),
    when("warned_at"),
    when("breached_at"),
    Column("level", Integer, nullable=False, server_default="0"),  # how far up it was escalated
    when("next_at"),  # when something happens next
    when("frozen_at"),
    Column("left_seconds", Float),  # of its own counting, while frozen; below zero where it was due already
    Column("warn_left_seconds", Float),
    when("ended_at"),
    Column("took_seconds", Float),  # of its own counting, without the time frozen
    Column("spent_seconds", Float, nullable=False, server_default="0"),  # until it was last frozen
    when("counted_from", nullable=False),  # since then it runs
    Index("ix_deadlines_case_id", "case_id"),
    Index(
        "ix_deadlines_next",
        "next_at",
        "id",
        postgresql_where=text("next_at is not null"),
        sqlite_where=text("next_at is not null"),
    ),
    # Of one kind and subject one runs.
    Index(
        "uq_deadlines_open",
        "case_id",
        "kind",
        "subject",
        unique=True,
        postgresql_where=text("state in ('running', 'frozen')"),
        sqlite_where=text("state in ('running', 'frozen')"),
    ),
)

case_tasks = table(
    "case_tasks",  # what one asks of another: a hand-over, a sub-task, a call-back
    ref("case_id", "cases"),
    ref("contact_id", "contacts"),
    Column("kind", String(20), nullable=False),  # hand_over, sub_task, call_back
    Column("from_department", String(60)),
    Column("department", String(60), nullable=False),
    ref("owner_id", "staff"),
    Column("required", CleanText, nullable=False),  # what is to be done
    when("due_at"),
    Column("state", String(12), nullable=False),  # waiting, acknowledged, done, returned, cancelled
    Column("outcome", CleanText),
    Column("made_by", String(60), nullable=False),
    when("made_at", nullable=False),
    when("acknowledged_at"),
    when("ended_at"),
    Index("ix_case_tasks_case_id", "case_id"),
    Index("ix_case_tasks_contact_id", "contact_id"),
    Index(
        "ix_case_tasks_open",
        "department",
        "made_at",
        postgresql_where=text("state in ('waiting', 'acknowledged')"),
        sqlite_where=text("state in ('waiting', 'acknowledged')"),
    ),
)

alerts = table(
    "alerts",  # what people are called for
    ref("case_id", "cases"),
    ref("contact_id", "contacts"),
    Column("kind", String(30), nullable=False),  # urgent, group, warned, breached, escalated, risk, stopped_delivery
    Column("subject", String(80), nullable=False),  # what it is about: the same twice is one
    Column("audience", String(80), nullable=False),  # supervisor, admin, department:logistics, staff:3
    Column("pages", Boolean, nullable=False, server_default=text("false")),  # repeated until somebody takes it
    Column("detail", Json),
    when("at", nullable=False),
    when("taken_at"),
    Column("taken_by", String(60)),
    Column("repeats", Integer, nullable=False, server_default="0"),
    when("next_at"),  # when it is repeated
    UniqueConstraint("subject", "audience"),
    Index("ix_alerts_case_id", "case_id"),
    Index("ix_alerts_open", "at", postgresql_where=text("taken_at is null"), sqlite_where=text("taken_at is null")),
    Index(
        "ix_alerts_next",
        "next_at",
        postgresql_where=text("next_at is not null"),
        sqlite_where=text("next_at is not null"),
    ),
)
