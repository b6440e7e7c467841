"""Files that were sent, and their bytes."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, UniqueConstraint, text

from storage.table import ref, table, when
from storage.types import CleanText

attachments = table(
    "attachments",
    Column("key", String(32), nullable=False, unique=True),  # 128 random bits: names it to whoever may see it
    Column("lane", String(500), nullable=False),  # the conversation; there may be none yet
    Column("sender", String(10), nullable=False),  # customer, agent
    ref("staff_id", "staff"),
    Column("name", CleanText, nullable=False),
    Column("type", String(100), nullable=False),
    Column("family", String(10), nullable=False),  # image, audio, video, file
    Column("size", Integer, nullable=False),
    Column("digest", String(64)),  # sha256
    Column("state", String(10), nullable=False),  # coming, kept, said; wanted, lost
    Column("reason", String(20)),
    Column("reference", String(300)),  # the platform's own name for it
    Column("attempts", Integer, nullable=False, server_default="0"),
    when("not_before", nullable=False),
    when("created_at", nullable=False),
    Index("ix_attachments_lane", "lane"),
    Index("ix_attachments_created_at", "created_at"),
    Index(
        "ix_attachments_wanted",
        "not_before",
        postgresql_where=text("state = 'wanted'"),
        sqlite_where=text("state = 'wanted'"),
    ),
    Index(
        "ix_attachments_unsent",
        "created_at",
        postgresql_where=text("state in ('coming', 'kept')"),
        sqlite_where=text("state in ('coming', 'kept')"),
    ),
)

attachment_parts = table(
    "attachment_parts",
    ref("attachment_id", "attachments", nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    UniqueConstraint("attachment_id", "number"),
)
