"""Tells which encodings of an answer a client takes, by its `Accept-Encoding`."""

import re
from functools import lru_cache

REFUSED = re.compile(r"q=0(\.0*)?")


@lru_cache(maxsize=256)  # there are few browsers
def accepted_encodings(header: str) -> frozenset[str]:
    """Return the encodings that a header names, without those that it refuses with `q=0`.

    An asterisk is none: who names nothing else gets the answer as it is.
    """
    items = (item.partition(";") for item in header.lower().split(","))
    accepted = {
        name.strip() for name, _, weight in items if not REFUSED.fullmatch("".join(weight.split()))
    }
    return frozenset(accepted - {"", "*"})
