"""Episodes: a service that a business system reports, and the one survey that it is worth, sent or not, with why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import IntegrityError

from bot.clock import Clock
from bot.contacts import service as contacts
from bot.contacts.service import Met, Person, Place
from bot.loop import follow_ups
from bot.loop.asking import TOO_OLD, Asking
from bot.loop.effects import SET_TIMER, Effects
from bot.loop.events import chat_lane
from bot.loop.planning import asked_of, planned
from bot.loop.reaching import reach_of
from bot.loop.state import LaneState
from bot.loop.telling import note_suppressed
from bot.loop.turn import Turns
from bot.surveys import selection
from bot.surveys.selection import Occasion, Send, Suppressed
from channels.base import Capabilities
from storage import changes, tables
from storage.changes import Insert
from storage.database import Conflict, Database
from storage.records import Address
from storage.sets import one_of

TRIES = 12
TRIES_AT_ONCE = 4
"""Where a lane never stands still for us (a burst of episodes of one customer), its own turn asks instead."""

AHEAD = timedelta(days=31)
"""How far in the future an episode may end: an appointment told in advance, not a slip in the year."""

NOT_DEFINED = "none"
"""Stands for the definition of a survey that was not sent because there is none."""


class UnknownPlace(Exception):
    """We have no such channel, or no such account on it: the address at `index` cannot be written to."""

    def __init__(self, index: int, channel: str, account: str) -> None:
        super().__init__(f"{channel}/{account}")
        self.index = index
        self.channel = channel
        self.account = account


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """An episode as the business system tells it. `survey`: the key of the definition it wants asked; `places` in the
    order of preference."""

    external_id: str
    touchpoint: str
    ended_at: datetime
    person: Person
    places: tuple[Place, ...]
    agent: str | None = None
    product: str | None = None
    region: str | None = None
    business_line: str | None = None
    survey: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of it. `state` is that of the decision: awaiting (asked at once), planned, or suppressed for
    `reason`. What became of the survey since is the survey's own."""

    episode: int
    survey: int
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Episodes:
    """`capabilities_of(channel, account)` is None where there is no such account."""

    database: Database
    clock: Clock
    turns: Turns
    asking: Asking
    capabilities_of: Callable[[str, str], Capabilities | None]

    async def take(self, reported: Reported, actor: str, *, at_once: bool = True) -> Taken:
        """Know the customer, keep the episode, and ask, plan or say why not; all of that once for an `external_id`,
        however often and at whatever moment it is told. Told again, also with other content, it is the first answer
        again, and nothing changes.

        Episode and survey are committed together; before them only the customer is, which is the same when done
        again. `actor` stands in the audit. With `at_once` False it is planned in any case, for the service that is
        running to ask. Raises UnknownPlace, or Conflict where the customer's lane never stood still."""
        for attempt in range(TRIES):
            known = await self.database.read(lambda connection: _known(connection, reported.external_id))
            if known is not None:
                return known
            now = self.clock.now()
            facts = await self._meet(reported, actor, now)
            decision = facts.decision
            try:
                if at_once and isinstance(decision, Send) and decision.at <= now and attempt < TRIES_AT_ONCE:
                    return await self._ask(reported, facts, decision)
                return await self._keep(reported, facts, now)
            except (IntegrityError, _Again):
                continue  # told twice at once, or the customer did something meanwhile: look again
        raise Conflict(f"the customer of episode {reported.external_id} is changed by others all the time")

    async def take_many(self, reported: Sequence[Reported], actor: str) -> list[Taken]:
        """The same for many, in one transaction: planned or suppressed, and never asked by ourselves. Their external
        ids differ. Raises UnknownPlace."""
        for each in reported:
            self._check(each)
        now = self.clock.now()

        def work(connection: Connection) -> tuple[list[Taken], list[str]]:
            taken: list[Taken] = []
            new: list[Insert] = []
            moved: list[str] = []
            for each in reported:
                known = _known(connection, each.external_id)
                if known is None:
                    facts = self._look(connection, each, actor, now)
                    moved += facts.met.moved
                    episode, survey = self._write(connection, each, facts, now)
                    new.append(survey)
                    known = _taken(episode, survey)
                taken.append(known)
            note_suppressed(connection, new, now)
            return taken, moved

        try:
            taken, moved = await self.database.write(work)
        except IntegrityError:  # somebody tells one of them at this very moment
            return [await self.take(each, actor, at_once=False) for each in reported]
        self.turns.sent((), moved)
        return taken

    async def known(self, external_ids: Sequence[str]) -> frozenset[str]:
        """Those of the ids that were told before."""
        column = tables.episodes.c.external_id
        statement = select(column).where(one_of(column, "ids"))
        found = await self.database.read(lambda at: at.execute(statement, {"ids": list(external_ids)}).scalars().all())
        return frozenset(found)

    def _check(self, reported: Reported) -> None:
        for index, (channel, account, _) in enumerate(reported.places):
            if self.capabilities_of(channel, account) is None:
                raise UnknownPlace(index, channel, account)

    async def _meet(self, reported: Reported, actor: str, now: datetime) -> _Facts:
        self._check(reported)
        facts = await self.database.write(lambda connection: self._look(connection, reported, actor, now))
        self.turns.sent((), facts.met.moved)
        return facts

    def _look(self, connection: Connection, reported: Reported, actor: str, now: datetime) -> _Facts:
        met = contacts.meet(connection, reported.person, reported.places, now, actor)
        return _Facts(met, self._decide(connection, reported, met, now))

    def _decide(self, connection: Connection, reported: Reported, met: Met, now: datetime) -> Send | Suppressed:
        asked = asked_of(connection, met.contact)
        occasion = Occasion(
            trigger="episode",
            happened_at=reported.ended_at,
            touchpoint=reported.touchpoint,
            wanted=reported.survey,
            subject=reported.external_id,
            segment=asked.segment,
        )
        can = self.capabilities_of
        reaches = [reach_of(address, can(address.channel, address.account)) for address in met.addresses]
        decision = selection.decide(self.asking.surveys, occasion, reaches, now, self.asking.hours)
        if isinstance(decision, Suppressed):
            return decision
        definition = decision.definition
        if now >= reported.ended_at + definition.delay + definition.expires:
            return Suppressed(TOO_OLD, definition, decision.address_id)  # history that is imported
        return planned(connection, decision, asked, self.asking.desk.calendar.zone)

    # ---- the three ends ----

    async def _ask(self, reported: Reported, facts: _Facts, send: Send) -> Taken:
        """Ask now, in the conversation of the chosen address, unless we wait there for the word on a case."""
        chosen = next(address for address in facts.met.addresses if address.id == send.address_id)
        tried = False

        def decide(state: LaneState, effects: Effects) -> tuple[Insert, Insert]:
            nonlocal tried
            # What was decided on must still be so: the wish of a customer who says stop at this moment counts.
            if tried or state.address != chosen:
                raise _Again
            tried = True
            episode, judged = effects.add(_episode(reported, facts.met.contact, effects.now)), _judged(reported)
            if follow_ups.awaits(effects):
                reason = "case_follow_up"
                return episode, self.asking.suppress(effects, send.definition, reason, episode=episode, judged=judged)
            return episode, self.asking.ask(effects, send.definition, episode=episode, judged=judged)

        return _taken(*await self.turns.act(_lane(chosen), decide))

    async def _keep(self, reported: Reported, facts: _Facts, now: datetime) -> Taken:
        """Plan, or record why not: the conversation is not touched, so nothing has to stand still."""

        def work(connection: Connection) -> Taken:
            episode, survey = self._write(connection, reported, facts, now)
            note_suppressed(connection, [survey], now)
            return _taken(episode, survey)

        return await self.database.write(work)

    def _write(self, connection: Connection, reported: Reported, facts: _Facts, now: datetime) -> tuple[Insert, Insert]:
        contact, decision = facts.met.contact, facts.decision
        made = _episode(reported, contact, now)
        row: dict[str, Any] = {
            "episode_id": made,
            "contact_id": contact,
            "address_id": decision.address_id,
            "judged": _judged(reported),
            "created_at": now,
        }
        timer: dict[str, Any] | None = None
        if isinstance(decision, Send):
            chosen = next(address for address in facts.met.addresses if address.id == decision.address_id)
            row |= {
                "definition": decision.definition.key,
                "state": "planned",
                "anonymous": decision.definition.anonymous,
                "asked_at": decision.at,
                "expires_at": decision.at + decision.definition.expires,
            }
            timer = {"lane": _lane(chosen), "due_at": decision.at}
        else:
            key = decision.definition.key if decision.definition else reported.survey or NOT_DEFINED
            row |= {"definition": key, "state": "suppressed", "reason": decision.reason}
        survey = Insert(tables.surveys, row)
        changes.apply(connection, (), [made, survey])
        if timer is not None:
            due = timer | {"subject": f"survey:{survey.id}", "kind": "ask", "late": "replan", "skip_after": None}
            connection.execute(SET_TIMER[connection.dialect.name], [due])
        return made, survey


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the decision stands on."""

    met: Met
    decision: Send | Suppressed


class _Again(Exception):
    """What was decided on holds no more."""


def _known(connection: Connection, external_id: str) -> Taken | None:
    """What was answered when this episode was first told."""
    found = connection.execute(_FIRST, {"told": external_id}).first()
    if found is None:
        return None
    episode, survey, state, reason = found
    if connection.execute(_ASKS, {"about": f"survey:{survey}"}).first() is not None:
        return Taken(episode=episode, survey=survey, state="planned", reason=None)
    if state == "suppressed":
        return Taken(episode=episode, survey=survey, state=state, reason=reason)
    return Taken(episode=episode, survey=survey, state="awaiting", reason=None)


_surveys, _timers = tables.surveys.c, tables.timers.c
_FIRST = (
    select(tables.episodes.c.id, _surveys.id, _surveys.state, _surveys.reason)
    .join_from(tables.episodes, tables.surveys, _surveys.episode_id == tables.episodes.c.id)
    .where(tables.episodes.c.external_id == bindparam("told"))
    .order_by(_surveys.id)
    .limit(1)
)
_ASKS = select(_timers.due_at).where(_timers.subject == bindparam("about"), _timers.kind == "ask")


def _episode(reported: Reported, contact: int, now: datetime) -> Insert:
    return Insert(
        tables.episodes,
        {
            "external_id": reported.external_id,
            "contact_id": contact,
            "touchpoint": reported.touchpoint,
            "ended_at": reported.ended_at,
            "agent": reported.agent,
            "product": reported.product,
            "region": reported.region,
            "business_line": reported.business_line,
            "created_at": now,
        },
    )


def _judged(reported: Reported) -> str | None:
    return f"agent:{reported.agent}"[:100] if reported.agent else None


def _lane(address: Address) -> str:
    return chat_lane(address.channel, address.account, address.address)


def _taken(episode: Insert, survey: Insert) -> Taken:
    if episode.id is None or survey.id is None:
        raise AssertionError("an episode is answered for before it is written")
    return Taken(episode=episode.id, survey=survey.id, state=survey.values["state"], reason=survey.values.get("reason"))
