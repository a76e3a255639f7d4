"""UUID version 7 (RFC 9562): identifiers that sort by creation time.

Own code because Python has `uuid.uuid7` only from 3.14 on, and PostgreSQL has `uuidv7()` only from
18 on. Delete it when `requires-python` reaches 3.14.
"""

import secrets
import time
import uuid


def uuid7() -> uuid.UUID:
    """Return a new UUID: 48 bits of milliseconds, 12 bits of their fraction and 62 random bits.

    The fraction follows method 3 of RFC 9562, section 6.2; it orders UUIDs created within the same
    millisecond.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    return uuid.UUID(
        int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)
    )
