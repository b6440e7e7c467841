"""Tables of the desk: what staff say among themselves, replies kept ready, corrections to train on."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, UniqueConstraint, text

from storage.table import ref, table, when
from storage.types import CleanText, Id, Json

# What staff say among themselves stands apart from messages: nothing that shows a customer their conversation reads it.
whispers = table(
    "whispers",
    ref("conversation_id", "conversations", nullable=False),
    ref("staff_id", "staff"),  # none: the system
    Column("kind", String(12), nullable=False),  # note, transfer, summary
    Column("text", CleanText, nullable=False),
    Column("client_key", String(80)),
    when("created_at", nullable=False),
    Index("ix_whispers_conversation_id_id", "conversation_id", "id"),
    UniqueConstraint("conversation_id", "client_key"),
)

mentions = table(
    "mentions",
    ref("whisper_id", "whispers", nullable=False),
    ref("conversation_id", "conversations", nullable=False),
    ref("staff_id", "staff", nullable=False),
    when("seen_at"),
    UniqueConstraint("whisper_id", "staff_id"),
    Index(
        "ix_mentions_unseen",
        "staff_id",
        "conversation_id",
        postgresql_where=text("seen_at is null"),
        sqlite_where=text("seen_at is null"),
    ),
)

canned_replies = table(
    "canned_replies",
    Column("shortcut", String(40), nullable=False),
    Column("language", String(8), nullable=False),
    Column("department", String(60), nullable=False, server_default=""),  # empty: everybody's
    Column("title", CleanText, nullable=False),
    Column("text", CleanText, nullable=False),
    when("updated_at", nullable=False),
    UniqueConstraint("shortcut", "language", "department"),
)

# An agent's word on what a message meant, to train on. The words themselves stay with the message.
corrections = table(
    "corrections",
    Column("message_id", Id, ForeignKey("messages.id"), nullable=False, unique=True),
    ref("staff_id", "staff", nullable=False),
    Column("understood", Json),  # what the bot had made of it
    Column("intent", String(60)),
    Column("nature", Json, nullable=False),
    Column("sentiment", String(10)),
    Column("urgency", String(10)),
    when("created_at", nullable=False),
)

# What staff made of the knowledge base: of an entry's versions the last counts.
knowledge_versions = table(
    "knowledge_versions",
    Column("key", String(100), nullable=False),
    Column("number", Integer, nullable=False),  # from 1; two who write at once cannot both have the next
    Column("kind", String(10), nullable=False),  # written, removed, shipped
    Column("content", Json),
    Column("actor", String(60), nullable=False),  # staff:7, api:crm
    when("created_at", nullable=False),
    UniqueConstraint("key", "number"),
)

# What staff made of content files that rule the house: of a file's versions the last counts.
content_versions = table(
    "content_versions",
    Column("file", String(60), nullable=False),  # calendar.yml
    Column("number", Integer, nullable=False),  # from 1; two who write at once cannot both have the next
    Column("kind", String(10), nullable=False),  # written, shipped: as the file has it
    Column("text", CleanText),
    Column("actor", String(60), nullable=False),  # staff:7
    when("created_at", nullable=False),
    UniqueConstraint("file", "number"),
)
