"""Saved views of cases."""

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "case_views",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("filter", types.Json(), nullable=False),
        sa.Column("made_by", sa.String(60), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_views")),
        sa.UniqueConstraint("name", name=op.f("uq_case_views_name")),
        sqlite_autoincrement=True,
    )
