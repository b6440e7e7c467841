"""Who is served before others: customers of high value and those at risk. A part of a unit of work."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, case, select, update

from bot.takeover.rules import rank
from storage.sets import among, one_of, other_than
from storage.tables import contacts, conversations

_talk, _who = conversations.c, contacts.c
_FIRST = (
    select(_who.id).where(_who.id == _talk.contact_id, (_who.segment == "high_value") | _who.risk.is_not(None)).exists()
)
_AGAIN = (
    update(conversations)
    .where(
        other_than(_talk.owner, "bot"),
        among(_talk.owner, "queue"),
        _talk.rank > rank(urgent=True, priority=False),
        one_of(_talk.contact_id, "ids"),
    )
    .values(rank=case((_FIRST, rank(urgent=False, priority=True)), else_=rank(urgent=False, priority=False)))
)


def rank_again(connection: Connection, customers: Iterable[int]) -> None:
    """Whoever of `customers` waits for a person stands where they belong now. What is urgent stays before all."""
    connection.execute(_AGAIN, {"ids": sorted(customers)})
