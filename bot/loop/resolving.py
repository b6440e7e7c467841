"""A conversation is resolved: whether the customer is asked about the agent, or why not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from bot.loop import follow_ups
from bot.loop.asking import Asking
from bot.loop.effects import Effects
from bot.loop.planning import Asked, asked_of, rested, sent_that_day
from bot.loop.reaching import reach_of
from bot.surveys import selection
from bot.surveys.selection import Occasion, Suppressed
from bot.takeover.undone import taken_back
from storage.tables import conversations, messages

_LATEST = 20


@dataclass(frozen=True, slots=True)
class Talked:
    """What was said since the conversation was last resolved, in messages: by the customer, and by the agent who has
    it now. `words`: the customer's, the latest. `used`: surveys of each definition that were asked today."""

    agent: int
    customer: int
    words: tuple[str, ...]
    asked: Asked
    used: dict[str, int]


def talked(connection: Connection, lane: str, asking: Asking, now: datetime) -> Talked | None:
    """None where there is no such conversation."""
    talk = connection.execute(
        select(conversations.c.id, conversations.c.contact_id, conversations.c.agent_id).where(
            conversations.c.lane == lane
        )
    ).first()
    if talk is None:
        return None
    resolved = select(func.coalesce(func.max(messages.c.id), 0)).where(
        messages.c.conversation_id == talk.id, messages.c.author == "system", messages.c.text == "resolved"
    )
    said = (
        select(messages.c.author, func.count())
        .where(messages.c.conversation_id == talk.id, messages.c.id > resolved.scalar_subquery())
        .where(or_(messages.c.staff_id.is_(None), messages.c.staff_id == talk.agent_id), ~taken_back(messages))
        .group_by(messages.c.author)
    )
    words = (
        select(messages.c.text)
        .where(messages.c.conversation_id == talk.id, messages.c.id > resolved.scalar_subquery())
        .where(messages.c.author == "customer")
        .order_by(messages.c.id.desc())
        .limit(_LATEST)
    )
    wrote = {row[0]: int(row[1]) for row in connection.execute(said)}
    zone = asking.desk.calendar.zone
    used = {
        definition.key: sent_that_day(connection, definition.key, now, zone)
        for definition in asking.surveys.fitting("conversation_resolved")
        if definition.per_day is not None
    }
    asked = asked_of(connection, talk.contact_id)
    latest = tuple(connection.execute(words).scalars())
    return Talked(wrote.get("agent", 0), wrote.get("customer", 0), latest, asked, used)


def ask_about_agent(asking: Asking, effects: Effects, said: Talked, judged: str) -> None:
    """Ask, or record why not. A cold conversation is not waited for: it is asked now or not at all."""
    address = effects.state.address
    if address is None or not asking.surveys.fitting("conversation_resolved"):
        return
    talk = effects.state.conversation
    occasion = Occasion(
        trigger="conversation_resolved",
        happened_at=effects.now,
        subject=f"{talk.id if talk else 0}:{effects.epoch}",
        segment=said.asked.segment,
    )
    reach = reach_of(address, effects.capabilities)
    decision = selection.decide(asking.surveys, occasion, [reach], effects.now)
    definition = decision.definition
    if definition is None:
        return
    if isinstance(decision, Suppressed):
        reason: str | None = decision.reason
    elif follow_ups.awaits(effects):
        reason = "case_follow_up"
    elif said.agent == 0:
        reason = "bot_only"  # no person has said anything that could be judged
    elif said.customer < definition.min_messages:
        reason = "trivial"
    elif selection.spam(said.words):
        reason = "spam"
    elif not rested(definition, effects.now, said.asked.at):
        reason = "cooldown"
    elif definition.per_day is not None and said.used.get(definition.key, 0) >= definition.per_day:
        reason = "quota"
    else:
        reason = None
    if reason is None:
        asking.ask(effects, definition, judged=judged)
    else:
        asking.suppress(effects, definition, reason, judged=judged)
