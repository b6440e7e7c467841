"""Who works which lanes: about as many each, soon after somebody came, left or died; and hints that find their way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

import pytest
from fleet_parts import until
from hypothesis import given
from hypothesis import strategies as st
from loop_parts import Rig
from sqlalchemy import update

from bot.installation import identity, same_secret
from bot.loop.following import Following
from bot.loop.routing import Router
from bot.loop.shares import PARTS, Shares, part_of
from bot.settings import SettingsError
from storage import leases, tables
from storage.clock import database_now
from storage.database import Database
from storage.stream import Hint


async def beat(*shares: Shares, times: int = 3) -> None:
    for _ in range(times):
        for each in shares:
            await each.beat()


def whole(*shares: Shares) -> bool:
    """Every part is held by exactly one of them."""
    held = [part for each in shares for part in each.parts]
    return sorted(held) == list(range(PARTS))


async def test_lanes_are_shared_about_evenly_and_move_when_somebody_comes_or_leaves(database: Database) -> None:
    """Nobody is asked, and no part is held by two."""
    first, second, third = (Shares(database) for _ in range(3))
    await beat(first)
    assert first.parts == frozenset(range(PARTS))
    await beat(first, second, third)
    assert whole(first, second, third)
    assert {len(each.parts) for each in (first, second, third)} <= {20, 21, 22}
    await second.leave()
    await beat(first, third)
    assert whole(first, third)
    assert not second.parts


async def test_what_a_dead_process_held_runs_out_by_the_databases_clock(database: Database) -> None:
    """Its own clock, or ours, does not matter."""
    dead, alive = Shares(database), Shares(database)
    await beat(dead, alive)
    half = alive.parts
    await beat(alive)
    assert alive.parts == half  # not before its time
    over = update(tables.leases).where(tables.leases.c.owner == dead.me).values(until=database_now() - 1)
    await database.write(lambda connection: connection.execute(over).rowcount)
    await beat(alive)
    assert whole(alive)


async def test_two_who_take_the_same_lease_at_once_do_not_both_get_it(database: Database) -> None:
    """Each goes to one of them."""
    names = [f"poll:telegram:{number}" for number in range(50)]
    takers = [partial(leases.hold, owner=f"p{number}", names=names, seconds=60.0) for number in range(4)]
    got = await asyncio.gather(*(database.write(taker) for taker in takers))
    assert sorted(name for each in got for name in each) == sorted(names)


async def test_a_gateway_takes_no_lanes_and_one_account_is_polled_by_one_process(database: Database) -> None:
    """Which one, the leases say; when it leaves, another does."""
    gateway = Shares(database, works=False, exclusive=["poll:telegram:main"])
    first, second = (Shares(database, exclusive=["poll:telegram:main"]) for _ in range(2))
    await beat(gateway, first, second)
    assert not gateway.parts
    assert [each.only_me("poll:telegram:main") for each in (gateway, first, second)] == [False, True, False]
    await first.leave()
    await beat(second)
    assert second.only_me("poll:telegram:main")


def test_the_only_process_has_everything_and_asks_nobody() -> None:
    """As on SQLite."""
    alone = Shares(None)
    assert alone.all
    assert alone.mine("chat:web:default:anything")
    assert alone.only_me("poll:telegram:main")


@given(st.text(max_size=50))
def test_every_lane_has_a_part_whatever_its_name(lane: str) -> None:
    """The same each time."""
    assert part_of(lane) == part_of(lane)
    assert 0 <= part_of(lane) < PARTS


def test_the_part_of_a_lane_never_changes_between_versions() -> None:
    """Two versions at once must agree."""
    assert [part_of(lane) for lane in ("chat:web:default:v1", "chat:telegram:main:4711")] == [0, 11]


class Wires:
    """A stream that hands nothing on, and remembers what it was given."""

    def __init__(self) -> None:
        self.hints: list[tuple[int, Hint]] = []
        self.news: list[str] = []

    def wake(self, part: int, hint: Hint) -> None:
        self.hints.append((part, hint))

    def tell(self, news: Iterable[str]) -> None:
        self.news += news


@pytest.fixture
async def two(database: Database) -> tuple[Shares, Shares]:
    first, second = Shares(database), Shares(database)
    await beat(first, second)
    return first, second


async def test_a_hint_goes_to_whoever_has_the_lane(two: tuple[Shares, Shares]) -> None:
    """Ours at once, another's over the stream; what another version says is passed over."""
    first, second = two
    lanes = [f"chat:a:b:{number}" for number in range(40)]
    places = [("a", "b", str(number)) for number in range(40)]
    woken: list[str] = []
    hinted: list[tuple[str, str, str]] = []
    told: list[str] = []
    wires = Wires()
    router = Router(first, woken.extend, hinted.extend, told.extend)
    router.stream = wires  # type: ignore[assignment] # remembers instead of sending
    router.wake(lanes)
    router.hint(places)
    router.changed(lanes[:2])
    mine = [lane for lane in lanes if first.mine(lane)]
    assert woken == mine
    assert 0 < len(mine) < 40
    assert [":".join(("chat", *place)) for place in hinted] == mine
    assert told == wires.news == lanes[:2]
    other = Router(second, woken.extend, hinted.extend, told.extend)
    other.woken([hint for _, hint in wires.hints] + [("future", "x"), ("lane",), ("place", "a")])
    assert sorted(woken) == sorted(lanes)
    assert sorted(hinted) == sorted(places)


