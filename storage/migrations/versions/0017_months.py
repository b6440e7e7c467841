"""What grows with every message is partitioned by month on PostgreSQL. The tables as they were become the partition of
the time before; to whoever reads and writes, the old version too, nothing changes. SQLite stays as it is."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_FIRST = 197001 * 10**10
_TABLES = ("attempts", "outbox", "messages", "audit")
_LOOSE = {"outbox": "message_id", "attempts": "outbox_id", "corrections": "message_id"}
"""References to what goes a month at a time: to check them would take reading all of the tables that refer."""


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    # In the order in which a turn locks them, so that neither waits for the other.
    op.execute("lock table staff, conversations in share row exclusive mode")
    op.execute("lock table messages, outbox, attempts, corrections, audit in access exclusive mode")
    for table, column in _LOOSE.items():
        op.execute(f"alter table {table} drop constraint fk_{table}_{column}")
    for table in _TABLES:
        _partition(table)


def _partition(table: str) -> None:
    before = f"{table}_before"
    indexes, references = _told(_INDEXES, table), _told(_REFERENCES, table)
    for index in indexes:
        name = index.partition(" ON ")[0].split()[-1]
        op.execute(f"alter index {name} rename to {name}_before")
    op.execute(f"alter table {table} rename to {before}")
    op.execute(f"create table {table} (like {before} including defaults including storage) partition by range (id)")
    for reference in references:
        op.execute(f"alter table {table} add {reference}")
    op.execute(f"alter sequence {table}_id_seq owned by {table}.id")
    op.execute(f"alter table {table} attach partition {before} for values from (minvalue) to ({_FIRST})")
    # Where the partition has the same index already, it is taken: nothing is built anew.
    op.execute(f"alter table {table} add constraint pk_{table} primary key (id)")
    for index in indexes:
        if index.startswith("CREATE INDEX "):
            op.execute(index)


def _told(statement: str, table: str) -> Sequence[str]:
    return [str(each) for each in op.get_bind().execute(sa.text(statement), {"it": table}).scalars()]


_INDEXES = "select indexdef from pg_indexes where schemaname = current_schema and tablename = :it"
_REFERENCES = """
    select format('constraint %I %s', conname, pg_get_constraintdef(oid)) from pg_constraint
    where conrelid = cast(:it as regclass) and contype = 'f'
"""
