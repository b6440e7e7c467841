"""Surveys of a span of time, for coverage and for who was not asked."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index("ix_surveys_created_at", "surveys", ["created_at"])