async def test_without_a_stream_the_database_is_looked_at(database: Database) -> None:
    """What came by another process is worked, its answer sent, and whoever watches is told."""
    rig = Rig(database)
    told: list[str] = []

    async def known() -> bool:
        return bool(told)

    following = Following(database, rig.turns, rig.delivery, told.extend, lambda: False, works=True, faces=True)
    assert await following.said() == []
    await rig.hear("hello")
    rig.lanes.keep(lambda _: False)  # as if another process had taken it in
    assert not rig.lanes.waiting
    looking = asyncio.create_task(following.run())
    async with asyncio.timeout(10):
        await rig.lanes.some()
    await rig.settle()
    following.at_once()
    await until(known, 10, "whoever watches is told")
    looking.cancel()
    assert rig.adapter.texts() == ["echo hello"]
    assert set(told) == {"chat:memory:a:t"}


async def test_a_look_takes_what_is_ours_and_young_and_leaves_the_rest_to_the_sweep(database: Database) -> None:
    """What was left behind may be what killed somebody: it is tried alone, and counted."""
    rig = Rig(database)
    await rig.hear("old", thread="old")
    rig.clock.advance(timedelta(seconds=11))
    await rig.hear("young", thread="young")
    await rig.hear("new", thread="old")
    rig.lanes.keep(lambda _: False)
    await rig.turns.look()
    assert rig.lanes.take(10) == ["chat:memory:a:young"]
    rig.lanes.release(["chat:memory:a:young"])
    assert await rig.turns.sweep() == ["chat:memory:a:old"]
    assert rig.policy.decided == ["old", "new"]


async def test_many_lanes_left_behind_are_found_page_by_page(database: Database) -> None:
    """Those of others do not hide ours."""
    rig = Rig(database)
    for start in range(0, 1200, 200):
        await asyncio.gather(*(rig.hear("hi", thread=f"{number:05}") for number in range(start, start + 200)))
    rig.lanes.keep(lambda _: False)
    rig.turns._mine = lambda lane: lane.endswith(":01190")
    rig.clock.advance(timedelta(seconds=11))
    assert await rig.turns.sweep() == ["chat:memory:a:01190"]


async def test_processes_that_sign_with_different_secrets_do_not_start(database: Database) -> None:
    """Links of one would be refused by the other. A secret that the operator changes is taken."""
    await same_secret(database, b"one", given=False)
    await same_secret(database, b"one", given=False)
    with pytest.raises(SettingsError, match="EARFUL_SECRET"):
        await same_secret(database, b"two", given=False)
    await same_secret(database, b"two", given=True)
    await same_secret(database, b"two", given=False)
    assert await identity(database) == await identity(database)
