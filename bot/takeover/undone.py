"""Replies that were taken back before they went out: they stand on the transcript, but nobody was told them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, exists

from storage.tables import outbox


def taken_back(said: FromClause) -> ColumnElement[bool]:
    """Whether a row of `said` (messages, or an alias of them) was taken back."""
    return exists().where(outbox.c.message_id == said.c.id, outbox.c.reason == "taken_back")
