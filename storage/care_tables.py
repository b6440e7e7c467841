"""Customer care: who is looked at, what they are written by themselves, what came of the calls."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, UniqueConstraint, text

from storage.table import ref, table, when
from storage.types import CleanText, Json

call_tries = table(
    "call_tries",  # of a call-back: each time that somebody called
    ref("task_id", "case_tasks", nullable=False),
    when("at", nullable=False),
    Column("actor", String(60), nullable=False),  # staff:3, api:crm
    Column("result", String(12), nullable=False),  # reached, not_reached, again
    Column("note", CleanText),
    when("again_at"),  # when they want to be called
    Index("ix_call_tries_task_id", "task_id"),
)

care_watches = table(
    "care_watches",  # customers of whom a low rating or complaints are known: whether we may lose them
    ref("contact_id", "contacts", nullable=False),
    when("look_at"),  # when time alone may change it
    Column("reason", String(20)),  # low_ratings, complaints, silent; none: not at risk
    when("since"),
    Column("evidence", Json),  # the ratings and cases that it stands on
    UniqueConstraint("contact_id"),
    Index(
        "ix_care_watches_look_at",
        "look_at",
        postgresql_where=text("look_at is not null"),
        sqlite_where=text("look_at is not null"),
    ),
)

care_messages = table(
    "care_messages",
    ref("contact_id", "contacts", nullable=False),
    Column("key", String(60), nullable=False),  # of care.yml
    Column("occasion", String(60), nullable=False),  # 2026, episode:12: the same occasion is one
    Column("state", String(12), nullable=False),  # planned, sent, suppressed
    Column("reason", String(40)),  # why not
    ref("address_id", "addresses"),
    when("due_at", nullable=False),
    when("sent_at"),
    when("created_at", nullable=False),
    UniqueConstraint("contact_id", "key", "occasion"),
    Index(
        "ix_care_messages_due",
        "due_at",
        "id",
        postgresql_where=text("state = 'planned'"),
        sqlite_where=text("state = 'planned'"),
    ),
)
