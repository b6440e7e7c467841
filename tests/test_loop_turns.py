"""The way in and the turn: accepted once, worked in order, decided again when overtaken, buried when impossible."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from loop_parts import Rig
from sqlalchemy import select, update
from statement_parts import counted

from bot.loop.effects import Effects
from bot.loop.intake import Intake, Overloaded
from bot.loop.state import LaneState
from channels.base import Malformed, Text, Unknown
from storage import tables
from storage.database import Conflict, Database, Work
from storage.records import Conversation, Message


async def rows(database: Database, table: Any, *columns: Any) -> list[tuple[Any, ...]]:
    statement = select(*(columns or table.c)).order_by(table.c.id)
    return await database.read(lambda connection: [tuple(row) for row in connection.execute(statement)])


async def test_a_message_is_answered_and_everything_about_it_is_kept(database: Database) -> None:
    """In through the inbox, out through the outbox, both sides on the transcript."""
    rig = Rig(database)
    await rig.hear("hello")
    await rig.settle()
    assert rig.adapter.texts() == ["echo hello"]
    messages = await database.read(Message.find)
    assert [(m.author, m.text) for m in messages] == [("customer", "hello"), ("bot", "echo hello")]
    assert await rows(database, tables.inbox, tables.inbox.c.state) == [("done",)]
    assert await rows(database, tables.outbox, tables.outbox.c.state) == [("sent",)]
    assert [row[0] for row in await rows(database, tables.attempts, tables.attempts.c.outcome)] == ["sent"]


async def test_the_same_event_twice_has_one_effect(database: Database) -> None:
    """Redelivered at once, in the same call, and after it was worked."""
    rig = Rig(database)
    await rig.hear("one", "one", key="k")
    await asyncio.gather(*(rig.hear("one", key="k") for _ in range(20)))
    await rig.settle()
    await rig.hear("one", key="k")
    await rig.settle()
    assert rig.adapter.texts() == ["echo one"]


async def test_a_lane_is_worked_in_the_order_of_arrival_and_lanes_beside_each_other(database: Database) -> None:
    """Whatever the batches are."""
    rig = Rig(database)
    for n in range(25):
        await asyncio.gather(*(rig.hear(f"{n}", thread=f"t{lane}") for lane in range(5)))
    await rig.settle()
    for lane in range(5):
        assert rig.adapter.texts(f"t{lane}") == [f"echo {n}" for n in range(25)]


async def test_order_holds_within_one_batch_of_events(database: Database) -> None:
    """Keys that sort otherwise than they came (9, 10) do not turn a conversation round."""
    rig = Rig(database)
    events = [Text(dedupe_key=str(n), thread="t", text=f"{n}") for n in range(8, 112)]
    await rig.intake.accept("memory", "a", events)
    await rig.settle()
    assert rig.adapter.texts() == [f"echo {n}" for n in range(8, 112)]


async def test_a_noisy_lane_does_not_hide_the_others(database: Database) -> None:
    """Two hundred messages of one sender wait; the other is answered within the first batch."""
    rig = Rig(database)
    await rig.intake.accept("memory", "a", [Text(dedupe_key=f"n{n}", thread="noisy", text=f"{n}") for n in range(200)])
    await rig.hear("me too", thread="quiet")
    taken = rig.lanes.take(64)
    await rig.turns.batch(taken)
    rig.lanes.release(taken)
    await rig.delivery.settle()
    assert rig.adapter.texts("quiet") == ["echo me too"]
    await rig.settle()
    assert rig.adapter.texts("noisy") == [f"echo {n}" for n in range(200)]


async def test_a_turn_that_was_overtaken_is_decided_again_on_what_is_true_now(database: Database) -> None:
    """A person acts between LOAD and APPLY: nothing of the old decision is written."""
    rig = Rig(database)
    await rig.hear("first")
    await rig.settle()
    interfered = 0

    def interfere(state: LaneState) -> None:
        nonlocal interfered
        if interfered < 2 and state.conversation:
            interfered += 1
            asyncio.get_running_loop().call_soon(lambda: None)
            interferences.append(
                asyncio.create_task(rig.turns.act(state.lane, lambda _, effects: effects.record("system", "claimed")))
            )

    interferences: list[asyncio.Task[Any]] = []
    original = rig.policy.decide

    async def slow(states: Any) -> Any:
        decided = await original(states)
        await asyncio.gather(*interferences)
        return decided

    rig.policy.before = interfere
    rig.policy.decide = slow  # type: ignore[method-assign]
    await rig.hear("second")
    await rig.settle()
    assert interfered == 2
    assert rig.policy.decided.count("second") >= 2
    assert rig.adapter.texts() == ["echo first", "echo second"]
    messages = await database.read(Message.find)
    assert [m.text for m in messages if m.author == "customer"] == ["first", "second"]


async def test_turns_that_share_a_transaction_never_share_a_fate(database: Database) -> None:
    """One lane of a batch cannot be applied: the others are, and it is tried by itself."""
    rig = Rig(database)
    await asyncio.gather(*(rig.hear("x", thread=f"t{n}") for n in range(10)))
    original = rig.policy._one

    def poisoned(state: LaneState) -> Effects | Exception:
        effects = original(state)
        if state.thread == "t3" and isinstance(effects, Effects):
            effects.record("bot", "x" * 5, at=None).values["conversation_id"] = 424242  # hangs on nothing
        return effects

    rig.policy._one = poisoned  # type: ignore[method-assign]
    await rig.settle()
    for n in range(10):
        assert rig.adapter.texts(f"t{n}") == (["echo x"] if n != 3 else ["sorry"])


async def test_what_a_crash_left_behind_is_found_by_the_sweep_and_tried_alone(database: Database) -> None:
    """No wake-up was ever heard for it."""
    rig = Rig(database)
    silent = Intake(database, rig.clock, lambda _: None)
    await silent.accept("memory", "a", [Text(dedupe_key=f"{n}", thread="t", text=f"{n}") for n in range(3)])
    assert await rig.turns.settle() == 0
    assert await rig.turns.sweep() == []  # not yet: it may be under way elsewhere
    rig.clock.advance(timedelta(seconds=11))
    assert await rig.turns.sweep() == ["chat:memory:a:t"]
    await rig.settle()
    assert rig.adapter.texts() == ["echo 0", "echo 1", "echo 2"]
    assert await rows(database, tables.inbox, tables.inbox.c.attempts) == [(1,), (1,), (1,)]


async def test_what_nobody_understands_is_kept_and_needs_no_turn(database: Database) -> None:
    """Unknown payloads stand in the inbox, raw."""
    rig = Rig(database)
    await rig.intake.accept("memory", "a", [Unknown(dedupe_key="u", thread="", raw=b"\x00\xff{")])
    await rig.settle()
    assert await rows(database, tables.inbox, tables.inbox.c.state, tables.inbox.c.raw) == [("done", b"\x00\xff{")]


async def test_intake_refuses_what_it_cannot_keep_up_with(database: Database) -> None:
    """Before memory fills: the platform is asked to come again, and nothing of the refused is kept."""
    rig = Rig(database)
    narrow = Intake(database, rig.clock, rig.lanes.wake, limit=3)
    results = await asyncio.gather(
        *(narrow.accept("memory", "a", [Text(dedupe_key=f"{n}", thread="t", text="x")]) for n in range(10)),
        return_exceptions=True,
    )
    kept = sum(result is None for result in results)
    assert kept == 3
    assert sum(isinstance(result, Overloaded) for result in results) == 7
    assert len(await rows(database, tables.inbox)) == kept
    await narrow.accept("memory", "a", [Text(dedupe_key="later", thread="t", text="x")])


async def test_an_impossible_thread_is_refused_and_a_long_key_is_not_confused(database: Database) -> None:
    """A key longer than its column counts as itself, not as its beginning."""
    rig = Rig(database)
    with pytest.raises(Malformed):
        await rig.hear("x", thread="t" * 301)
    await rig.hear("a", key="k" * 250 + "1")
    await rig.hear("b", key="k" * 250 + "2")
    await rig.settle()
    assert rig.adapter.texts() == ["echo a", "echo b"]


async def test_an_outage_between_decision_and_commit_loses_and_doubles_nothing(database: Database) -> None:
    """The database goes away for a while; the running loop comes back by itself."""
    rig = Rig(database)
    original = database.write
    down = {"left": 2}

    async def failing(work: Work[Any]) -> Any:
        if down["left"] and work.__qualname__.startswith("Turns._apply"):
            down["left"] -= 1
            raise OSError("gone")
        return await original(work)

    database.write = failing  # type: ignore[method-assign]
    await rig.hear("one")
    with pytest.raises(OSError, match="gone"):
        await rig.turns.settle()
    rig.lanes.wake(["chat:memory:a:t"])
    with pytest.raises(OSError, match="gone"):
        await rig.turns.settle()
    rig.lanes.wake(["chat:memory:a:t"])
    await rig.settle()
    assert rig.adapter.texts() == ["echo one"]


async def test_two_processes_on_one_lane_work_each_row_once(database: Database) -> None:
    """Wake-ups are only hints: both drain the same lanes at once, and the version decides."""
    one, two = Rig(database), Rig(database)
    two.adapter = one.adapter
    for n in range(20):
        await asyncio.gather(*(one.hear(f"{n}", thread=f"t{lane}") for lane in range(4)))
        two.lanes.wake([f"chat:memory:a:t{lane}" for lane in range(4)])
        await asyncio.gather(one.turns.settle(), two.turns.settle())
    await one.settle()
    await two.settle()
    await one.delivery.sweep()
    await one.settle()
    for lane in range(4):
        assert one.adapter.texts(f"t{lane}") == [f"echo {n}" for n in range(20)]


async def test_an_act_that_refuses_writes_nothing(database: Database) -> None:
    """What `decide` raises is raised, and the conversation stands as it was."""
    rig = Rig(database)
    await rig.hear("x")
    await rig.settle()
    [before] = await database.read(Conversation.find)

    def refuse(state: LaneState, effects: Effects) -> None:
        effects.record("system", "half done")
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        await rig.turns.act("chat:memory:a:t", refuse)
    assert await database.read(Conversation.find) == [before]


async def test_an_act_on_a_lane_that_never_stands_still_gives_up_in_words(database: Database) -> None:
    """It does not try for ever."""
    rig = Rig(database)
    await rig.hear("x")
    await rig.settle()

    async def racing(work: Work[Any]) -> Any:
        if work.__qualname__.startswith("Turns._apply"):
            bump = update(tables.conversations).values(version=tables.conversations.c.version + 1)
            await original(lambda connection: connection.execute(bump))
        return await original(work)

    original = database.write
    database.write = racing  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        await rig.turns.act("chat:memory:a:t", lambda _, effects: effects.record("system", "x"))


async def test_a_batch_takes_few_statements_however_many_lanes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set-based: forty lanes cost hardly more statements than one."""

    async def statements(lanes: int, prefix: str) -> int:
        rig = Rig(database)
        await asyncio.gather(*(rig.hear("x", thread=f"{prefix}{n}") for n in range(lanes)))
        with counted(monkeypatch) as said:
            await rig.turns.settle()
        return len(said)

    one, forty = await statements(1, "a"), await statements(40, "b")
    assert forty <= one + 2
    assert 4 < one <= 16


