"""The knowledge base on file: a row for each article, in which what customers say of it is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.clock import Clock
from bot.knowledge.entries import Entry, articles
from bot.knowledge.index import Article
from bot.knowledge.versions import VERSIONS, Kind, Version
from storage.database import Database
from storage.tables import knowledge

Votes = dict[tuple[str, str], tuple[int, int]]
"""How many found an article helpful, and how many did not, by key and language."""


def put(connection: Connection, found: Iterable[Article], now: datetime) -> None:
    """A row for each; what customers said of one that is there stays."""
    rows = [
        {
            "key": article.key,
            "language": article.language,
            "question": article.question,
            "answer": article.answer,
            "phrasings": list(article.phrasings),
            "updated_at": now,
        }
        for article in found
    ]
    if not rows:
        return
    insert = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(knowledge)
    words = {name: insert.excluded[name] for name in ("question", "answer", "phrasings", "updated_at")}
    connection.execute(insert.on_conflict_do_update(index_elements=["key", "language"], set_=words), rows)


async def keep(database: Database, found: Sequence[Article], now: datetime) -> None:
    """As `put`, by itself."""
    if found:
        await database.write(lambda connection: put(connection, found, now))


async def change(
    database: Database, clock: Clock, key: str, seen: int, kind: Kind, entry: Entry | None, *, actor: str
) -> Version:
    """A new version of the entry `key`, by whoever saw its version `seen` (0: none), in the audit with who made it.
    Raises Overtaken where somebody else was faster."""
    now, listed = clock.now(), [] if entry is None else articles([entry])
    return await VERSIONS.change(
        database, key, seen, kind, entry, actor=actor, now=now, also=lambda connection: put(connection, listed, now)
    )


def votes(connection: Connection) -> Votes:
    """What customers said of each article."""
    columns = (knowledge.c.key, knowledge.c.language, knowledge.c.helpful, knowledge.c.unhelpful)
    return {(row.key, row.language): (row.helpful, row.unhelpful) for row in connection.execute(select(*columns))}
