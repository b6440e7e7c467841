"""The knowledge base on file: the assistant's articles, and how often each helped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from bot.knowledge.index import Article
from storage.database import Database
from storage.tables import knowledge


async def keep(database: Database, articles: Sequence[Article], now: datetime) -> None:
    """Write the articles as the content files have them; what customers said of each stays."""
    rows = [
        {
            "key": article.key,
            "language": article.language,
            "question": article.question,
            "answer": article.answer,
            "phrasings": list(article.phrasings),
            "updated_at": now,
        }
        for article in articles
    ]

    def work(connection: Connection) -> None:
        insert = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(knowledge)
        words = {name: insert.excluded[name] for name in ("question", "answer", "phrasings", "updated_at")}
        connection.execute(insert.on_conflict_do_update(index_elements=["key", "language"], set_=words), rows)

    if rows:
        await database.write(work)