async def test_a_batch_that_takes_long_holds_up_nobody_who_comes_after(database: Database) -> None:
    """Another batch is decided while one waits for somebody else's server."""
    rig = Rig(database)
    begun, answered, quick = asyncio.Event(), asyncio.Event(), asyncio.Event()
    decide = rig.policy.decide

    async def slowly(states: Sequence[LaneState]) -> list[Effects | Exception]:
        if any(state.thread == "slow" for state in states):
            begun.set()
            await answered.wait()
        else:
            quick.set()
        return await decide(states)

    rig.policy.decide = slowly  # type: ignore[method-assign]
    work = asyncio.create_task(rig.turns.run())
    try:
        async with asyncio.timeout(5):
            await rig.hear("a", thread="slow")
            await begun.wait()
            await rig.hear("b", thread="quick")
            await quick.wait()
    finally:
        answered.set()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    await rig.delivery.settle()
    assert sorted(rig.adapter.texts()) == ["echo a", "echo b"]


async def test_many_processes_that_sweep_at_once_bury_nothing_that_can_be_worked(database: Database) -> None:
    """An attempt is counted once, by the one who makes it."""
    rigs = [Rig(database) for _ in range(4)]
    silent = Intake(database, rigs[0].clock, lambda _: None)
    for n in range(10):
        await silent.accept("memory", "a", [Text(dedupe_key=f"{n}", thread=f"t{n}", text="x")])
    for rig in rigs:
        rig.clock.advance(timedelta(seconds=11))
    await asyncio.gather(*(rig.turns.sweep() for rig in rigs))
    for rig in rigs:
        await rig.turns.settle()
    for _ in range(3):
        await rigs[0].turns.sweep()
    found = await rows(database, tables.inbox, tables.inbox.c.state, tables.inbox.c.attempts)
    assert found == [("done", 1)] * 10
    said = [message for message in await database.read(Message.find) if message.author == "customer"]
    assert len(said) == 10


@pytest.mark.parametrize(
    ("sqlstate", "outage"),
    [
        ("08006", True),
        ("53300", True),
        ("57P01", True),
        ("55P03", True),
        ("40P01", True),
        ("23505", False),
        ("22P02", False),
    ],
)
def test_an_outage_of_postgresql_is_known_by_its_state(sqlstate: str, outage: bool) -> None:
    """asyncpg gives them all one class; an innocent row must not be buried for them."""
    from sqlalchemy.exc import DBAPIError

    from storage.database import is_outage

    original = Exception("x")
    original.sqlstate = sqlstate  # type: ignore[attr-defined]
    assert is_outage(DBAPIError("select 1", {}, original)) is outage
