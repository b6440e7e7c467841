"""What goes out to others than customers: webhooks with what waits for them, and whom pages reach by mail."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, UniqueConstraint, text

from storage.table import ref, table, when
from storage.types import CleanText, Id, Json

webhooks = table(
    "webhooks",
    Column("name", String(100), nullable=False, unique=True),
    Column("url", String(500), nullable=False),
    Column("salt", String(64), nullable=False),  # with the server's secret it makes the webhook's own
    Column("mark", String(16), nullable=False),  # by which a changed server's secret is noticed; tells nothing of it
    Column("old_salt", String(64)),  # signs beside the new one for a while
    when("old_until"),
    Column("state", String(10), nullable=False, server_default="on"),  # on, off, gone
    Column("reason", String(300)),
    Column("made_by", String(60), nullable=False),
    when("created_at", nullable=False),
)

webhook_kinds = table(
    "webhook_kinds",  # what each listens to; *: everything
    Column("webhook_id", Id, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(60), nullable=False),
    UniqueConstraint("webhook_id", "kind"),
)

posts = table(
    "posts",
    Column("webhook_id", Id, ForeignKey("webhooks.id", ondelete="CASCADE")),
    Column("address", String(320)),  # of a mail
    ref("alert_id", "alerts"),
    Column("key", String(60), nullable=False),  # the same however often it is sent: webhook-id, Message-ID
    Column("kind", String(60), nullable=False),
    Column("data", Json, nullable=False),
    Column("state", String(10), nullable=False, server_default="waiting"),  # waiting, sent, dead, dropped
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("status", Integer),  # of the last answer
    Column("reason", CleanText),  # why the last attempt failed
    when("at", nullable=False),
    when("since", nullable=False),  # since when it is tried: anew when it is replayed
    when("next_at", nullable=False),  # while it is under way: when it is taken for lost
    when("finished_at"),
    Index(
        "ix_posts_waiting",
        "webhook_id",
        "next_at",
        postgresql_where=text("state = 'waiting'"),
        sqlite_where=text("state = 'waiting'"),
    ),
    Index(
        "ix_posts_dead",
        "webhook_id",
        "id",
        postgresql_where=text("state = 'dead'"),
        sqlite_where=text("state = 'dead'"),
    ),
    Index("ix_posts_webhook_id_id", "webhook_id", "id"),
    Index("ix_posts_alert_id", "alert_id"),
    Index("ix_posts_finished_at", "finished_at"),
)

pagers = table(
    "pagers",  # whom a page reaches by mail
    Column("audience", String(80), nullable=False),  # supervisor, admin, department:logistics
    Column("address", String(320), nullable=False),
    Column("language", String(8), nullable=False),
    when("created_at", nullable=False),
    UniqueConstraint("audience", "address"),
)
