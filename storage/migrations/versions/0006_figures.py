"""Indexes for an agent's figures."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index(
        "ix_messages_staff_id_created_at",
        "messages",
        ["staff_id", "created_at"],
        unique=False,
        postgresql_where=sa.text("staff_id is not null"),
        sqlite_where=sa.text("staff_id is not null"),
    )
    op.create_index(
        "ix_surveys_judged",
        "surveys",
        ["judged"],
        unique=False,
        postgresql_where=sa.text("judged is not null"),
        sqlite_where=sa.text("judged is not null"),
    )
