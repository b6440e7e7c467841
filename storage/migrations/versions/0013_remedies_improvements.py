"""What makes good: refund, exchange, compensation, apology. Improvements, and the cases that they collect."""

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "0013"
down_revision = "0012"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = "state in ('proposed', 'approved')"


def upgrade() -> None:
    _remedies()
    _improvements()


def _remedies() -> None:
    op.create_table(
        "case_remedies",
        sa.Column("id", _ID, nullable=False),
        sa.Column("case_id", _ID, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("amount", sa.BigInteger()),
        sa.Column("note", types.CleanText()),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("made_by", sa.String(60), nullable=False),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.Column("decided_by", sa.String(60)),
        sa.Column("decided_at", types.UtcDateTime()),
        sa.Column("reason", types.CleanText()),
        sa.Column("promised_until", types.UtcDateTime()),
        sa.Column("done_by", sa.String(60)),
        sa.Column("done_at", types.UtcDateTime()),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_remedies_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_remedies")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_case_remedies_case_id", "case_remedies", ["case_id"])
    op.create_index(
        "ix_case_remedies_open",
        "case_remedies",
        ["id"],
        postgresql_where=sa.text(_OPEN),
        sqlite_where=sa.text(_OPEN),
    )


def _improvements() -> None:
    op.create_table(
        "improvements",
        sa.Column("id", _ID, nullable=False),
        sa.Column("title", types.CleanText(), nullable=False),
        sa.Column("topic", sa.String(200), nullable=False),
        sa.Column("measure", types.CleanText(), nullable=False),
        sa.Column("impact", sa.Integer(), nullable=False),
        sa.Column("difficulty", sa.Integer(), nullable=False),
        sa.Column("owner_id", _ID),
        sa.Column("target", types.CleanText()),
        sa.Column("due_at", types.UtcDateTime()),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("reason", types.CleanText()),
        sa.Column("made_by", sa.String(60), nullable=False),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.Column("done_at", types.UtcDateTime()),
        sa.Column("verified_at", types.UtcDateTime()),
        sa.Column("verified_by", sa.String(60)),
        sa.Column("outcome", types.Json()),
        sa.Column("version", sa.Integer(), nullable=False, server_default="0"),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_improvements_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_improvements")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "improvement_cases",
        sa.Column("id", _ID, nullable=False),
        sa.Column("improvement_id", _ID, nullable=False),
        sa.Column("case_id", _ID, nullable=False),
        sa.Column("added_by", sa.String(60), nullable=False),
        sa.Column("added_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["improvement_id"], ["improvements.id"], name=op.f("fk_improvement_cases_improvement_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_improvement_cases_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_improvement_cases")),
        sa.UniqueConstraint("improvement_id", "case_id", name=op.f("uq_improvement_cases_improvement_id_case_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_improvement_cases_case_id", "improvement_cases", ["case_id"])
