"""How much one sender may ask for: token buckets, and places that may be held at once. In memory, for this process: it
keeps one noisy sender from crowding out the others; what protects the store is the intake's own limit."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

Key = tuple[str, ...]
REMEMBERED = 20_000  # buckets; those that are full again are forgotten first


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, then `per_second`."""

    burst: float
    per_second: float


class Limits:
    """Buckets and held places by key. The clock is the caller's."""

    def __init__(self) -> None:
        self._left: dict[Key, tuple[float, datetime, Rate]] = {}
        self._held: Counter[Key] = Counter()

    def take(self, wanted: Mapping[Key, Rate], now: datetime) -> float:
        """Take one from every bucket in `wanted`, or from none of them: 0.0 if granted, else seconds to wait."""
        levels = {key: self._level(key, rate, now) for key, rate in wanted.items()}
        wait = max((max(0.0, 1 - level) / wanted[key].per_second for key, level in levels.items()), default=0.0)
        if wait <= 0:
            for key, level in levels.items():
                self._left[key] = (level - 1, now, wanted[key])
            if len(self._left) > REMEMBERED:
                self._forget(now)
        return wait

    def hold(self, key: Key, until: datetime, rate: Rate) -> None:
        """Grant nothing of this bucket before `until`: it is empty, and begins to fill only then."""
        self._left[key] = (0.0, until, rate)

    @contextmanager
    def holding(self, wanted: Mapping[Key, int]) -> Iterator[bool]:
        """Hold one place of every key for as long as the block runs; False, and none held, where one has no more."""
        if any(self._held[key] >= most for key, most in wanted.items()):
            yield False
            return
        self._held.update(wanted.keys())
        try:
            yield True
        finally:
            for key in wanted:
                self._held[key] -= 1
                if not self._held[key]:
                    del self._held[key]

    def held(self, kind: str) -> int:
        """How many places are held under keys that begin with `kind`."""
        return sum(count for key, count in self._held.items() if key[0] == kind)

    def _level(self, key: Key, rate: Rate, now: datetime) -> float:
        if key not in self._left:
            return rate.burst
        left, when, _ = self._left[key]
        return min(rate.burst, left + rate.per_second * max(0.0, (now - when).total_seconds()))

    def _forget(self, now: datetime) -> None:
        """Full buckets are as good as none; if all are in use, the oldest go."""
        kept = {key: it for key, it in self._left.items() if self._level(key, it[2], now) < it[2].burst}
        excess = len(kept) - REMEMBERED // 2
        self._left = dict(list(kept.items())[max(0, excess) :])


LIMITS: web.AppKey[Limits] = web.AppKey("limits", Limits)


def sender(request: web.Request) -> str:
    """Whoever is at the other end, as a key for limits: an IPv4 address, or the /64 that a household has in IPv6.

    X-Forwarded-For is believed only from a neighbour (loopback or a private network: our own proxy), and of it only the
    last address that is not itself a neighbour's: what stands before was written by the client.
    """
    peer = _address(request.remote or "")
    if peer is None:
        return "unknown"
    if peer.is_private:
        for entry in reversed(request.headers.get("X-Forwarded-For", "")[-500:].split(",")):
            told = _address(entry.strip())
            if told is None:
                break
            peer = told
            if not told.is_private:
                break
    if isinstance(peer, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((peer, 64), strict=False).network_address)
    return str(peer)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
