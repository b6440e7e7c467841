"""Whoever waits for a person is told that their further words are seen, so that nobody talks into the void."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.loop.effects import Effects
from bot.loop.notices import Notices
from storage import tables
from storage.changes import Insert, Update

AGAIN = timedelta(minutes=2)
"""It is not said again sooner, unless they told something that was asked for."""


def acknowledge(effects: Effects, notices: Notices, before: int, at: datetime) -> None:
    """Say so, unless this turn, whose changes begin at `before`, answered them already."""
    made = effects.changes[before:]
    if effects.owner != "queue" or effects.state.public or any(_said(change) for change in made):
        return
    contact = any(isinstance(change, Update) and change.table is tables.contacts for change in made)
    lately = effects.state.noted_at is not None and at - effects.state.noted_at < AGAIN
    if lately and not contact:
        return
    language = effects.tongue
    words = notices.noted_contact if contact else notices.noted
    effects.say(words.said(language), kind="notice", data={"noted": True})
    effects.state.noted_at = at


def _said(change: object) -> bool:
    return isinstance(change, Insert) and change.table is tables.outbox
