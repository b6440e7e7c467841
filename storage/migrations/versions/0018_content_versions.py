"""What staff made of the content files that rule the house."""

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "0018"
down_revision = "0017"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "content_versions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("file", sa.String(60), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("text", types.CleanText(), nullable=True),
        sa.Column("actor", sa.String(60), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_versions")),
        sa.UniqueConstraint("file", "number", name=op.f("uq_content_versions_file_number")),
        sqlite_autoincrement=True,
    )
