"""When each address and each account may be written to next: in this process, and among all that send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from channels.base import Capabilities
from storage.buckets import Want

Place = tuple[str, str, str]
_BURST = timedelta(seconds=1)


class Rates:
    """One bucket of a second's worth per account; a private chat has no burst. Also holds what a platform told us to
    hold. A clock that is set back leaves nobody waiting for the time that it showed before."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, ...], datetime] = {}
        self._held: dict[tuple[str, ...], tuple[datetime, timedelta]] = {}

    def ready_at(self, place: Place, capabilities: Capabilities, now: datetime, share: float = 1.0) -> datetime:
        """The earliest time at which a message to `place` may go; `now` or before means at once. `share` is this
        process's part of the account's rate."""
        ready = self.held_until(place, now)
        if capabilities.rate_per_account:
            ready = max(ready, self._level(place[:2], capabilities.rate_per_account * share, now, _BURST) - _BURST)
        if capabilities.rate_per_address:
            ready = max(ready, self._level(place, capabilities.rate_per_address, now, timedelta(0)))
        return ready

    def spend(self, place: Place, capabilities: Capabilities, now: datetime, share: float = 1.0) -> None:
        """A message goes to `place`."""
        for key, rate, burst in (
            (place, capabilities.rate_per_address, timedelta(0)),
            (place[:2], capabilities.rate_per_account * share, _BURST),
        ):
            if rate:
                self._next[key] = self._level(key, rate, now, burst) + timedelta(seconds=1 / rate)
        if len(self._next) > 10_000:
            self._next = {key: when for key, when in self._next.items() if when > now}

    def hold(self, key: tuple[str, ...], now: datetime, until: datetime) -> None:
        """Nothing to `key`, an address or (channel, account), before `until`."""
        if until > self._until(key, now):
            self._held[key] = now, until - now

    def held_until(self, place: Place, now: datetime) -> datetime:
        """When what the platform told us to hold is over; `now` where it told nothing."""
        return max(self._until(place[:2], now), self._until(place, now)) if self._held else now

    def _until(self, key: tuple[str, ...], now: datetime) -> datetime:
        if key not in self._held:
            return now
        since, length = self._held[key]
        if now < since:  # the clock was set back: counted anew
            since = now
            self._held[key] = since, length
        if since + length <= now:
            del self._held[key]
            return now
        return since + length

    def _level(self, key: tuple[str, ...], rate: float, now: datetime, burst: timedelta) -> datetime:
        at = self._next.get(key, now)
        if at - now > burst + timedelta(seconds=2 / rate):  # more than was ever spent: the clock was set back
            return now
        return max(at, now)


class Shared(Protocol):
    """Buckets that all senders share."""

    async def take(self, wants: Sequence[Want]) -> list[float] | None: ...

    async def hold(self, key: tuple[str, ...], seconds: float) -> None: ...


class Gate:
    """Asks the shared buckets where there are any; without their answer this process keeps to its share of
    `members`."""

    def __init__(self, rates: Rates, shared: Shared | None = None, members: Callable[[], int] = lambda: 1) -> None:
        self._rates = rates
        self._shared = shared
        self._members = members
        self._unused: list[Want] = []

    async def ask(self, places: Iterable[tuple[Place, Capabilities]]) -> Granted:
        """Whether a message may go to each of these places now. What is not used is given back with `unused`."""
        share = 1 / max(1, self._members())
        if self._shared is None:
            return Granted(self._rates, None, share)
        wants = [
            Want(place, each.rate_per_address, each.rate_per_account)
            for place, each in places
            if each.rate_per_address or each.rate_per_account
        ]
        back, self._unused = self._unused, []
        if not wants:
            return Granted(self._rates, {}, share)
        found = await self._shared.take([*back, *wants])
        if found is None:
            return Granted(self._rates, None, share)
        return Granted(self._rates, dict(zip((want.place for want in wants), found[len(back) :], strict=True)), share)

    def unused(self, place: Place, capabilities: Capabilities, granted: Granted) -> None:
        """Nothing was sent to a place after all."""
        if granted.waits and granted.waits.get(place) == 0:
            self._unused.append(Want(place, capabilities.rate_per_address, capabilities.rate_per_account, back=True))


class Granted:
    """An answer of the gate. `waits` None: nobody was asked, and the process's own rates count."""

    def __init__(self, rates: Rates, waits: dict[Place, float] | None, share: float) -> None:
        self._rates = rates
        self.waits = waits
        self.share = share

    def ready_at(self, place: Place, capabilities: Capabilities, now: datetime) -> datetime:
        """The earliest time at which a message to `place` may go; `now` or before means at once."""
        if self.waits is None:
            return self._rates.ready_at(place, capabilities, now, self.share)
        return max(self._rates.held_until(place, now), now + timedelta(seconds=self.waits.get(place, 0.0)))
