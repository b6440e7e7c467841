"""A turn: load many lanes, decide each in memory, apply them together; again where a version moved."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.clock import Clock
from bot.loop.apply import apply
from bot.loop.effects import Effects
from bot.loop.figures import Figures
from bot.loop.lanes import Lanes
from bot.loop.state import Heard, LaneState, load
from channels.base import Capabilities
from storage.database import Conflict, Database, is_outage
from storage.sets import among
from storage.tables import inbox

log = structlog.get_logger()
T = TypeVar("T")

LANES_A_BATCH = 64
BATCHES_AT_ONCE = 2
"""While one waits for its commit the next is decided."""

TRIES = 3
CONFLICTS = 10
ALONE = 1_000
OUTAGE_PAUSE = 1.0
LEFT_BEHIND = timedelta(seconds=10)
PAGE = 500
"""Lanes that a look at the inbox reads at a time."""

_NEVER = datetime(9000, 1, 1, tzinfo=UTC)
_LANES = select(inbox.c.lane).where(among(inbox.c.state, "new")).group_by(inbox.c.lane).limit(PAGE)


class Later(Exception):
    """Why a lane is not decided yet: what it waits for. Nothing has failed."""

    def __init__(self, ready: Sequence[asyncio.Future[None]]) -> None:
        super().__init__("not decided yet")
        self.ready = ready

    async def wait(self) -> None:
        """Until it is there; then the lane is decided again."""
        await asyncio.wait(self.ready)


class Policy(Protocol):
    """What to do about what was heard. A policy never touches the database and holds no state of a conversation."""

    async def decide(self, states: Sequence[LaneState]) -> list[Effects | Exception]:
        """One result a state, in the same order; an exception is that lane's own failure, or `Later`."""
        ...

    def give_up(self, state: LaneState, reason: str) -> Effects:
        """The first row of this lane cannot be worked: what the customer and the desk are told instead."""
        ...

    def start(self, state: LaneState) -> Effects:
        """Empty effects for somebody else's act on this lane."""
        ...

    def capabilities(self, channel: str) -> Capabilities: ...


