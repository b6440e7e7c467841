"""A model of cases over both databases: whatever people, customers and time do, in any order, the invariants hold."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, cast

from api_parts import Place
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import Table

from bot.cases import numbers
from bot.cases.rules import MOVES, SETTLED, State
from bot.contacts.service import Person
from bot.loop import closing, handwork, merging
from bot.loop.case_moves import IllegalMove
from bot.loop.casework import CaseRefused, Worker
from bot.loop.effects import Effects
from bot.loop.episodes import Reported
from bot.loop.state import LaneState
from storage import tables
from storage.database import Database

COMPLAINT = "The parcel is damaged and nobody answers, order 55667788. I am very unhappy"
ANOTHER = "The driver was rude to me, order 11223344, unacceptable"
BY = Worker("staff:1")


def machine(database: Database, loop: asyncio.AbstractEventLoop) -> type[RuleBasedStateMachine]:
    place, customers, services = Place(database), itertools.count(1), itertools.count(1)

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(30)

    class Cases(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.place = place
            self.customer = f"emma{next(customers)}"
            run(place.say(COMPLAINT, self.customer))
            run(place.say(ANOTHER, self.customer))
            self.id, self.other = [row["id"] for row in run(place.rows(tables.cases))][-2:]
            self.look()

        def mine(self, table: Table) -> list[dict[str, Any]]:
            return [row for row in run(place.rows(table)) if row["case_id"] == self.id]

        def attempt(self, work: Callable[[int], Coroutine[Any, Any, Any]], *reaches: State) -> None:
            """What is legal is done, what is not changes nothing and says why in both languages."""
            legal = any(state in MOVES[cast(State, self.case["state"])] for state in reaches)
            before = self.case
            refusal: IllegalMove | CaseRefused | None = None
            try:
                run(work(self.id))
            except (IllegalMove, CaseRefused) as refused:
                refusal = refused
            self.look()
            if refusal is not None:
                assert refusal.said("zh")
                assert refusal.said("en")
                assert self.case == before
                assert not legal

        def in_a_turn(self, work: Callable[[Effects], object]) -> None:
            def decide(state: LaneState, effects: Effects) -> None:
                work(effects)

            run(place.service.turns.act(f"chat:chat:a:{self.customer}", decide, cases=[self.id]))
            self.look()

        def look(self) -> None:
            self.case = next(row for row in run(place.rows(tables.cases)) if row["id"] == self.id)

        @rule()
        def assign(self) -> None:
            self.attempt(lambda case: self.place.service.casework.assign(case, BY), "assigned")

        @rule(department=st.sampled_from(["logistics", "finance", "quality"]))
        def hand_over(self, department: str) -> None:
            self.attempt(lambda c: self.place.service.casework.assign(c, BY, department=department), "assigned")

        @rule()
        def give_back(self) -> None:
            self.attempt(lambda case: self.place.service.casework.give_back(case, BY, "not ours"), "returned")

        @rule()
        def plan(self) -> None:
            self.attempt(lambda case: self.place.service.casework.plan(case, BY, "a plan"), "planned")

        @rule()
        def begin(self) -> None:
            self.attempt(lambda case: self.place.service.casework.begin(case, BY), "in_progress")

        @rule()
        def ask(self) -> None:
            self.attempt(lambda case: self.place.service.casework.ask(case, BY, "which one?"))

        @rule()
        def resolve(self) -> None:
            self.attempt(lambda case: self.place.service.casework.resolve(case, BY, "done"), "resolved")

        @rule(score=st.sampled_from([0.0, 79.9, 80.0, 100.0]))
        def rate(self, score: float) -> None:
            before = cast(State, self.case["state"])

            house = self.place.service.ticking.house
            self.in_a_turn(lambda effects: closing.judged(effects, house, self.id, score, effects.now))
            if before in ("resolved", "following_up", "closed_unconfirmed", "closed"):
                assert self.case["state"] == ("closed" if score >= 80 else "reopened")

        @rule()
        def reopen(self) -> None:
            self.attempt(lambda case: handwork.reopen(self.place.service.casework, case, BY, "not so"), "reopened")

        @rule(same=st.booleans())
        def merge(self, same: bool) -> None:
            where: State = "duplicate" if same else "merged"
            work = self.place.service.casework
            self.attempt(lambda case: merging.merge(work, case, self.other, BY, "one matter", same=same), where)

        @rule()
        def withdraw(self) -> None:
            """Whoever has come too far for that is only noted."""
            before = cast(State, self.case["state"])
            desk = self.place.service.policy.asking.desk
            number = numbers.number(self.id)
            self.in_a_turn(lambda effects: desk.withdraw(effects, number, "never mind", effects.now))
            assert self.case["state"] == ("withdrawn" if "withdrawn" in MOVES[before] else before)

        @rule()
        def resolve_another(self) -> None:
            """Of the same customer, who is asked about one after the other."""
            with contextlib.suppress(IllegalMove):
                run(self.place.service.casework.resolve(self.other, BY, "done"))
            self.look()

        @rule()
        def serve(self) -> None:
            """A service that the customer could be asked about."""
            number = next(services)
            person = Person(external_id=self.customer)
            reported = Reported(
                external_id=f"service-{number}",
                touchpoint="store",
                ended_at=self.place.clock.now(),
                person=person,
                places=(("chat", "a", self.customer),),
            )
            run(self.place.service.episodes.take(reported, "test"))
            self.look()

        @rule(hours=st.sampled_from([1, 30, 24 * 20]))
        def wait(self, hours: int) -> None:
            self.place.clock.advance(timedelta(hours=hours))
            run(self.place.service.settle())
            self.look()

        @rule()
        def answer(self) -> None:
            run(self.place.say("it was the blue one", self.customer))
            self.look()

        @invariant()
        def the_timeline_is_a_way_of_legal_moves(self) -> None:
            """From the first state to the present one, each with who made it; the customer alone closes."""
            state: State = "received"
            for row in self.mine(tables.case_events):
                if row["kind"] != "moved":
                    continue
                assert (row["from_state"], row["actor"] != "") == (state, True)
                assert row["to_state"] in MOVES[state]
                state = cast(State, row["to_state"])
                if state == "closed":
                    assert row["actor"] == "customer"
            assert state == self.case["state"]

        @invariant()
        def deadlines_fit_the_state(self) -> None:
            """None runs for a settled case, none twice, all stand still exactly while we wait for the customer."""
            rows = self.mine(tables.deadlines)
            still = [r for r in rows if r["state"] in ("running", "frozen")]
            assert not still or self.case["state"] not in SETTLED
            assert len({(r["kind"], r["subject"]) for r in still}) == len(still)
            if self.case["waiting_since"] is None:
                assert all(r["state"] == "running" for r in still)
            for r in rows:
                assert (r["next_at"] is None) or r["state"] == "running"
                assert r["warned_at"] is None or r["warned_at"] == r["warn_at"] or r["breached_at"] is None
            events = [r["note"] for r in self.mine(tables.case_events) if r["kind"] == "deadline_breached"]
            assert len(events) == sum(r["breached_at"] is not None for r in rows)

        @invariant()
        def whoever_is_waited_for_was_asked(self) -> None:
            """Exactly one question about the case awaits its answer while we wait for the customer's word on it."""
            if self.case["state"] == "following_up":
                assert [row["state"] for row in self.mine(tables.surveys)].count("awaiting") == 1

        @invariant()
        def what_is_final_has_ended(self) -> None:
            assert (self.case["state"] in SETTLED) == (self.case["closed_at"] is not None)
            assert self.case["attempt"] == 1 + len(
                [r for r in self.mine(tables.case_events) if r["to_state"] == "reopened"]
            )

    return Cases


async def test_whatever_happens_the_invariants_of_a_case_hold(database: Database) -> None:
    """Over SQLite and PostgreSQL, in any order of acts, answers, silence and time."""
    kind = machine(database, asyncio.get_running_loop())
    few = settings(
        max_examples=8, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    await asyncio.to_thread(run_state_machine_as_test, kind, settings=few)
