"""Cases through their whole life: deadlines as records, tasks, groups of one matter, alerts."""

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "0005"
down_revision = "0004"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN_TASK = "state in ('waiting', 'acknowledged')"
_OPEN_DEADLINE = "state in ('running', 'frozen')"


def upgrade() -> None:
    _groups()
    _cases()
    _deadlines()
    _tasks()
    _alerts()
    op.add_column("staff", sa.Column("skills", types.Json()))
    op.add_column("case_events", sa.Column("told_at", types.UtcDateTime()))
    op.execute("update case_events set told_at = at")  # nobody listened then
    _index("ix_case_events_untold", "case_events", ["id"], "told_at is null")


def _index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def _groups() -> None:
    op.create_table(
        "case_groups",
        sa.Column("id", _ID, nullable=False),
        sa.Column("topic", sa.String(200), nullable=False),
        sa.Column("state", sa.String(10), nullable=False, server_default="open"),
        sa.Column("opened_at", types.UtcDateTime(), nullable=False),
        sa.Column("active_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_groups")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_case_groups_topic", "case_groups", ["topic"])


def _cases() -> None:
    for column in (
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("reports", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("waiting_since", types.UtcDateTime()),
        sa.Column("handed_at", types.UtcDateTime()),
        sa.Column("plan", types.CleanText()),
        sa.Column("cause", types.CleanText()),
        sa.Column("countermeasure", types.CleanText()),
        sa.Column("result", types.CleanText()),
        sa.Column("score", sa.Float()),
    ):
        op.add_column("cases", column)
    # In SQL, for Alembic adds no constraint to a table of SQLite.
    number = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    for name, target in (("merged_into", "cases"), ("group_id", "case_groups")):
        op.execute(f"ALTER TABLE cases ADD COLUMN {name} {number} CONSTRAINT fk_cases_{name} REFERENCES {target} (id)")
        op.create_index(f"ix_cases_{name}", "cases", [name])


def _deadlines() -> None:
    op.create_table(
        "deadlines",
        sa.Column("id", _ID, nullable=False),
        sa.Column("case_id", _ID, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(40), nullable=False, server_default=""),
        sa.Column("department", sa.String(60)),
        sa.Column("counted", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False, server_default="running"),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("started_at", types.UtcDateTime(), nullable=False),
        sa.Column("warn_at", types.UtcDateTime(), nullable=False),
        sa.Column("due_at", types.UtcDateTime(), nullable=False),
        sa.Column("warned_at", types.UtcDateTime()),
        sa.Column("breached_at", types.UtcDateTime()),
        sa.Column("level", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_at", types.UtcDateTime()),
        sa.Column("frozen_at", types.UtcDateTime()),
        sa.Column("left_seconds", sa.Float()),
        sa.Column("warn_left_seconds", sa.Float()),
        sa.Column("ended_at", types.UtcDateTime()),
        sa.Column("took_seconds", sa.Float()),
        sa.Column("spent_seconds", sa.Float(), nullable=False, server_default="0"),
        sa.Column("counted_from", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_deadlines_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadlines")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deadlines_case_id", "deadlines", ["case_id"])
    _index("ix_deadlines_next", "deadlines", ["next_at", "id"], "next_at is not null")
    _index("uq_deadlines_open", "deadlines", ["case_id", "kind", "subject"], _OPEN_DEADLINE, unique=True)
    # Who waited for an answer before there were clocks is not forgotten: what was promised runs on. It is counted as
    # deadlines.yml came with; there is no warning before, for it may be near or past.
    op.execute(
        "insert into deadlines (case_id, kind, counted, started_at, counted_from, warn_at, due_at, next_at) "
        "select id, 'first_response', "
        "case urgency when 'urgent' then 'clock' when 'important' then 'office' else 'workdays' end, "
        "opened_at, opened_at, respond_by, respond_by, respond_by from cases "
        "where responded_at is null and resolved_at is null and closed_at is null and state not in "
        "('resolved', 'following_up', 'closed', 'closed_unconfirmed', 'merged', 'duplicate', 'withdrawn') order by id"
    )


def _tasks() -> None:
    op.create_table(
        "case_tasks",
        sa.Column("id", _ID, nullable=False),
        sa.Column("case_id", _ID),
        sa.Column("contact_id", _ID),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("from_department", sa.String(60)),
        sa.Column("department", sa.String(60), nullable=False),
        sa.Column("owner_id", _ID),
        sa.Column("required", types.CleanText(), nullable=False),
        sa.Column("due_at", types.UtcDateTime()),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("outcome", types.CleanText()),
        sa.Column("made_by", sa.String(60), nullable=False),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.Column("acknowledged_at", types.UtcDateTime()),
        sa.Column("ended_at", types.UtcDateTime()),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_tasks_case_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_case_tasks_contact_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_case_tasks_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_tasks")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_case_tasks_case_id", "case_tasks", ["case_id"])
    op.create_index("ix_case_tasks_contact_id", "case_tasks", ["contact_id"])
    _index("ix_case_tasks_open", "case_tasks", ["department", "made_at"], _OPEN_TASK)


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("case_id", _ID),
        sa.Column("contact_id", _ID),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("audience", sa.String(80), nullable=False),
        sa.Column("pages", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("detail", types.Json()),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("taken_at", types.UtcDateTime()),
        sa.Column("taken_by", sa.String(60)),
        sa.Column("repeats", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_at", types.UtcDateTime()),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_alerts_case_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_alerts_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("subject", "audience", name=op.f("uq_alerts_subject_audience")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alerts_case_id", "alerts", ["case_id"])
    _index("ix_alerts_open", "alerts", ["at"], "taken_at is null")
    _index("ix_alerts_next", "alerts", ["next_at"], "next_at is not null")