class Turns:
    """Works the inbox. `hint` is told the addresses that were written to, and `changed` the lanes, after the commit.
    Of what was left behind only the lanes that are `mine` are taken up."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        policy: Policy,
        lanes: Lanes,
        hint: Callable[[Iterable[tuple[str, str, str]]], None],
        changed: Callable[[Iterable[str]], None] = lambda _: None,
        mine: Callable[[str], bool] = lambda _: True,
        figures: Figures | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy
        self._lanes = lanes
        self._hint = hint
        self._changed = changed
        self._mine = mine
        self._looked_upto = ""
        self._figures = figures or Figures()
        self.turns = 0
        self._later: set[asyncio.Task[None]] = set()

    # ---- running ----

    async def run(self) -> None:
        """Work until cancelled."""
        slots = asyncio.Semaphore(BATCHES_AT_ONCE)
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                await self._lanes.some()
                await slots.acquire()
                taken = self._lanes.take(LANES_A_BATCH)
                if not taken:
                    slots.release()
                    continue
                task = asyncio.create_task(self._work(taken, slots))
                running.add(task)
                task.add_done_callback(running.discard)
        finally:
            await asyncio.gather(*running, return_exceptions=True)
            await asyncio.gather(*self._later, return_exceptions=True)

    async def _work(self, taken: list[str], slots: asyncio.Semaphore) -> None:
        waiting: dict[str, Later] = {}
        try:
            waiting = await self.batch(taken)
        except Exception as error:
            log.error("turn failed; its lanes are tried again", lanes=len(taken), error=type(error).__name__)
            await asyncio.sleep(OUTAGE_PAUSE)
            if is_outage(error):
                self._lanes.wake(taken)
            else:
                await self._apart(taken)
        finally:
            self._lanes.release(lane for lane in taken if lane not in waiting)
            slots.release()
        for lane, later in waiting.items():
            task = asyncio.create_task(self._again(lane, later))
            self._later.add(task)
            task.add_done_callback(self._later.discard)

    async def _again(self, lane: str, later: Later) -> None:
        """The lane stays taken until what it waits for is there."""
        try:
            await later.wait()
        finally:
            self._lanes.release([lane])
        self._lanes.wake([lane])

    async def _apart(self, lanes: Sequence[str]) -> None:
        """A batch that failed as a whole, and not for the database: each lane by itself, so that one harms no other."""
        for lane in lanes:
            try:
                await self._alone(lane)
            except Exception as error:
                log.error("a lane cannot be worked; the sweep tries it again", error=type(error).__name__)

    async def settle(self) -> int:
        """Work everything that waits, now. The number of lanes worked."""
        worked = 0
        while taken := self._lanes.take(LANES_A_BATCH):
            waiting: dict[str, Later] = {}
            try:
                waiting = await self.batch(taken)
                for later in waiting.values():
                    await later.wait()
            finally:
                self._lanes.release(taken)
            self._lanes.wake(waiting)
            worked += len(taken)
        return worked

    async def sweep(self, older_than: timedelta | None = LEFT_BEHIND) -> list[str]:
        """Lanes whose rows were left behind (a lost wake-up, a crash, a failure): each of their first rows is tried
        alone, its attempt committed first. None: also what bears a time to come. The lanes found."""
        before = _NEVER if older_than is None else self._clock.now() - older_than
        found: list[str] = []
        page, upto = PAGE, ""
        while page == PAGE and len(found) < PAGE:
            statement = (
                _LANES.where(inbox.c.lane > upto)
                .having(func.min(inbox.c.received_at) <= before)
                .order_by(inbox.c.lane)  # by id alone SQLite would read all that ever came
            )
            rows = await self._database.read(lambda connection, it=statement: list(connection.execute(it).scalars()))  # type: ignore[misc]
            page, upto = len(rows), rows[-1] if rows else ""
            found += [lane for lane in rows if self._mine(lane) and not self._lanes.is_busy(lane)]
        for lane in found:
            try:
                await self._alone(lane)
            except Exception as error:
                if is_outage(error):
                    raise
                log.error("a lane cannot be worked; the others go on", error=type(error).__name__)
        return found

    async def look(self, younger_than: timedelta = LEFT_BEHIND, older_than: timedelta = timedelta(0)) -> int:
        """Wake the lanes that wait without anybody having told us: what came by another process while there was no
        stream between us. What is older was left behind, and is the sweep's. At most PAGE lanes a time, going round;
        the number of those read."""
        now = self._clock.now()
        oldest = func.min(inbox.c.received_at)
        statement = (
            _LANES.where(inbox.c.lane > self._looked_upto)
            # From the future: whoever received it had another clock, or ours was set back. The sweep would not see it.
            .having(oldest > now - younger_than, or_(oldest <= now - older_than, oldest > now))
            .order_by(inbox.c.lane)
        )
        rows = await self._database.read(lambda connection: list(connection.execute(statement).scalars()))
        self._looked_upto = rows[-1] if len(rows) == PAGE else ""
        self._lanes.wake(lane for lane in rows if self._mine(lane) and not self._lanes.is_busy(lane))
        return len(rows)

    # ---- a batch ----

    async def batch(self, lanes: Sequence[str]) -> dict[str, Later]:
        """Decide and apply what is unread in `lanes`; those that had more are woken again. Returned are those that
        wait for something and were left as they are."""
        started = time.perf_counter()
        states = await self._database.read(load(lanes, digits=self._digits))
        heard = [state for state in states.values() if state.heard]
        if not heard:
            return {}
        decided = list(zip(heard, await self._policy.decide(heard), strict=True))
        good = [effects for _, effects in decided if isinstance(effects, Effects)]
        waiting = {state.lane: later for state, later in decided if isinstance(later, Later)}
        failed = [(state, why) for state, why in decided if isinstance(why, Exception) and state.lane not in waiting]
        try:
            await self._apply(good, started)
        except Exception as error:
            if is_outage(error):
                raise
            failed += [(e.state, x) for e in good if (x := await self._apply_one(e)) is not None]
        for state, why in failed:
            if not isinstance(why, Conflict):
                log.error("turn failed", channel=state.channel, row=state.heard[0].id, error=type(why).__name__)
                await self._alone(state.lane)
        apart = {state.lane for state, why in failed if not isinstance(why, Conflict)}
        again = [state.lane for state in heard if state.more and state.lane not in waiting and state.lane not in apart]
        self._lanes.wake(again + [state.lane for state, why in failed if isinstance(why, Conflict)])
        self.turns += len(good)
        log.debug("turns", lanes=len(heard), failed=len(failed), ms=round(1000 * (time.perf_counter() - started), 1))
        return waiting

    async def _apply(self, batch: Sequence[Effects], began: float | None = None) -> None:
        if not batch:
            return
        began = time.perf_counter() if began is None else began
        places = {place for effects in batch for place in effects.outgoing()}
        if self._database.in_order:
            # Who sends asks for these rows after they are written, perhaps before they are committed: then both share
            # the commit.
            asyncio.get_running_loop().call_soon(self._hint, places)
        await self._database.write(lambda connection: apply(connection, batch))
        if not self._database.in_order:
            self._hint(places)
        self._changed([effects.state.lane for effects in batch])
        now, seconds = self._clock.now(), time.perf_counter() - began
        for effects in batch:
            self._figures.turned(effects, now, seconds)

    async def _apply_one(self, effects: Effects) -> Exception | None:
        """Apply a lane of a failing batch by itself. What it failed with: Conflict for a moved version, IntegrityError
        where somebody was first to make a row, or where a row is simply wrong."""
        try:
            await self._apply([effects])
        except Exception as error:
            if is_outage(error):
                raise
            return error
        return None

    # ---- alone ----

    async def _alone(self, lane: str) -> None:
        """Work a lane that failed before, a row at a time, until it is empty. Each attempt at a row is committed
        before it is made, so that a row which kills the process is counted too; after TRIES the row is dead-lettered,
        the customer is given to a person, and the lane goes on."""
        mine: set[int] = set()
        counted = 0  # the row whose attempt is counted; being overtaken is not another attempt
        overtaken = 0
        for _ in range(ALONE):
            states = await self._database.read(load([lane], first_only=True, digits=self._digits))
            state = states[lane]
            if not state.heard:
                return
            first = state.heard[0]
            now = self._clock.now()
            if first.id not in mine and first.tried_at is not None and abs(now - first.tried_at) < LEFT_BEHIND:
                return  # another process tries it
            mine.add(first.id)
            if first.attempts >= TRIES and first.id != counted:
                overtaken = 0 if await self._bury(state, plainly=overtaken >= CONFLICTS) else overtaken + 1
                continue
            if first.id != counted and not await self._count(first):
                return  # another process tries it
            counted = first.id
            result = (await self._policy.decide([state]))[0]
            if isinstance(result, Later):
                await result.wait()
                continue
            error = await self._apply_one(result) if isinstance(result, Effects) else result
            if error is not None and is_outage(error):
                raise error
            if isinstance(error, Conflict | IntegrityError) and overtaken < CONFLICTS:
                overtaken += 1
            elif error is not None:
                counted = overtaken = 0
                log.error("turn failed alone", row=first.id, attempt=first.attempts + 1, error=type(error).__name__)
        self._lanes.wake([lane])

    async def _bury(self, state: LaneState, *, plainly: bool) -> bool:
        """Give up the first row. `plainly`: without a word to anybody, if that cannot be written either. False where a
        person acted meanwhile, so that the lane is to be looked at again."""
        first = state.heard[0]
        reason = f"failed {first.attempts} times; see the log for row {first.id}"
        try:
            await self._apply([self._policy.give_up(state, reason)])
        except Exception as error:
            if is_outage(error):
                raise
            if isinstance(error, Conflict | IntegrityError) and not plainly:
                return False
            log.error("a dead letter's notice failed", row=first.id, error=type(error).__name__)
            bare = update(inbox).where(inbox.c.id == first.id, among(inbox.c.state, "new"))
            buried = bare.values(state="dead", reason=reason)
            await self._database.write(lambda connection: connection.execute(buried))
        return True

    def sent(self, places: Iterable[tuple[str, str, str]], lanes: Iterable[str]) -> None:
        """Something was committed that waits for delivery at `places`, and that watchers of `lanes` should see."""
        self._hint(places)
        self._changed(lanes)

    def now(self) -> datetime:
        return self._clock.now()

    async def _count(self, heard: Heard) -> bool:
        """Commit that this row is tried once more; False where somebody else did so since it was read."""
        statement = (
            update(inbox)
            .where(inbox.c.id == heard.id, among(inbox.c.state, "new"), inbox.c.attempts == heard.attempts)
            .values(attempts=heard.attempts + 1, tried_at=self._clock.now())
        )
        return await self._database.write(lambda connection: connection.execute(statement).rowcount) == 1

    # ---- people ----

    async def act(
        self,
        lane: str,
        decide: Callable[[LaneState, Effects], T],
        *,
        surveys: Sequence[int] = (),
        cases: Sequence[int] = (),
    ) -> T:
        """Somebody else's turn on a lane: the desk, the API, a page. `decide` fills the effects and may run again; it
        is given the surveys and cases named. Raises what `decide` raises (nothing is written then), or Conflict where
        the lane never stood still."""
        for _ in range(CONFLICTS):
            states = await self._database.read(load([lane], unread=False, surveys=surveys, cases=cases))
            state = states[lane]
            effects = self._policy.start(state)
            result = decide(state, effects)
            effects.finish()
            try:
                await self._apply([effects])
            except (Conflict, IntegrityError):
                continue
            return result
        raise Conflict(f"{lane} is changed by others all the time")

    def _digits(self, channel: str) -> bool:
        return self._policy.capabilities(channel).digits
