"""The desk: whispers, mentions, canned replies, corrections; departments and presence of staff."""

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "0004"
down_revision = "0003"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("conversations", sa.Column("department", sa.String(60), nullable=True))
    op.add_column("staff", sa.Column("department", sa.String(60), nullable=True))
    op.add_column("staff", sa.Column("away", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("staff", sa.Column("seen_at", types.UtcDateTime(), nullable=True))
    op.create_table(
        "canned_replies",
        sa.Column("id", _ID, nullable=False),
        sa.Column("shortcut", sa.String(40), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("department", sa.String(60), server_default="", nullable=False),
        sa.Column("title", types.CleanText(), nullable=False),
        sa.Column("text", types.CleanText(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_replies")),
        sa.UniqueConstraint(
            "shortcut", "language", "department", name=op.f("uq_canned_replies_shortcut_language_department")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "whispers",
        sa.Column("id", _ID, nullable=False),
        sa.Column("conversation_id", _ID, nullable=False),
        sa.Column("staff_id", _ID, nullable=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("text", types.CleanText(), nullable=False),
        sa.Column("client_key", sa.String(80), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_whispers_conversation_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_whispers_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_whispers")),
        sa.UniqueConstraint("conversation_id", "client_key", name=op.f("uq_whispers_conversation_id_client_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_whispers_conversation_id_id", "whispers", ["conversation_id", "id"], unique=False)
    op.create_table(
        "mentions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("whisper_id", _ID, nullable=False),
        sa.Column("conversation_id", _ID, nullable=False),
        sa.Column("staff_id", _ID, nullable=False),
        sa.Column("seen_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["whisper_id"], ["whispers.id"], name=op.f("fk_mentions_whisper_id")),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_mentions_conversation_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_mentions_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentions")),
        sa.UniqueConstraint("whisper_id", "staff_id", name=op.f("uq_mentions_whisper_id_staff_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_mentions_unseen",
        "mentions",
        ["staff_id", "conversation_id"],
        unique=False,
        postgresql_where=sa.text("seen_at is null"),
        sqlite_where=sa.text("seen_at is null"),
    )
    op.create_table(
        "corrections",
        sa.Column("id", _ID, nullable=False),
        sa.Column("message_id", _ID, nullable=False),
        sa.Column("staff_id", _ID, nullable=False),
        sa.Column("understood", types.Json(), nullable=True),
        sa.Column("intent", sa.String(60), nullable=True),
        sa.Column("nature", types.Json(), nullable=False),
        sa.Column("sentiment", sa.String(10), nullable=True),
        sa.Column("urgency", sa.String(10), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_corrections_message_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_corrections_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
        sa.UniqueConstraint("message_id", name=op.f("uq_corrections_message_id")),
        sqlite_autoincrement=True,
    )
