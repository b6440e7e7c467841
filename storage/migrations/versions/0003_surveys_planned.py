"""Surveys say when they are asked, for which period, and whether anonymously; the versions they began with are kept."""

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("surveys", sa.Column("anonymous", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("surveys", sa.Column("period", sa.String(20), nullable=True))
    op.add_column("surveys", sa.Column("asked_at", types.UtcDateTime(), nullable=True))
    op.execute("update surveys set asked_at = created_at where progress is not null and state <> 'suppressed'")
    op.create_index("ix_surveys_definition_asked_at", "surveys", ["definition", "asked_at"])
    op.create_index(
        "uq_surveys_period",
        "surveys",
        ["contact_id", "definition", "period"],
        unique=True,
        postgresql_where=sa.text("period is not null"),
        sqlite_where=sa.text("period is not null"),
    )
    op.create_table(
        "survey_versions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("definition", sa.String(60), nullable=False),
        sa.Column("version", sa.String(20), nullable=False),
        sa.Column("content", types.Json(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_versions")),
        sa.UniqueConstraint("definition", "version", name=op.f("uq_survey_versions_definition_version")),
        sqlite_autoincrement=True,
    )
