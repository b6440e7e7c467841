"""The way out: in order per address, sent once or unknown, held back where the platform or a person says so."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loop_parts import START, Rig
from sqlalchemy import select, update

from bot.loop.delivery import Delivery
from bot.loop.effects import Effects
from bot.loop.planner import LONGEST_BACKOFF, backoff
from bot.loop.rates import Rates
from bot.loop.render import split
from bot.loop.state import LaneState
from channels.base import (
    Blocked,
    Capabilities,
    Misconfigured,
    OutcomeUnknown,
    Outgoing,
    Rejected,
    RetryAfter,
    Sent,
    Unavailable,
)
from storage import tables
from storage.database import Database


async def states(database: Database) -> list[tuple[str, str | None]]:
    statement = select(tables.outbox.c.state, tables.outbox.c.reason).order_by(tables.outbox.c.id)
    return await database.read(lambda connection: [(row[0], row[1]) for row in connection.execute(statement)])


async def test_a_failure_that_may_pass_is_tried_again_later_and_its_followers_wait(database: Database) -> None:
    """Order per address holds through backoff; another address is not held back."""
    rig = Rig(database)
    down = True
    rig.adapter.fault = lambda o: Unavailable("it is down") if down and o.address == "t" else None
    await rig.hear("1", "2", "3")
    await rig.hear("x", thread="other")
    await rig.settle()
    assert rig.adapter.texts() == ["echo x"]
    assert [state for state, _ in await states(database)].count("queued") == 3
    down = False
    await rig.settle()
    assert rig.adapter.texts("t") == []  # not before its time
    rig.clock.advance(timedelta(seconds=3))
    await rig.settle()
    assert rig.adapter.texts("t") == ["echo 1", "echo 2", "echo 3"]


async def test_a_platform_that_never_comes_back_is_given_up_in_the_end(database: Database) -> None:
    """After the last attempt the row has failed, with its reason, and the next one is tried."""
    rig = Rig(database)
    rig.adapter.fault = lambda o: Unavailable("it is down")
    await rig.hear("1")
    for _ in range(40):
        await rig.settle()
        rig.clock.advance(timedelta(seconds=LONGEST_BACKOFF))
    assert await states(database) == [("failed", "it is down")]


async def test_a_lost_answer_is_unknown_and_never_repeated(database: Database) -> None:
    """It may have arrived. Its followers go on."""
    rig = Rig(database)

    def lose(outgoing: Outgoing) -> BaseException | None:
        if outgoing.text == "echo 1":
            rig.adapter.sent.append(outgoing)
            return OutcomeUnknown("no answer came")
        return None

    rig.adapter.fault = lose
    await rig.hear("1", "2")
    await rig.settle()
    rig.clock.advance(timedelta(days=1))
    await rig.delivery.sweep()
    await rig.settle()
    assert rig.adapter.texts() == ["echo 1", "echo 2"]
    assert await states(database) == [("unknown", "no answer came"), ("sent", None)]


async def test_where_the_platform_takes_an_idempotency_key_a_lost_answer_is_repeated(database: Database) -> None:
    """Under the same key, so that it is one message."""
    rig = Rig(database, Capabilities(text_limit=100, idempotent=True))
    keys: list[str] = []

    def lose(outgoing: Outgoing) -> BaseException | None:
        keys.append(outgoing.key)
        return OutcomeUnknown("lost") if len(keys) == 1 else None

    rig.adapter.fault = lose
    await rig.hear("1")
    await rig.settle()
    rig.clock.advance(timedelta(minutes=1))
    await rig.settle()
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert rig.adapter.texts() == ["echo 1"]


@pytest.mark.parametrize(
    ("error", "reason"), [(Rejected("too long"), "too long"), (Blocked("blocked us"), "blocked us")]
)
async def test_what_will_never_be_taken_has_failed_at_once(database: Database, error: Exception, reason: str) -> None:
    """One attempt, the platform's reason, and no more."""
    rig = Rig(database)
    calls: list[str] = []

    def refuse(outgoing: Outgoing) -> BaseException | None:
        calls.append(outgoing.text)
        return error if len(calls) == 1 else None

    rig.adapter.fault = refuse
    await rig.hear("1")
    await rig.settle()
    rig.clock.advance(timedelta(days=1))
    await rig.settle()
    assert calls == ["echo 1"]
    assert await states(database) == [("failed", reason)]


