"""Gives waiting conversations to agents who are at their desks, by the rule that the house chose."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, func, or_, select

from bot.cases.clocks import House
from bot.loop.people import NoConversation, People, Refused
from bot.loop.turn import Turns
from bot.staff.presence import HERE
from bot.takeover.assignment import Candidate, Giving, choose
from bot.takeover.rules import Agent
from storage.database import Conflict, Database
from storage.sets import among, other_than
from storage.tables import conversations, messages, staff

AT_ONCE = 50


@dataclass(slots=True)
class Assigning:
    """`usual` is how they are given out where the house does not say it. Nobody is given back at once what was just
    taken from them: a customer who waited in vain goes to somebody else."""

    database: Database
    turns: Turns
    people: People
    house: House
    usual: Giving
    _turn: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _served: dict[int, int] = field(default_factory=dict)

    @property
    def giving(self) -> Giving:
        """How they are given out now."""
        return self.house.departments.giving or self.usual

    async def look(self) -> int:
        """Give out what waits, in the order of the queue, as far as there is anybody to take it; how many."""
        giving = self.giving
        if giving.rule == "off":
            return 0
        waiting, here = await self.database.read(lambda connection: self._look(connection, giving.most))
        given = 0
        for talk in waiting:
            left = {talk.agent} if talk.event in ("left_waiting", "requeued", "passed_on") else set()
            last = talk.agent if not left else None
            chosen = choose(
                giving.rule,
                list(here.values()),
                most=giving.most,
                department=talk.department,
                last=last,
                refused={each for each in left if each is not None},
            )
            if chosen is None:
                continue
            try:
                await self.people.claim(talk.lane, Agent(chosen, await self._name(chosen)), assigned=True)
            except (Refused, NoConversation, Conflict):
                continue  # somebody was faster
            given += 1
            self._served[chosen] = next(self._turn)
            here[chosen] = replace(here[chosen], load=here[chosen].load + 1, served=self._served[chosen])
        return given

    def _look(self, connection: Connection, most: int) -> tuple[list[Any], dict[int, Candidate]]:
        talks = conversations.c
        of = messages.c.conversation_id == talks.id
        agent = select(messages.c.staff_id).where(of, messages.c.staff_id.is_not(None))
        event = select(messages.c.text).where(of, messages.c.author == "system")
        newest = messages.c.id.desc()
        held = (
            select(talks.agent_id, func.count())
            .where(other_than(talks.owner, "bot"), among(talks.owner, "agent"))
            .group_by(talks.agent_id)
        )
        load = {row[0]: int(row[1]) for row in connection.execute(held)}
        seen = select(staff.c.id, staff.c.department).where(
            staff.c.seen_at > self.turns.now() - HERE, staff.c.away.is_(False), staff.c.disabled_at.is_(None)
        )
        here = {
            row.id: Candidate(row.id, load.get(row.id, 0), self._served.get(row.id, 0), row.department)
            for row in connection.execute(seen)
        }
        # A department with nobody to spare must not fill the page: those who wait behind it can be served.
        free = {each.department for each in here.values() if each.load < most}
        if not free:
            return [], here
        waiting = (
            select(
                talks.lane,
                talks.department,
                agent.order_by(newest).limit(1).scalar_subquery().label("agent"),
                event.order_by(newest).limit(1).scalar_subquery().label("event"),
            )
            .where(other_than(talks.owner, "bot"), among(talks.owner, "queue"))
            .where(or_(talks.department.is_(None), talks.department.in_(sorted(filter(None, free)))))
            .order_by(talks.rank, talks.queued_at, talks.id)
            .limit(AT_ONCE)
        )
        return list(connection.execute(waiting)), here

    async def _name(self, agent: int) -> str:
        statement = select(staff.c.name).where(staff.c.id == agent)
        return str(await self.database.read(lambda connection: connection.execute(statement).scalar_one()))
