"""Ends statements and transactions that take too long, in web processes, workers and `migrate`.

Otherwise a statement runs on after its request has ended and keeps its connection, and a forgotten
transaction keeps its locks. Other commands have no limits.

In web processes and workers, the limits are part of what a connection begins with, so they cost no
round trip. There is none for waiting for locks: that of statements includes the time they wait.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


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


@contextmanager
def limited(connection: BaseDatabaseWrapper, process: str) -> Iterator[None]:
    """Limit the statements of one connection, which may be open already, for the context.

    Args:
        connection: what to limit.
        process: as for `limit`.
    """
    limits = {name: given for name, given in settings.DATABASE_LIMITS[process].items() if given}
    try:
        for name, seconds in limits.items():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config(%s, %s, false)", [name, f"{seconds}s"])
        yield
    finally:
        if connection.connection is not None and connection.is_usable():
            for name in limits:
                with connection.cursor() as cursor:
                    cursor.execute(f"RESET {name}")
