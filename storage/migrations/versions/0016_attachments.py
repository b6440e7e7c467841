"""Files that were sent, and their bytes."""

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "0016"
down_revision = "0015"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", _ID, nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("lane", sa.String(500), nullable=False),
        sa.Column("sender", sa.String(10), nullable=False),
        sa.Column("staff_id", _ID, nullable=True),
        sa.Column("name", types.CleanText(), nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("family", sa.String(10), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(20), nullable=True),
        sa.Column("reference", sa.String(300), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", types.UtcDateTime(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_attachments_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        sa.UniqueConstraint("key", name=op.f("uq_attachments_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attachments_lane", "attachments", ["lane"])
    op.create_index("ix_attachments_created_at", "attachments", ["created_at"])
    for name, column, states in (
        ("ix_attachments_wanted", "not_before", "state = 'wanted'"),
        ("ix_attachments_unsent", "created_at", "state in ('coming', 'kept')"),
    ):
        where = sa.text(states)
        op.create_index(name, "attachments", [column], postgresql_where=where, sqlite_where=where)
    op.create_table(
        "attachment_parts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("attachment_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachments.id"], name=op.f("fk_attachment_parts_attachment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment_parts")),
        sa.UniqueConstraint("attachment_id", "number", name=op.f("uq_attachment_parts_attachment_id_number")),
        sqlite_autoincrement=True,
    )
