"""Tells which part of a file is asked for, by RFC 9110, section 14."""

import re
from collections.abc import Container

RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


def part_asked_for(
    asked: str | None, condition: str | None, size: int, validators: Container[str]
) -> tuple[int, int] | None:
    """Return the first and last byte that a GET asks for, or None for the whole file.

    Neither exists if the first is larger: the answer is 416. Several ranges at once may be answered
    with the file.

    Args:
        asked: the `Range` header.
        condition: the `If-Range` header. A client with part of another version gets the whole file.
        size: of the file.
        validators: its entity tag if it is a strong one, and its `Last-Modified`.
    """
    found = RANGE.fullmatch(asked or "")
    if found is None or not (condition is None or condition in validators):
        return None
    first, last = found.groups()
    if not first:
        return (max(size - int(last), 0), size - 1) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last), size - 1) if last else size - 1
