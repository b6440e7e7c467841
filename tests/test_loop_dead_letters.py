"""What cannot be worked: buried with its reason, while everybody else goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from loop_parts import Rig
from sqlalchemy import LargeBinary, func, select, type_coerce, update

from bot.loop.effects import Effects
from bot.loop.intake import Intake
from bot.loop.state import LaneState
from channels.base import Text
from storage import tables
from storage.changes import Insert
from storage.database import Database
from storage.records import Conversation


async def rows(database: Database, table: Any, *columns: Any) -> list[tuple[Any, ...]]:
    statement = select(*(columns or table.c)).order_by(table.c.id)
    return await database.read(lambda connection: [tuple(row) for row in connection.execute(statement)])


async def test_a_row_that_cannot_be_worked_is_buried_after_three_attempts_and_the_lane_goes_on(
    database: Database,
) -> None:
    """Its reason is kept, the customer is told and given to a person, and what follows is worked."""
    rig = Rig(database)
    rig.policy.fail = {"poison"}
    await rig.hear("before")
    await rig.settle()
    await rig.hear("poison", "after")
    await rig.settle()
    assert rig.adapter.texts() == ["echo before", "sorry", "echo after"]
    states = await rows(database, tables.inbox, tables.inbox.c.state, tables.inbox.c.attempts)
    assert [row[0] for row in states] == ["done", "dead", "done"]
    assert states[1][1] == 3
    [talk] = await database.read(Conversation.find)
    assert talk.owner == "queue"


async def test_a_lane_that_cannot_even_be_buried_in_words_holds_nobody_else_up(database: Database) -> None:
    """Whatever the policy does: the row is dead-lettered, and what waits behind it is worked."""
    rig = Rig(database)
    silent = Intake(database, rig.clock, lambda _: None)
    for thread in ("broken", "fine"):
        await silent.accept("memory", "a", [Text(dedupe_key=thread, thread=thread, text="x")])
    original = rig.policy.start

    def start(state: LaneState) -> Effects:
        if state.thread == "broken":
            raise KeyError("a channel that is no more")
        return original(state)

    def one(state: LaneState) -> Effects | Exception:
        return KeyError("a channel that is no more") if state.thread == "broken" else echo(state)

    echo = rig.policy._one
    rig.policy.start = start  # type: ignore[method-assign]
    rig.policy._one = one  # type: ignore[method-assign]
    rig.clock.advance(timedelta(seconds=11))
    for _ in range(3):
        await rig.turns.sweep()
    await rig.delivery.settle()
    assert rig.adapter.texts("fine") == ["echo x"]
    assert [row[0] for row in await rows(database, tables.inbox, tables.inbox.c.state)] == ["dead", "done"]


async def test_a_notice_that_no_database_takes_does_not_spin(database: Database) -> None:
    """After some tries the row is buried without a word to anybody, and what waits behind it is worked."""
    rig = Rig(database)
    rig.policy.fail = {"poison"}
    await rig.hear("before")
    await rig.settle()
    give_up = rig.policy.give_up
    told: list[str] = []

    def breaking(state: LaneState, reason: str) -> Effects:
        told.append(reason)
        effects = give_up(state, reason)
        again = {"lane": state.lane, "channel": "memory", "account": "a", "thread": "t"}
        effects.add(Insert(tables.conversations, again | {"contact_id": 1, "created_at": rig.clock.now()}))
        return effects

    rig.policy.give_up = breaking  # type: ignore[method-assign]
    await rig.hear("poison", "after")
    await rig.settle()
    assert 1 < len(told) < 50
    states = await rows(database, tables.inbox, tables.inbox.c.state, tables.inbox.c.reason)
    assert [row[0] for row in states] == ["done", "dead", "done"]
    assert str(states[1][1]).startswith("failed 3 times")
    assert rig.adapter.texts() == ["echo before", "echo after"]


async def test_a_row_that_is_no_json_blocks_nobody(database: Database) -> None:
    """What came after it in the same lane, and others of the batch, are answered."""
    rig = Rig(database)
    await rig.hear("broken", "after it")
    await rig.hear("hello", thread="u")
    first = select(func.min(tables.inbox.c.id)).scalar_subquery()
    broken = update(tables.inbox).where(tables.inbox.c.id == first).values(event=type_coerce(b"{no json", LargeBinary))
    await database.write(lambda connection: connection.execute(broken))
    await rig.settle()
    assert sorted(rig.adapter.texts()) == ["echo after it", "echo hello"]
    assert await rows(database, tables.inbox, tables.inbox.c.state) == [("done",)] * 3
