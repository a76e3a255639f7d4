"""Logs that the server of a cache is unavailable: each process warns once a minute."""

import logging
import time

logger = logging.getLogger(__name__)

QUIET = 60  # seconds between two warnings about one server
_reported: dict[str, float] = {}  # when the last one was, for each server


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
