"""Counts what happens within a period, in the cache's server and in one step.

Reading a number, comparing it and writing it back, as Django's cache and REST framework's throttles
do, lets requests through that come at the same time: all of them read the same number. Here, a
script on the server counts, which nothing interrupts.

A period starts with the first thing that is counted in it, so within any period's length, there may
be up to twice as many as the limit: at the end of one, and at the start of the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import redis
from django.core.cache import caches

from dovetail.cache.valkey import ValkeyCache

# A key without an end is one that someone else has written; it counts as missing.
SCRIPT = """
local amount, period = tonumber(ARGV[1]), tonumber(ARGV[2])
local used, left, fits = {}, {}, 1
for i, key in ipairs(KEYS) do
  left[i] = redis.call('PTTL', key)
  used[i] = left[i] > 0 and tonumber(redis.call('GET', key)) or 0
  if left[i] <= 0 then left[i] = period end
  if used[i] + amount > tonumber(ARGV[i + 2]) then fits = 0 end
end
for i, key in ipairs(KEYS) do
  if fits == 1 then
    used[i] = used[i] + amount
    redis.call('SET', key, used[i], 'PX', left[i])
  end
end
return {fits, used, left}
"""


@dataclass(frozen=True)
class Count:
    """How far a limit has been used up.

    Attributes:
        used: what has been counted in this period.
        seconds: until the period ends.
    """

    used: int
    seconds: int


def count(
    limits: Sequence[tuple[str, int]], amount: int, *, seconds: int
) -> tuple[bool, list[Count]]:
    """Count an amount for several limits, if it fits into all of them, and otherwise for none.

    Args:
        limits: the key of each limit, and how much it allows within a period.
        amount: what to count.
        seconds: the length of a period.

    Returns:
        Whether it was counted, and how far each limit has been used up.

    Raises:
        redis.RedisError: the server is unavailable.
    """
    cache = cast("ValkeyCache", caches["default"])
    keys, allowed = zip(*limits, strict=True)
    fits, used, left = cache.run_script(SCRIPT, keys, amount, seconds * 1000, *allowed)
    counts = [Count(int(n), -(-int(ms) // 1000)) for n, ms in zip(used, left, strict=True)]
    return bool(fits), counts


def fits(key: str, most: int, *, seconds: int) -> bool:
    """Count one for a limit that matters less than what it limits: without a server, all fits.

    Args:
        key: of the limit.
        most: how many it allows within a period.
        seconds: the length of a period.
    """
    try:
        is_counted, _ = count([(key, most)], 1, seconds=seconds)
    except redis.RedisError:
        return True
    return is_counted
