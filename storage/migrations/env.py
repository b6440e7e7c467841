"""Runs inside the transaction that storage.schema opened."""

from alembic import context

from storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=False
)
with context.begin_transaction():
    context.run_migrations()
