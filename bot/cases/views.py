"""Saved views of cases: filters under a name, for everybody in the house."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.cases.filters import Wanted
from storage.database import Database
from storage.tables import case_views as table

MOST = 200


class TooManyViews(Exception):
    """Remove one first."""


@dataclass(frozen=True, slots=True)
class View:
    name: str
    wanted: Wanted
    made_by: str
    updated_at: datetime


async def all_views(database: Database) -> list[View]:
    """By name."""
    rows = await database.read(lambda connection: connection.execute(select(table).order_by(table.c.name)).all())
    return [View(row.name, Wanted.from_json(row.filter), row.made_by, row.updated_at) for row in rows]


async def find(database: Database, name: str) -> Wanted | None:
    statement = select(table.c.filter).where(table.c.name == name)
    kept = await database.read(lambda connection: connection.execute(statement).scalar())
    return None if kept is None else Wanted.from_json(kept)


async def save(database: Database, name: str, wanted: Wanted, by: str, now: datetime) -> None:
    """Under this name, in place of what was there. Raises TooManyViews."""
    values = {"name": name, "filter": wanted.as_json(), "made_by": by[:60], "updated_at": now}

    def work(connection: Connection) -> None:
        names = set(connection.execute(select(table.c.name)).scalars())
        if name not in names and len(names) >= MOST:
            raise TooManyViews
        insert = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(table)
        kept = {each: insert.excluded[each] for each in ("filter", "made_by", "updated_at")}
        connection.execute(insert.values(values).on_conflict_do_update(index_elements=["name"], set_=kept))

    await database.write(work)


async def remove(database: Database, name: str) -> bool:
    gone = delete(table).where(table.c.name == name)
    return await database.write(lambda connection: connection.execute(gone).rowcount) == 1
