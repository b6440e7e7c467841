"""What a case is about, by which many are seen to say the same."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("cases", sa.Column("topic", sa.String(200)))
    op.create_index("ix_cases_topic_opened_at", "cases", ["topic", "opened_at"])