async def test_who_blocked_us_is_written_to_again_only_after_they_return(database: Database) -> None:
    """Notices to a blocked address are dropped with that reason; their own next message lifts it."""
    rig = Rig(database)
    rig.adapter.fault = lambda o: Blocked("gone") if o.text == "echo 1" else None
    await rig.hear("1")
    await rig.settle()

    def notify(state: LaneState, effects: Effects) -> None:
        effects.say("a survey", kind="survey")

    await rig.turns.act("chat:memory:a:t", notify)
    await rig.settle()
    assert (await states(database))[1] == ("dropped", "blocked")
    rig.clock.advance(timedelta(minutes=1))
    await rig.hear("2")
    await rig.settle()
    assert rig.adapter.texts() == ["echo 2"]


async def test_too_fast_waits_as_long_as_the_platform_says(database: Database) -> None:
    """For the one address, or for the whole account."""
    rig = Rig(database)
    rig.adapter.fault = lambda o: RetryAfter("slow down", 30, "account") if o.text == "echo 1" and now() < 30 else None
    begun = rig.clock.now()

    def now() -> float:
        return (rig.clock.now() - begun).total_seconds()

    await rig.hear("1")
    await rig.settle()
    await rig.hear("x", thread="other")
    await rig.settle()
    assert rig.adapter.texts() == []
    rig.clock.advance(timedelta(seconds=31))
    await rig.settle()
    assert sorted(rig.adapter.texts()) == ["echo 1", "echo x"]


async def test_wrong_credentials_hold_the_account_and_lose_nothing(database: Database) -> None:
    """Once they are put right everything goes out, in order."""
    rig = Rig(database)
    wrong = True
    rig.adapter.fault = lambda o: Misconfigured("the token is wrong: set a new one") if wrong else None
    await rig.hear("1", "2")
    await rig.settle()
    for _ in range(30):
        rig.clock.advance(timedelta(seconds=61))
        await rig.settle()
    wrong = False
    rig.clock.advance(timedelta(seconds=61))
    await rig.settle()
    assert rig.adapter.texts() == ["echo 1", "echo 2"]


async def test_a_fault_of_our_own_is_unknown_and_not_repeated(database: Database) -> None:
    """An adapter's bug may strike after the socket was written to."""
    rig = Rig(database)
    rig.adapter.fault = lambda o: ZeroDivisionError() if o.text == "echo 1" else None
    await rig.hear("1", "2")
    await rig.settle()
    assert await states(database) == [("unknown", "fault: ZeroDivisionError"), ("sent", None)]


async def test_no_reply_of_the_bot_goes_out_after_a_takeover_and_notices_do(database: Database) -> None:
    """Also none that was queued before: the epoch is checked in the statement that claims it."""
    rig = Rig(database)
    await rig.hear("1")
    await rig.turns.settle()  # decided and queued, not sent

    def take_over(state: LaneState, effects: Effects) -> None:
        effects.own("agent", effects.epoch + 1)
        effects.say("a colleague joined", kind="notice")

    await rig.turns.act("chat:memory:a:t", take_over)
    await rig.delivery.settle()
    assert rig.adapter.texts() == ["a colleague joined"]
    assert (await states(database))[0] == ("dropped", "overtaken")


async def test_a_takeover_between_looking_and_claiming_still_wins(database: Database) -> None:
    """The claim's own statement sees the new owner."""
    from bot.loop import outbox as rows

    rig = Rig(database)
    await rig.hear("1")
    await rig.turns.settle()
    bump = update(tables.conversations).values(owner="agent", owner_epoch=tables.conversations.c.owner_epoch + 1)
    await database.write(lambda connection: connection.execute(bump))
    [row] = await database.read(lambda connection: list(connection.execute(select(tables.outbox.c.id)).scalars()))
    assert await database.write(lambda connection: rows.claim(connection, [row], "me", 30.0)) == set()


