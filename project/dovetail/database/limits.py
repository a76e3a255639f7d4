"""Ends statements and transactions that take too long, in web processes and in workers.

Otherwise a statement runs on after its request has ended and keeps its connection, and a forgotten
transaction keeps its locks. Commands, such as `migrate`, have no limits.

The limits are part of what a connection begins with, so they cost no round trip. There is none for
waiting for locks: that of statements includes the time they wait.
"""

from django.conf import settings
from django.db import connections


def limit(process: str) -> None:
    """Limit the statements of this process. Call it before the first connection.

    Args:
        process: a key of `DATABASE_LIMITS`, whose value maps parameters of PostgreSQL to seconds;
            0 for no limit. What the options of a connection say themselves wins.
    """
    own = " ".join(
        f"-c {name}={seconds * 1000}"
        for name, seconds in settings.DATABASE_LIMITS[process].items()
        if seconds
    )
    for alias in connections if own else ():
        options = connections[alias].settings_dict.setdefault("OPTIONS", {})
        given = options.get("options", "")
        if not given.startswith(own):  # a second call changes nothing
            options["options"] = f"{own} {given}".rstrip()
