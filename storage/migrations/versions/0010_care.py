"""Customer care: call-backs with their outcomes, rank in the queue, who may be lost, messages by consent."""

import sqlalchemy as sa
from alembic import op

from storage import types

revision = "0010"
down_revision = "0009"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN_CALL = "kind = 'call_back' and state in ('waiting', 'acknowledged')"


def upgrade() -> None:
    _calls()
    _ranks()
    _contacts()
    _care()


def _calls() -> None:
    for column in (
        sa.Column("why", sa.String(20)),
        sa.Column("result", sa.String(12)),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("again_at", types.UtcDateTime()),
        sa.Column("next_at", types.UtcDateTime()),
        sa.Column("level", sa.Integer(), nullable=False, server_default="0"),
    ):
        op.add_column("case_tasks", column)
    op.execute(
        "update case_tasks set why = case when made_by like 'interview:%' then 'interview' else 'unreachable' end "
        "where kind = 'call_back'"
    )
    # Who agreed to a talk before calls had clocks is not forgotten.
    op.execute(
        "update case_tasks set next_at = due_at, level = 1 "
        "where case_id is null and kind = 'call_back' and state in ('waiting', 'acknowledged')"
    )
    _index("ix_case_tasks_calls", "case_tasks", ["due_at", "id"], _OPEN_CALL)
    _index("ix_case_tasks_next", "case_tasks", ["next_at"], "next_at is not null")
    op.create_table(
        "call_tries",
        sa.Column("id", _ID, nullable=False),
        sa.Column("task_id", _ID, nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(60), nullable=False),
        sa.Column("result", sa.String(12), nullable=False),
        sa.Column("note", types.CleanText()),
        sa.Column("again_at", types.UtcDateTime()),
        sa.ForeignKeyConstraint(["task_id"], ["case_tasks.id"], name=op.f("fk_call_tries_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_tries")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_call_tries_task_id", "call_tries", ["task_id"])

    _index("ix_alerts_contact_id", "alerts", ["contact_id"], "contact_id is not null")


def _ranks() -> None:
    op.add_column("conversations", sa.Column("rank", sa.Integer(), nullable=False, server_default="2"))
    op.execute("update conversations set rank = 0 where owner = 'queue' and reason = 'urgent'")
    op.execute(
        "update conversations set rank = 1 where owner = 'queue' and rank = 2 "
        "and contact_id in (select id from contacts where segment = 'high_value')"
    )
    op.drop_index("ix_conversations_waiting", "conversations")
    _index("ix_conversations_waiting", "conversations", ["owner", "rank", "queued_at"], "owner <> 'bot'")


def _contacts() -> None:
    for column in (
        sa.Column("segment_told", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("risk", sa.String(20)),
        sa.Column("birthday", sa.String(5)),
        sa.Column("care_agreed_at", types.UtcDateTime()),
    ):
        op.add_column("contacts", column)
    # In SQL, for Alembic adds no constraint to a table of SQLite.
    number = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(
        f"ALTER TABLE contacts ADD COLUMN manager_id {number} CONSTRAINT fk_contacts_manager_id REFERENCES staff (id)"
    )
    op.execute("update contacts set segment_told = true where segment is not null")
    _index("ix_contacts_revenue", "contacts", ["revenue"], "revenue is not null")
    _index("ix_contacts_segment", "contacts", ["segment", "revenue"], "segment is not null")
    _index("ix_contacts_unsegmented", "contacts", ["id"], "segment is null and revenue is not null")
    _index("ix_contacts_risk", "contacts", ["id"], "risk is not null")
    _index("ix_contacts_birthday", "contacts", ["birthday", "id"], "birthday is not null")
    _index("ix_contacts_care_agreed_at", "contacts", ["care_agreed_at"], "care_agreed_at is not null")


def _care() -> None:
    op.create_table(
        "care_watches",
        sa.Column("id", _ID, nullable=False),
        sa.Column("contact_id", _ID, nullable=False),
        sa.Column("look_at", types.UtcDateTime()),
        sa.Column("reason", sa.String(20)),
        sa.Column("since", types.UtcDateTime()),
        sa.Column("evidence", types.Json()),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_care_watches_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_care_watches")),
        sa.UniqueConstraint("contact_id", name=op.f("uq_care_watches_contact_id")),
        sqlite_autoincrement=True,
    )
    _index("ix_care_watches_look_at", "care_watches", ["look_at"], "look_at is not null")
    op.create_table(
        "care_messages",
        sa.Column("id", _ID, nullable=False),
        sa.Column("contact_id", _ID, nullable=False),
        sa.Column("key", sa.String(60), nullable=False),
        sa.Column("occasion", sa.String(60), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(40)),
        sa.Column("address_id", _ID),
        sa.Column("due_at", types.UtcDateTime(), nullable=False),
        sa.Column("sent_at", types.UtcDateTime()),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_care_messages_contact_id")),
        sa.ForeignKeyConstraint(["address_id"], ["addresses.id"], name=op.f("fk_care_messages_address_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_care_messages")),
        sa.UniqueConstraint("contact_id", "key", "occasion", name=op.f("uq_care_messages_contact_id_key_occasion")),
        sqlite_autoincrement=True,
    )
    _index("ix_care_messages_due", "care_messages", ["due_at", "id"], "state = 'planned'")


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