async def test_stop_is_obeyed_at_once_and_confirmed(database: Database) -> None:
    """What was queued is dropped; the confirmation is not; an answer to what they ask later is."""
    rig = Rig(database)
    await rig.hear("1")
    await rig.settle()

    def stop(state: LaneState, effects: Effects) -> None:
        effects.say("a survey", kind="survey")
        effects.change_address(stopped_at=effects.now)
        effects.say("you are unsubscribed", kind="consent")

    rig.clock.advance(timedelta(minutes=1))
    await rig.turns.act("chat:memory:a:t", stop)
    await rig.settle()
    assert rig.adapter.texts() == ["echo 1", "you are unsubscribed"]
    rig.clock.advance(timedelta(minutes=1))
    await rig.hear("a question")
    await rig.settle()
    assert rig.adapter.texts()[-1] == "echo a question"


async def test_outside_the_platforms_window_nothing_is_sent(database: Database) -> None:
    """The reason stands on the row."""
    rig = Rig(database, Capabilities(text_limit=100, window=timedelta(hours=24)))
    await rig.hear("1")
    await rig.settle()
    rig.clock.advance(timedelta(hours=25))
    await rig.turns.act("chat:memory:a:t", lambda _, effects: effects.say("late", kind="survey"))
    await rig.settle()
    assert rig.adapter.texts() == ["echo 1"]
    assert (await states(database))[1] == ("dropped", "window_closed")


async def test_a_chat_is_written_to_once_a_second_where_the_platform_wants_it(database: Database) -> None:
    """A second message waits its second; another chat does not."""
    rig = Rig(database, Capabilities(text_limit=100, rate_per_address=1.0, rate_per_account=30.0))
    await rig.hear("1", "2", "3")
    await rig.hear("x", thread="other")
    await rig.settle()
    assert sorted(rig.adapter.texts()) == ["echo 1", "echo x"]
    rig.clock.advance(timedelta(seconds=1))
    await rig.settle()
    assert rig.adapter.texts("t") == ["echo 1", "echo 2"]
    rig.clock.advance(timedelta(seconds=1))
    await rig.settle()
    assert rig.adapter.texts("t") == ["echo 1", "echo 2", "echo 3"]


async def test_what_was_in_flight_when_the_process_died_is_unknown_and_nothing_else(database: Database) -> None:
    """At most what was marked as being sent; everything queued behind it is sent."""
    rig = Rig(database)
    hang = asyncio.Event()

    async def never(outgoing: Outgoing) -> None:
        await hang.wait()

    rig.adapter.send = never  # type: ignore[method-assign,assignment]
    await rig.hear("1", "2", "3")
    await rig.turns.settle()
    await rig.delivery.step()  # one is in flight, and the process "dies"
    for task in rig.delivery._tasks:
        task.cancel()
    again = Rig(database)
    assert await again.delivery.abandon() == 1
    await again.delivery.sweep()
    await again.settle()
    assert again.adapter.texts() == ["echo 2", "echo 3"]
    assert [state for state, _ in await states(database)] == ["unknown", "sent", "sent"]


