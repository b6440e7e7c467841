"""What tables are made of."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, MetaData, Table, UniqueConstraint

from storage.types import Id, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def table(name: str, *parts: Column[object] | Index | UniqueConstraint) -> Table:
    """A table with an id of its own."""
    return Table(name, metadata, Column("id", Id, primary_key=True), *parts, sqlite_autoincrement=True)


def when(name: str, *, nullable: bool = True) -> Column[object]:
    """An instant."""
    return Column(name, UtcDateTime, nullable=nullable)


def ref(name: str, target: str, *, nullable: bool = True) -> Column[object]:
    """The id of a row of `target`."""
    return Column(name, Id, ForeignKey(f"{target}.id"), nullable=nullable)
