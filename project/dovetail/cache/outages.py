"""What a process knows of servers that are unavailable.

It warns once a minute that the server of a cache is. A server that has not answered in time is left
alone for a moment, or whoever asks it again and again would wait each time.
"""

import logging
import time

logger = logging.getLogger(__name__)

QUIET = 60  # seconds between two warnings about one server
PAUSE = 2  # seconds in which a process does not ask a server that has not answered in time
_reported: dict[str, float] = {}  # when the last one was, for each server
_paused: dict[str, float] = {}  # until when, for each server


def report(server: str, error: Exception | str) -> None:
    """Log that a server is unavailable, unless this process did so in the last minute.

    Args:
        server: what tells it from others, such as its URL. It is not logged: it may contain a
            password.
        error: what went wrong.
    """
    now = time.monotonic()
    if now - _reported.get(server, -QUIET) >= QUIET:
        _reported[server] = now
        logger.warning("The cache is unavailable; continuing without it: %s", error)


def pause(server: str) -> None:
    """Leave a server alone for a moment, because it has not answered in time.

    Args:
        server: what tells it from others, and what it is asked for from what else it is for.
    """
    _paused[server] = time.monotonic() + PAUSE


def is_paused(server: str) -> bool:
    """Return whether this process leaves a server alone at the moment."""
    return time.monotonic() < _paused.get(server, 0)