async def test_a_sender_that_was_held_up_past_its_lease_does_not_send_and_blocks_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process was stopped between its claim and its socket: the row is unknown, what follows it goes out."""
    from types import SimpleNamespace

    from bot.loop import delivery

    rig = Rig(database)
    await rig.hear("1", "2")
    await rig.turns.settle()
    readings = iter([0.0, 100.0])  # claimed, and long after that about to be sent
    held_up = SimpleNamespace(monotonic=lambda: next(readings, 100.0))
    monkeypatch.setattr(delivery, "time", held_up)
    await rig.delivery.step()
    await asyncio.wait(rig.delivery._tasks)
    assert rig.adapter.texts() == []
    expired = update(tables.outbox).where(tables.outbox.c.state == "sending").values(lease_until=1.0)
    await database.write(lambda connection: connection.execute(expired))
    await rig.delivery.sweep()
    await rig.settle()
    assert rig.adapter.texts() == ["echo 2"]
    assert [state for state, _ in await states(database)] == ["unknown", "sent"]


async def test_a_graceful_stop_in_the_middle_of_everything_leaves_nothing_unknown(database: Database) -> None:
    """What is claimed is sent and recorded; the rest waits for the next start; and stopping ends."""
    rig = Rig(database)
    await asyncio.gather(*(rig.hear("1", thread=f"t{n}") for n in range(100)))
    await rig.turns.settle()
    running = asyncio.create_task(rig.delivery.run())
    first = asyncio.Event()
    rig.adapter.fault = lambda _: first.set()
    async with asyncio.timeout(20):
        await first.wait()
    rig.delivery.stop()
    async with asyncio.timeout(20):
        await running
    found = {state for state, _ in await states(database)}
    assert found <= {"sent", "queued"}
    assert [state for state, _ in await states(database)].count("sent") == len(rig.adapter.sent)


async def test_being_told_to_wait_uses_up_no_attempt(database: Database) -> None:
    """Twelve minutes of a wrong token, then one outage, then it works: it is sent."""
    rig = Rig(database)
    errors: list[Exception] = [Misconfigured("wrong token") for _ in range(20)] + [Unavailable("down")]
    rig.adapter.fault = lambda _: errors.pop(0) if errors else None
    await rig.hear("1")
    for _ in range(25):
        await rig.settle()
        rig.clock.advance(timedelta(seconds=61))
    assert rig.adapter.texts() == ["echo 1"]


async def test_what_a_platform_says_of_an_error_is_kept_whatever_it_holds(database: Database) -> None:
    """NUL, a lone surrogate, an endless text, an endless wait: recorded, and the others go on."""
    rig = Rig(database)
    hostile = [Rejected("a\0b\ud800" * 500), RetryAfter("\0", 1e30)]
    rig.adapter.fault = lambda o: hostile.pop(0) if hostile and o.address != "other" else None
    await rig.hear("1", "2")
    await rig.hear("x", thread="other")
    await rig.settle()
    assert rig.adapter.texts() == ["echo x"]
    assert [state for state, _ in await states(database)] in (
        ["failed", "queued", "sent"],
        ["failed", "sent", "queued"],
    )


async def test_what_was_in_flight_goes_again_where_a_repeat_is_one_message(database: Database) -> None:
    """On a channel that takes our key, a dead sender leaves nothing unknown."""
    rig = Rig(database, Capabilities(text_limit=100, idempotent=True))
    await rig.hear("1")
    await rig.turns.settle()
    dead = update(tables.outbox).values(state="sending", lease_owner="dead", lease_until=1.0)
    await database.write(lambda connection: connection.execute(dead))
    again = Delivery(database, rig.clock, lambda channel, account: rig.adapter, idempotent=["memory"])
    assert await again.abandon() == 0
    await again.sweep()
    await again.settle()
    assert rig.adapter.texts() == ["echo 1"]


async def test_a_lease_that_ran_out_is_unknown_to_every_other_process(database: Database) -> None:
    """By the database's clock; a sender whose lease has passed does not send."""
    rig = Rig(database)
    await rig.hear("1")
    await rig.turns.settle()
    expired = update(tables.outbox).values(state="sending", lease_owner="dead", lease_until=1.0)
    await database.write(lambda connection: connection.execute(expired))
    await rig.delivery.sweep()
    await rig.settle()
    assert [state for state, _ in await states(database)] == ["unknown"]
    assert rig.adapter.texts() == []


async def test_two_senders_never_send_a_row_twice(database: Database) -> None:
    """Both are hinted at the same addresses at the same time."""
    one = Rig(database)
    two = Delivery(database, one.clock, lambda channel, account: one.adapter)
    places = [("memory", "a", f"t{n}") for n in range(30)]
    await asyncio.gather(*(one.hear("1", "2", thread=f"t{n}") for n in range(30)))
    await one.turns.settle()
    two.hint(places)
    await asyncio.gather(one.delivery.settle(), two.settle())
    await one.delivery.sweep()
    await one.settle()
    assert sorted(one.adapter.texts()) == ["echo 1"] * 30 + ["echo 2"] * 30
    for n in range(30):
        assert one.adapter.texts(f"t{n}") == ["echo 1", "echo 2"]


