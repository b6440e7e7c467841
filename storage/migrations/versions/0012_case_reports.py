"""What joined a case because it is the same matter, told again."""

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "0012"
down_revision = "0011"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("cases", sa.Column("reported_at", types.UtcDateTime()))
    op.create_table(
        "case_reports",
        sa.Column("id", _ID, nullable=False),
        sa.Column("case_id", _ID, nullable=False),
        sa.Column("conversation_id", _ID, nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("text", types.CleanText(), nullable=False),
        sa.Column("nature", types.Json(), nullable=False),
        sa.Column("aspect", types.Json(), nullable=False),
        sa.Column("urgency", sa.String(10), nullable=False),
        sa.Column("fields", types.Json(), nullable=False),
        sa.Column("split_into", _ID),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_reports_case_id")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_case_reports_conversation_id")
        ),
        sa.ForeignKeyConstraint(["split_into"], ["cases.id"], name="fk_case_reports_split_into"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_reports")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_case_reports_case_id", "case_reports", ["case_id"])
    op.create_index("ix_case_reports_conversation_id", "case_reports", ["conversation_id"])
