"""Coverage: of the occasions to ask, how many customers were asked and how many answered, and why the others were not.

An occasion is an episode, a resolved conversation, a resolved case, or a customer's turn in a scheduled survey; what is
volunteered is none. Every occasion is asked, planned, or has its reason: the figures add up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, case, func, or_, select

from bot.indicators.statistics import Estimate, share
from storage.tables import addresses, contacts, ratings, surveys

SENT = ("awaiting", "answered", "expired")
"""States of a survey that was put. A superseded one was, if it has a time at which it was."""

PUT = or_(surveys.c.state.in_(SENT), (surveys.c.state == "superseded") & surveys.c.asked_at.is_not(None))
NOT_PUT = or_(surveys.c.state == "suppressed", (surveys.c.state == "superseded") & surveys.c.asked_at.is_(None))


@dataclass(slots=True)
class Coverage:
    """`occasions` = asked + planned + those of `reasons`. `answered`: a rating was given."""

    occasions: int = 0
    asked: int = 0
    planned: int = 0
    answered: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def asked_share(self) -> Estimate | None:
        """Of the occasions, in percent."""
        return share(self.asked, self.occasions)

    @property
    def answered_share(self) -> Estimate | None:
        """Of those asked, in percent."""
        return share(self.answered, self.asked)


@dataclass(frozen=True, slots=True)
class Group:
    """What lines of the report are told apart by. `channel`: where they were asked, or would have been; None: nowhere.
    `segment` None: not known."""

    definition: str
    channel: str | None
    segment: str | None


def coverage(
    connection: Connection, since: datetime | None, until: datetime | None, volunteered: Iterable[str]
) -> Mapping[Group, Coverage]:
    """By definition, channel and segment, of occasions in [since, until). `volunteered`: definitions that nobody was
    asked."""
    stands = case((PUT, "asked"), (surveys.c.state == "planned", "planned"), else_=func.coalesce(surveys.c.reason, "-"))
    keys = (surveys.c.definition, addresses.c.channel, contacts.c.segment)
    statement = (
        select(*keys, stands, func.count(), func.count(ratings.c.id))
        .select_from(surveys)
        .join(contacts, contacts.c.id == surveys.c.contact_id)
        .outerjoin(addresses, addresses.c.id == surveys.c.address_id)
        .outerjoin(ratings, ratings.c.survey_id == surveys.c.id)
        .where(surveys.c.definition.not_in(sorted(volunteered)))
        .group_by(*keys, stands)
    )
    if since is not None:
        statement = statement.where(surveys.c.created_at >= since)
    if until is not None:
        statement = statement.where(surveys.c.created_at < until)
    found: dict[Group, Coverage] = defaultdict(Coverage)
    for definition, channel, segment, state, count, answered in connection.execute(statement):
        _add(found[Group(definition, channel, segment)], state, count, answered)
    return found


def total(groups: Iterable[Coverage]) -> Coverage:
    """All of them together."""
    whole = Coverage()
    for each in groups:
        whole.occasions += each.occasions
        whole.asked += each.asked
        whole.planned += each.planned
        whole.answered += each.answered
        whole.reasons.update(each.reasons)
    return whole


def _add(line: Coverage, state: str, count: int, answered: int) -> None:
    line.occasions += count
    if state == "asked":
        line.asked += count
        line.answered += answered
    elif state == "planned":
        line.planned += count
    else:
        line.reasons[state] += count
