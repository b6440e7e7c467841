"""The way out: claims the head of each address's queue, sends it through its channel, records what came of it.

`sending` is committed before the socket is touched, and only for what is sent at once: after a crash those rows,
and no others, are unknown. Results are recorded in the same transaction that claims the next rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from bot.clock import Clock
from bot.loop import filing
from bot.loop import outbox as rows
from bot.loop.figures import Figures
from bot.loop.outbox import Result
from bot.loop.planner import Waiting, backoff, refusal
from bot.loop.rates import Gate, Granted, Rates, Shared
from bot.loop.rotation import Rotation
from channels.base import (
    Adapter,
    Blocked,
    Button,
    Capabilities,
    ChannelError,
    Misconfigured,
    OutcomeUnknown,
    Outgoing,
    Rejected,
    RetryAfter,
    Sent,
    Unavailable,
)
from storage.database import Database
from storage.types import clean

log = structlog.get_logger()

IN_FLIGHT = 64
LEASE = 30.0  # seconds
ATTEMPTS = 12  # about half an hour of an unreachable platform
MISCONFIGURED_PAUSE = timedelta(seconds=60)
OUTAGE_PAUSE = 1.0
LONGEST_HOLD = 86_400.0  # seconds that a platform may hold us back at a time

Place = tuple[str, str, str]
Account = tuple[str, str]
AdapterOf = Callable[[str, str], Adapter[Any] | None]


@dataclass(slots=True)
class Claim:
    """What a step found: rows to send, places to look at again, at once or later."""

    rows: list[Waiting] = field(default_factory=list)
    again: list[Place] = field(default_factory=list)
    later: list[tuple[datetime, Place]] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)  # lanes that hear of what was not delivered


class Delivery:
    """Sends for every channel. `changed` is told the lanes whose rows changed state, `wake` those that hear
    of a survey that did not arrive. `idempotent` names the channels on which a message may be repeated. Of what a
    sweep finds only the places that are `mine` are sent to. `shared`: rates that all senders keep, of whom there are
    `members`."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        adapter_of: AdapterOf,
        changed: Callable[[Iterable[str]], None] = lambda _: None,
        wake: Callable[[Iterable[str]], None] = lambda _: None,
        idempotent: Sequence[str] = (),
        jitter: random.Random | None = None,
        mine: Callable[[Place], bool] = lambda _: True,
        shared: Shared | None = None,
        members: Callable[[], int] = lambda: 1,
        figures: Figures | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._adapter_of = adapter_of
        self._changed = changed
        self._wake = wake
        self._idempotent = idempotent
        self._mine = mine
        self._jitter = jitter or random.Random()  # noqa: S311 - spreads retries, keeps no secret
        self._rates = Rates()
        self._shared = shared
        self._gate = Gate(self._rates, shared, members)
        self._me = uuid.uuid4().hex[:16]
        self._ready: Rotation[Account, Place] = Rotation()
        self._sending: Counter[Account] = Counter()
        self._busy: set[Place] = set()
        self._again: set[Place] = set()
        self._later: list[tuple[datetime, Place]] = []
        self._finished: list[Result] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._some = asyncio.Event()
        self._stopping = False
        self._figures = figures or Figures()
        self.counts: Counter[tuple[str, str]] = Counter()  # by (outcome, channel)

    # ---- running ----

    def hint(self, places: Iterable[Place]) -> None:
        """Something may wait for these addresses."""
        for place in places:
            if place in self._busy:
                self._again.add(place)
            else:
                self._ready.add(place[:2], place)
        self._some.set()

    async def run(self) -> None:
        """Send until `stop`; then what is in flight is waited for and recorded. Never cancel this: a step whose commit
        is under way would leave what it claimed marked as sent by nobody."""
        while not self._stopping:
            await self._wait()
            try:
                await self.step(claim=not self._stopping)
            except Exception as error:
                log.error("delivery step failed; it is tried again", error=type(error).__name__)
                await asyncio.sleep(OUTAGE_PAUSE)
                self._some.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEASE / 2)
        await self.step(claim=False)

    def stop(self) -> None:
        """Claim nothing more; `run` ends when what is under way is recorded."""
        self._stopping = True
        self._some.set()

    async def _wait(self) -> None:
        pause: float | None = None
        if self._later:
            pause = max(0.0, (self._later[0][0] - self._clock.now()).total_seconds())
        if any(self._room(account) for account in self._ready.groups()):
            return
        # Not wait_for: it swallows a cancellation that comes together with what it waits for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._some.wait()

    async def settle(self) -> None:
        """Send everything that may go at the clock's present time."""
        while True:
            await self.step()
            if self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            elif not self._finished and not self._ready and not self._due():
                return

    def next_due(self) -> datetime | None:
        """When something that waits for its time may go."""
        return self._later[0][0] if self._later else None

    async def sweep(self) -> None:
        """Find rows whose hint was lost, and rows that a dead process left in flight: nobody knows of those."""
        now = self._clock.now()

        def work(connection: Connection) -> tuple[list[Place], list[str]]:
            lanes = rows.give_up_lost(connection, now, self._idempotent)
            return rows.due(connection, now), lanes

        found, lanes = await self._database.write(work)
        self.hint(place for place in found if place not in self._busy and self._mine(place))
        self._changed(lanes)

    async def abandon(self) -> int:
        """At the start of the only process: whatever is marked in flight was in flight when the last one died."""
        now = self._clock.now()
        return await self._database.write(lambda connection: rows.give_up_all(connection, now, self._idempotent))

    # ---- a step ----

    def _due(self) -> bool:
        now = self._clock.now()
        while self._later and self._later[0][0] <= now:
            place = heapq.heappop(self._later)[1]
            self._ready.add(place[:2], place)
        return bool(self._ready)

    async def step(self, *, claim: bool = True) -> None:
        """Record what came back, claim what may go, and begin to send it."""
        self._some.clear()
        self._due()
        finished, self._finished = self._finished, []
        room = IN_FLIGHT - len(self._tasks) if claim else 0
        places = self._ready.take(max(0, (3 * room + 3) // 4), self._room)
        if not finished and not places:
            return
        self._busy.update(places)
        try:
            granted = await self._gate.ask(self._limited(places))
            claimed_at = time.monotonic()
            found = await self._database.write(lambda connection: self._transact(connection, finished, places, granted))
        except BaseException:
            self._finished = finished + self._finished
            self._busy.difference_update(places)
            for place in places:
                self._ready.add(place[:2], place)
            raise
        self._release(result.row.place for result in finished)
        sending = {row.place for row in found.rows}
        idle = [place for place in places if place not in sending]
        for place, capabilities in self._limited(idle):
            self._gate.unused(place, capabilities, granted)
        self._release(idle)
        self.hint(found.again)
        for when, place in found.later:
            heapq.heappush(self._later, (when, place))
        now = self._clock.now()
        for row in found.rows:
            adapter = self._adapter_of(row.channel, row.account)
            if adapter:
                self._rates.spend(row.place, adapter.capabilities, now, granted.share)
            task = asyncio.create_task(self._send(row, claimed_at))
            self._tasks.add(task)
            self._sending[row.place[:2]] += 1
            task.add_done_callback(partial(self._ended, row.place[:2]))
        self._changed(found.touched)
        self._wake(found.told)

    def _room(self, account: Account) -> int:
        """How many more of this account may be under way: up to three times of what stays free, so that however many
        platforms hang, another's messages still go."""
        free, own = IN_FLIGHT - len(self._tasks), self._sending[account]
        return max(0, (3 * free - own + 3) // 4)

    def _ended(self, account: Account, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._sending[account] -= 1
        if not self._sending[account]:
            del self._sending[account]

    def _limited(self, places: Iterable[Place]) -> list[tuple[Place, Capabilities]]:
        found = ((place, self._adapter_of(place[0], place[1])) for place in places)
        return [(place, adapter.capabilities) for place, adapter in found if adapter is not None]

    def _release(self, places: Iterable[Place]) -> None:
        for place in places:
            self._busy.discard(place)
            if place in self._again:
                self._again.discard(place)
                self.hint([place])

    def _transact(
        self, connection: Connection, finished: Sequence[Result], places: Sequence[Place], granted: Granted
    ) -> Claim:
        now = self._clock.now()
        found = Claim()
        if finished:
            rows.record(connection, finished, self._me, now)
            found.touched |= {result.row.lane for result in finished}
            found.told = {result.row.lane for result in finished if result.state == "failed"}
            # What is said meanwhile brings a hint of its own; only what stood behind it then waits without one.
            behind = (result.row for result in finished if result.state != "queued")
            found.again += [row.place for row in behind if row.last > row.id]
            found.later += [
                (result.not_before, result.row.place) for result in finished if result.not_before is not None
            ]
        if not places:
            return found
        dropped: list[tuple[Waiting, str]] = []
        for row in rows.heads(connection, places):
            adapter = self._adapter_of(row.channel, row.account)
            if adapter is None:
                dropped.append((row, "no_such_account"))
                found.again.append(row.place)
                continue
            reason = refusal(row, adapter.capabilities, now)
            ready = max(row.ready_at(now), granted.ready_at(row.place, adapter.capabilities, now))
            if reason:
                dropped.append((row, reason))
                found.again.append(row.place)
                found.touched.add(row.lane)
            elif ready > now:
                found.later.append((ready, row.place))
            else:
                found.rows.append(row)
        rows.drop(connection, dropped, now)
        found.told |= {row.lane for row, _ in dropped if row.kind == "survey"}
        claimed = rows.claim(connection, [row.id for row in found.rows], self._me, LEASE)
        found.rows = [row for row in found.rows if row.id in claimed]
        return found

    # ---- one message ----

    async def _send(self, row: Waiting, claimed_at: float) -> None:
        started = time.monotonic()
        adapter = self._adapter_of(row.channel, row.account)
        if adapter is None or started - claimed_at > LEASE / 2:
            # Too late to be sure that nobody else settles it: the sweep will, and then the next row may go.
            self._release([row.place])
            return
        try:
            outgoing = _outgoing(row)
            if row.form == "file" and not adapter.capabilities.own_files:
                outgoing = replace(outgoing, file=await filing.outgoing(self._database, row.target), target=None)
            result = self._sent(row, await adapter.send(outgoing))
        except ChannelError as error:
            result = self._failed(row, error, adapter)
            if isinstance(error, RetryAfter | Misconfigured) and self._shared:
                seconds = (result.not_before - self._clock.now()).total_seconds() if result.not_before else 0.0
                whole = isinstance(error, Misconfigured) or error.scope != "address"
                await self._shared.hold(row.place[:2] if whole else row.place, seconds)
        except Exception as error:
            # A fault of ours, perhaps after the socket was written to: never blindly repeated.
            log.error("send failed unexpectedly", outbox=row.id, channel=row.channel, error=type(error).__name__)
            result = Result(row, "unknown", "unknown", f"fault: {type(error).__name__}")
        result.at = self._clock.now()
        result.milliseconds = 1000 * (time.monotonic() - started)
        self.counts[result.outcome, row.channel] += 1
        self._figures.sent(row.place, result.outcome, row.id, result.milliseconds / 1000)
        self._finished.append(result)
        self._some.set()

    def _sent(self, row: Waiting, sent: Sent) -> Result:
        reference = None if sent.reference is None else clean(sent.reference)[:300]
        return Result(row, "sent", "sent", reference=reference)

    def _failed(self, row: Waiting, error: ChannelError, adapter: Adapter[Any]) -> Result:
        now = self._clock.now()
        why = clean(str(error))[:500]
        match error:
            case RetryAfter():
                until = now + timedelta(seconds=min(max(error.seconds, 0.0), LONGEST_HOLD))
                self._rates.hold(row.place if error.scope == "address" else row.place[:2], now, until)
                return Result(row, "retry", "queued", why, not_before=until, held=True)
            case Misconfigured():
                log.error("a channel account is misconfigured", channel=row.channel, account=row.account, why=why)
                self._rates.hold(row.place[:2], now, now + MISCONFIGURED_PAUSE)
                return Result(row, "retry", "queued", why, not_before=now + MISCONFIGURED_PAUSE, held=True)
            case Blocked():
                return Result(row, "failed", "failed", why, blocked=True)
            case Rejected():
                return Result(row, "failed", "failed", why)
            case Unavailable() if row.attempts + 1 < ATTEMPTS:
                return Result(row, "retry", "queued", why, not_before=now + backoff(row.attempts + 1, self._jitter))
            case OutcomeUnknown() if adapter.capabilities.idempotent and row.attempts + 1 < ATTEMPTS:
                return Result(row, "retry", "queued", why, not_before=now + backoff(row.attempts + 1, self._jitter))
            case OutcomeUnknown():
                return Result(row, "unknown", "unknown", why)
            case _:
                return Result(row, "failed", "failed", why)


def _outgoing(row: Waiting) -> Outgoing:
    buttons = tuple(Button(title, f"m{row.message_id}.{place}") for place, title in enumerate(row.buttons or ()))
    return Outgoing(
        address=row.address,
        text=row.text,
        key=f"earful-{row.id}",
        kind=row.form,  # type: ignore[arg-type] # the outbox holds only these
        buttons=buttons,
        target=row.target,
    )
