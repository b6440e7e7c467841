"""Rates shared by every sender: token buckets in Redis, by Redis's own clock.

A key of its own for each address and account; a bucket that is full again is forgotten. All of one call is one script:
what it grants, nobody else is granted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.asyncio import Redis

ANSWERS_WITHIN = 0.25
"""Seconds; whoever sends does not wait for longer, and keeps to its own share instead."""

_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- When the bucket was, or will be, empty again. What cannot be (the clock was set back) is now.
local function level(key, interval, burst)
  if interval == 0 then return now end
  local at = tonumber(redis.call('GET', key) or now)
  if at - now > interval + burst then at = now end
  return math.max(at, now)
end
local function keep(key, at)
  redis.call('SET', key, string.format('%.0f', at), 'PX', math.ceil((at - now) / 1000) + 1)
end

local answers = {}
for i = 1, #KEYS, 3 do
  local address, account, hold = KEYS[i], KEYS[i + 1], KEYS[i + 2]
  local slow, fast, back = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), ARGV[i + 2] == '1'
  local mine, all = level(address, slow, 0), level(account, fast, 1000000)
  if back then
    if slow > 0 then keep(address, math.max(mine - slow, now)) end
    if fast > 0 then keep(account, math.max(all - fast, now)) end
    answers[#answers + 1] = 0
  else
    local held = math.max(redis.call('PTTL', hold), redis.call('PTTL', address .. ':hold'), 0) * 1000
    local wait = math.max(mine - now, all - 1000000 - now, held, 0)
    if wait == 0 then
      if slow > 0 then keep(address, mine + slow) end
      if fast > 0 then keep(account, all + fast) end
    end
    answers[#answers + 1] = math.ceil(wait)
  end
end
return answers
"""

Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Want:
    """One message to a place, at these rates a second; 0 for any. `back`: it was granted and not used."""

    place: Place
    per_address: float
    per_account: float
    back: bool = False


class Buckets:
    """`space` keeps installations apart that share a Redis."""

    def __init__(self, redis: Redis, space: str) -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415 - who has no Redis need not wait for its client

        self._redis = redis
        self._failures = (RedisError, OSError, TimeoutError)
        self._space = f"earful:{space}:rate"
        self._script = redis.register_script(_SCRIPT)

    async def take(self, wants: Sequence[Want]) -> list[float] | None:
        """For each, 0 if it may go now, else seconds to wait; nothing is taken then. An account's bucket holds a
        second's worth, an address's one message. None where Redis does not answer."""
        keys: list[str] = []
        rates: list[int] = []
        for want in wants:
            account = ":".join(want.place[:2])
            keys += [f"{self._space}:{account}:{want.place[2]}", f"{self._space}:{account}"]
            keys.append(f"{self._space}:{account}:hold")
            rates += [_interval(want.per_address), _interval(want.per_account), int(want.back)]
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                found = await self._script(keys=keys, args=rates)
        except self._failures:
            return None
        return [each / 1e6 for each in found]

    async def hold(self, key: tuple[str, ...], seconds: float) -> None:
        """Nothing to `key`, an address or (channel, account), for so long. Redis may not hear of it."""
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                name = ":".join((self._space, *key, "hold"))
                await self._redis.set(name, 1, px=max(1, round(seconds * 1000)))
        except self._failures:
            return


def _interval(per_second: float) -> int:
    """Microseconds between two messages; 0 for no limit."""
    return round(1e6 / per_second) if per_second else 0
