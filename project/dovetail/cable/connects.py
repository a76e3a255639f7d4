"""Limits how often a network may connect, because each handshake with a cookie asks the database.

In the memory of the worker, because a handshake that is refused should cost nothing.
"""

from collections import Counter
from time import monotonic

# In a minute, in each worker: more than all sockets that it may have, which come back when another
# worker ends.
MAX_PER_NETWORK = 6000

_counts: Counter[str] = Counter()
_minute = 0


def fits(network: str) -> bool:
    """Count a handshake, and return whether its network may have one more in this minute."""
    global _minute  # noqa: PLW0603 - the counts are of one minute only
    if (minute := int(monotonic() // 60)) != _minute:
        _minute = minute
        _counts.clear()
    _counts[network] += 1
    return _counts[network] <= MAX_PER_NETWORK
