"""What agents said that messages meant, as lessons for the next training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from sqlalchemy import Connection, select

from bot.contacts.masking import mask
from nlu.corrections import Correction
from nlu.understanding import Language, Nature, Polarity
from storage.tables import conversations, corrections, messages

MOST = 5_000
"""The newest that are trained on: more would make every training long."""


def corrected(connection: Connection) -> tuple[Correction, ...]:
    """All that stand now, oldest first, of each text the last word; numbers and addresses of people are hidden. What
    was taken back, or belonged to somebody who was erased, is no longer among them."""
    spoken = (
        select(corrections, messages.c.text, messages.c.data, conversations.c.language.label("spoken"))
        .join(messages, messages.c.id == corrections.c.message_id)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .order_by(corrections.c.created_at.desc(), corrections.c.id.desc())
        .limit(MOST)
    )
    found: dict[str, Correction] = {}
    for row in connection.execute(spoken).all():
        text = mask(row.text or "").strip()
        if text and not (row.data or {}).get("removed"):
            found.setdefault(text, _lesson(row, text))
    return tuple(reversed(found.values()))


def _lesson(row: Any, text: str) -> Correction:
    """Of sentiment and natures, what the agent left open is what the bot had made of it."""
    understood: Mapping[str, Any] = row.understood or {}
    natures: tuple[Nature, ...] | None = tuple(row.nature) or None
    sentiment = row.sentiment
    if natures is not None or sentiment is not None:
        sentiment = sentiment or (understood.get("sentiment") or {}).get("label") or "negative"
        natures = natures or _UNNAMED[cast(Polarity, sentiment)]
    language: Language = "en" if row.spoken == "en" else "zh"
    return Correction(
        text=text,
        language=language,
        intent=row.intent,
        natures=natures,
        sentiment=sentiment if sentiment in get_args(Polarity) else None,
        urgency=row.urgency,
    )


_UNNAMED: Mapping[Polarity, tuple[Nature, ...]] = {
    "negative": ("complaint",),
    "neutral": ("none",),
    "positive": ("praise",),
}
"""What a message is that names no object."""
