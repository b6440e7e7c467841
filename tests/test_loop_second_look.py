"""The second look at a complaint: what it may change, what it must not, and that it looks once."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Table, select, update
from web_parts import START, house

from bot.clock import ManualClock
from bot.loop.second_look import AT_ONCE, TOO_LATE
from bot.service import Service
from bot.takeover.rules import Agent
from channels.base import Text
from nlu.retrieval import Entry, Hit
from nlu.understanding import Intent, Language, Sentiment, Understanding
from storage import tables
from storage.database import Database

SAME = Understanding(
    text="", language="en", intent=Intent("complain", 0.9), sentiment=Sentiment("negative", -0.5), nature=("logistics",)
)
URGENT = replace(SAME, urgency="urgent", evidence=("smoke",))
SERVICE = replace(SAME, nature=("service",), aspect=("attitude",))
_keys = itertools.count()


@dataclass
class Slow:
    """Finds the same in every text, and keeps what it was asked."""

    found: Understanding
    asked: list[str] = field(default_factory=list)
    ready: bool = True

    def parse_many(
        self,
        texts: Sequence[str],
        *,
        languages: Sequence[Language | None] | None = None,
        needs: Collection[str] = (),
    ) -> list[Understanding]:
        self.asked += texts
        return [self.found for _ in texts]

    def search_many(self, texts: Sequence[str]) -> list[list[Hit] | None]:
        return [None for _ in texts]

    def know(self, entries: Sequence[Entry]) -> None:
        """It knows no answers."""

    def close(self) -> None:
        """Nothing to end."""


async def rows(service: Service, table: Table) -> list[dict[str, Any]]:
    statement = select(table).order_by(table.c.id)
    return await service.database.read(
        lambda connection: [dict(row) for row in connection.execute(statement).mappings()]
    )


async def complain(service: Service, words: str = "complain: there is smoke", thread: str = "v1") -> None:
    """A complaint, answered; the script opens a case about logistics, of no urgency."""
    event = Text(dedupe_key=f"k{next(_keys)}", thread=thread, text=words)
    await service.intake.accept("web", "default", [event])
    await service.turns.settle()
    await service.delivery.settle()


async def test_what_turns_out_urgent_calls_people_and_tells_the_customer_once(database: Database) -> None:
    """The deadline moves nearer, the timeline says why, the conversation waits for a person, and that is all."""
    slow = Slow(URGENT)
    service = house(database, closer=slow)
    await complain(service)
    [before] = await rows(service, tables.cases)
    assert (before["urgency"], before["looked_at"]) == ("normal", None)
    assert await service.second_look.look() == 1
    [after] = await rows(service, tables.cases)
    assert after["urgency"] == "urgent"
    assert after["respond_by"] < before["respond_by"]
    assert after["looked_at"] == START
    [talk] = await rows(service, tables.conversations)
    assert (talk["owner"], talk["reason"]) == ("queue", "urgent")
    events = await rows(service, tables.case_events)
    assert [(e["kind"], e["actor"], e["note"]) for e in events][-1] == (
        "reclassified",
        "bot",
        "urgency: normal → urgent (smoke)",
    )
    assert await service.second_look.look() == 0
    assert slow.asked == ["complain: there is smoke"]
    told = service.content.notices.second_look_urgent.said("en")
    assert [message["text"] for message in await rows(service, tables.messages)].count(told) == 1


async def test_an_untouched_case_goes_to_the_department_that_it_is_about(database: Database) -> None:
    """Nature, aspect and department follow what was understood; the customer is told nothing of it."""
    service = house(database, closer=Slow(SERVICE))
    await complain(service)
    said = len(await rows(service, tables.messages))
    await service.second_look.look()
    [case] = await rows(service, tables.cases)
    assert (case["nature"], case["aspect"]) == (["service"], ["attitude"])
    assert case["department"] == service.content.departments.by_nature["service"]
    assert len(await rows(service, tables.messages)) == said


async def test_nothing_new_leaves_no_line_on_the_timeline(database: Database) -> None:
    """The case is marked as looked at, and otherwise as it was."""
    service = house(database, closer=Slow(SAME))
    await complain(service)
    events = len(await rows(service, tables.case_events))
    assert await service.second_look.look() == 1
    assert len(await rows(service, tables.case_events)) == events
    assert await service.second_look.look() == 0


async def test_what_was_urgent_stays_so(database: Database) -> None:
    """Fast heads are tuned to miss nothing; a calmer second opinion takes nothing back."""
    service = house(database, closer=Slow(SAME))
    await complain(service)
    urgent = update(tables.cases).values(urgency="urgent")
    await service.database.write(lambda connection: connection.execute(urgent))
    await service.second_look.look()
    assert (await rows(service, tables.cases))[0]["urgency"] == "urgent"


async def test_a_case_in_a_persons_hands_keeps_what_they_made_of_it(database: Database) -> None:
    """It may become more urgent, but its nature is theirs; and the customer is with them already."""
    service = house(database, closer=Slow(replace(URGENT, nature=("service",))))
    await complain(service)
    values = {"login": "lin", "name": "Lin", "password": "-", "role": "agent", "created_at": START}
    hire = tables.staff.insert().values(values)
    await service.database.write(lambda connection: connection.execute(hire))
    await service.people.claim("chat:web:default:v1", Agent(1, "Lin"))
    taken = update(tables.cases).values(owner_id=1, state="assigned")
    await service.database.write(lambda connection: connection.execute(taken))
    said = len(await rows(service, tables.messages))
    await service.second_look.look()
    [case] = await rows(service, tables.cases)
    assert (case["urgency"], case["nature"]) == ("urgent", ["logistics"])
    assert (await rows(service, tables.conversations))[0]["owner"] == "agent"
    assert len(await rows(service, tables.messages)) == said


async def test_nobody_is_told_in_public(database: Database) -> None:
    """An urgent comment calls people; under the comment stands nothing new."""
    service = house(database, closer=Slow(URGENT))
    await complain(service, thread="comment:c1")
    said = len(await rows(service, tables.messages))
    await service.second_look.look()
    assert [case["urgency"] for case in await rows(service, tables.cases)] == ["urgent"]
    assert len(await rows(service, tables.messages)) == said


async def test_a_case_that_is_settled_meanwhile_is_not_looked_at_for_ever(database: Database) -> None:
    """It is marked and left alone."""
    service = house(database, closer=Slow(URGENT))
    await complain(service)
    gone = update(tables.cases).values(state="withdrawn")
    await service.database.write(lambda connection: connection.execute(gone))
    assert await service.second_look.look() == 1
    assert await service.second_look.look() == 0
    assert (await rows(service, tables.cases))[0]["urgency"] == "normal"


async def test_more_cases_than_fit_are_looked_at_in_turn_and_old_ones_not_at_all(database: Database) -> None:
    """The oldest first; after an hour people have seen it."""
    clock = ManualClock(START)
    slow = Slow(SAME)
    service = house(database, clock, closer=slow)
    await complain(service, "complain: old", "v0")
    clock.advance(TOO_LATE)
    for number in range(AT_ONCE + 1):
        await complain(service, f"complain {number}", f"v{number + 1}")
    assert await service.second_look.look() == AT_ONCE
    assert await service.second_look.look() == 1
    assert slow.asked == [f"complain {number}" for number in range(AT_ONCE + 1)]


async def test_what_is_looked_at_is_the_complaint_and_not_what_was_said_after_it(database: Database) -> None:
    """A long one whole, though its title is cut short; and not the "yes" of the same moment."""
    slow = Slow(SAME)
    service = house(database, closer=slow)
    await complain(service, "complain: it is late")
    await complain(service, "yes please")
    long = f"complain: {'so late ' * 40}and there is smoke"
    await complain(service, long, "v2")
    assert await service.second_look.look() == 2
    assert slow.asked == ["complain: it is late", long]


async def test_words_that_cannot_be_understood_keep_no_other_case_waiting(database: Database) -> None:
    """The others are looked at, and it is not tried again for ever."""

    class Choking(Slow):
        def parse_many(self, texts: Sequence[str], **more: Any) -> list[Understanding]:
            if "complain: choke" in texts:
                raise IndexError("no such token")
            return super().parse_many(texts, **more)

    slow = Choking(SAME)
    service = house(database, closer=slow)
    for number, words in enumerate(("complain: a", "complain: choke", "complain: b")):
        await complain(service, words, f"v{number}")
    assert await service.second_look.look() == 3
    assert slow.asked == ["complain: a", "complain: b"]
    assert await service.second_look.look() == 0


async def test_without_an_encoder_nothing_looks_twice(database: Database) -> None:
    """And nothing is marked as if it had."""
    service = house(database)
    await complain(service)
    assert await service.second_look.look() == 0
    assert (await rows(service, tables.cases))[0]["looked_at"] is None
