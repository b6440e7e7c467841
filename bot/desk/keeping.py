"""How long everything is kept, as the settings have it, for the page of what rules the house."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from bot.attachments import store
from bot.desk.words import said
from bot.outgoing import posts
from bot.service import Service
from nlu.understanding import Language
from storage.tables import messages


async def kept(service: Service, language: Language) -> dict[str, Any]:
    """What the page's section of retention wants."""
    by_month = service.settings.database.startswith("postgresql")
    return {"keeps": _keeps(service, language), "by_month": by_month, "oldest": await _oldest(service)}


def _keeps(service: Service, language: Language) -> list[tuple[str, str, str]]:
    """What is kept, how long, and the setting that rules it."""
    rule = service.retention.kept

    def long(length: timedelta | None) -> str:
        if length is None:
            return said("keeps.for_ever", language)
        return said("keeps.for_a_day" if length.days == 1 else "keeps.for_days", language, count=length.days)

    posted = said("keeps.posts_days", language, sent=posts.KEPT.days, dead=posts.DEAD_KEPT.days)
    return [
        ("messages", long(rule.messages), "EARFUL_KEEP_MESSAGES_DAYS"),
        ("events", long(rule.events), "EARFUL_KEEP_EVENTS_DAYS"),
        ("audit", long(rule.audit), "EARFUL_KEEP_AUDIT_DAYS"),
        ("posts", posted, ""),
        ("unsent", long(store.FORGOTTEN), ""),
        ("records", long(None), ""),
    ]


async def _oldest(service: Service) -> str:
    statement = select(messages.c.created_at).order_by(messages.c.id).limit(1)
    found = await service.database.read(lambda connection: connection.execute(statement).scalar())
    return "" if found is None else f"{found.astimezone(service.settings.zone):%Y-%m-%d}"