@given(st.integers(1, 200), st.integers(0, 2**32))
def test_backoff_grows_is_bounded_and_never_nothing(attempts: int, seed: int) -> None:
    """Half of it is jitter, so that many do not come back at once."""
    wait = backoff(attempts, random.Random(seed)).total_seconds()
    assert 1.0 <= wait <= LONGEST_BACKOFF
    assert wait >= min(LONGEST_BACKOFF, 2.0 * 2 ** (min(attempts, 17) - 1)) / 2


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 0.2)), max_size=120))
def test_no_account_is_written_to_faster_than_its_platform_allows(steps: list[tuple[int, float]]) -> None:
    """Never more than a second's worth above the rate, whatever the order of addresses."""
    rates, now, sent = Rates(), START, []
    can = Capabilities(text_limit=1, rate_per_account=10.0)
    for address, pause in steps:
        now += timedelta(seconds=pause)
        place = ("memory", "a", str(address))
        if rates.ready_at(place, can, now) <= now:
            rates.spend(place, can, now)
            sent.append(now)
    for at in sent:
        assert sum(at <= other < at + timedelta(seconds=1) for other in sent) <= 22


async def test_receipts_come_in_any_order_and_before_our_own_result(database: Database) -> None:
    """What became of a message only goes forward; a receipt that is faster than our commit is kept, and one of another
    message is not taken for it."""
    rig = Rig(database)
    send = rig.adapter.send

    async def receipts(*told: tuple[str, str]) -> None:
        await rig.turns.act("chat:memory:a:t", lambda _, effects: effects.receipts.extend(told))

    async def slow(outgoing: Outgoing) -> Sent:
        sent = await send(outgoing)
        early = {"p1": [("p1", "sent"), ("p1", "delivered")], "p2": [("p0", "failed")]}
        await receipts(*early.get(sent.reference or "", []))
        return sent

    rig.adapter.send = slow  # type: ignore[method-assign] # on its way the platform already tells
    await rig.hear("1", "2", "3")
    await rig.settle()
    await receipts(("p1", "sent"), ("p3", "read"), ("p3", "delivered"))
    statement = select(tables.outbox.c.reference, tables.outbox.c.receipt).order_by(tables.outbox.c.id)
    found = await database.read(lambda connection: [tuple(row) for row in connection.execute(statement)])
    assert found == [("p1", "delivered"), ("p2", None), ("p3", "read")]


@given(st.text(max_size=400), st.integers(5, 60), st.booleans())
def test_a_split_text_loses_nothing_but_white_space_at_the_cuts(text: str, limit: int, in_bytes: bool) -> None:
    """Every part fits, and together they are the text."""
    text = text.encode("utf-8", "replace").decode()
    parts = list(split(text, limit, in_bytes=in_bytes))
    assert all((len(part.encode()) if in_bytes else len(part)) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


async def test_clocks_that_differ_a_little_neither_shorten_a_hold_nor_a_pause(database: Database) -> None:
    """The gateway's is ahead by a second: what its agents hold is held, and what failed waits before it is tried."""
    rig = Rig(database)
    rig.adapter.fault = lambda _: Unavailable("down")
    rig.clock.advance(timedelta(seconds=30))
    await rig.hear("x")
    await rig.turns.settle()
    await rig.hear("held", thread="other")
    await rig.turns.settle()
    row = tables.outbox
    hold = update(row).where(row.c.address == "other").values(not_before=rig.clock.now() + timedelta(seconds=5))
    await database.write(lambda connection: connection.execute(hold))
    rig.clock.advance(timedelta(seconds=-1))
    await rig.delivery.sweep()
    await rig.delivery.settle()
    tried = await database.read(
        lambda connection: dict(connection.execute(select(row.c.address, row.c.attempts)).all())
    )
    assert tried == {"t": 0, "other": 0}
    rig.clock.advance(timedelta(seconds=2))
    for _ in range(3):
        await rig.delivery.sweep()
        await rig.delivery.settle()
    tried = await database.read(
        lambda connection: dict(connection.execute(select(row.c.address, row.c.attempts)).all())
    )
    assert tried == {"t": 1, "other": 0}
