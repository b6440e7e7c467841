"""Webhooks, what waits for them, and whom pages reach by mail. The timeline needs no mark of who was told."""

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "0011"
down_revision = "0010"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.drop_index("ix_case_events_untold", "case_events")
    op.drop_column("case_events", "told_at")
    op.create_table(
        "webhooks",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("salt", sa.String(64), nullable=False),
        sa.Column("mark", sa.String(16), nullable=False),
        sa.Column("old_salt", sa.String(64)),
        sa.Column("old_until", types.UtcDateTime()),
        sa.Column("state", sa.String(10), nullable=False, server_default="on"),
        sa.Column("reason", sa.String(300)),
        sa.Column("made_by", sa.String(60), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("name", name=op.f("uq_webhooks_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "webhook_kinds",
        sa.Column("id", _ID, nullable=False),
        sa.Column("webhook_id", _ID, nullable=False),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_kinds_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_kinds")),
        sa.UniqueConstraint("webhook_id", "kind", name=op.f("uq_webhook_kinds_webhook_id_kind")),
        sqlite_autoincrement=True,
    )
    _posts()
    op.create_table(
        "pagers",
        sa.Column("id", _ID, nullable=False),
        sa.Column("audience", sa.String(80), nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pagers")),
        sa.UniqueConstraint("audience", "address", name=op.f("uq_pagers_audience_address")),
        sqlite_autoincrement=True,
    )


def _posts() -> None:
    op.create_table(
        "posts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("webhook_id", _ID),
        sa.Column("address", sa.String(320)),
        sa.Column("alert_id", _ID),
        sa.Column("key", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("data", types.Json(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False, server_default="waiting"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("status", sa.Integer()),
        sa.Column("reason", types.CleanText()),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("since", types.UtcDateTime(), nullable=False),
        sa.Column("next_at", types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", types.UtcDateTime()),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], name=op.f("fk_posts_webhook_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_posts_alert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sqlite_autoincrement=True,
    )
    _index("ix_posts_waiting", ["webhook_id", "next_at"], "state = 'waiting'")
    _index("ix_posts_dead", ["webhook_id", "id"], "state = 'dead'")
    op.create_index("ix_posts_webhook_id_id", "posts", ["webhook_id", "id"])
    op.create_index("ix_posts_alert_id", "posts", ["alert_id"])
    op.create_index("ix_posts_finished_at", "posts", ["finished_at"])


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "posts", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
