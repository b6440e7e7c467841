"""What staff made of the knowledge base."""

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "0009"
down_revision = "0008"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "knowledge_versions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("content", types.Json(), nullable=True),
        sa.Column("actor", sa.String(60), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_knowledge_versions")),
        sa.UniqueConstraint("key", "number", name=op.f("uq_knowledge_versions_key_number")),
        sqlite_autoincrement=True,
    )
