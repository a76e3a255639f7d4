"""Connections to an embedded PostgreSQL server.

libpq fills in every parameter that a connection leaves out from the PG* variables of the shell:
`PGSSLMODE=require`, `PGOPTIONS` or `PGSERVICE` would break each client of a server that was started
without them. Not all of them can be overridden by parameters, so they are taken out of the
environment.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import pq

from dovetail.devtools.errors import NotReadyError, SetupError

TIMEOUT = 5  # seconds to connect
_environment = threading.RLock()


def without_client_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables that PostgreSQL and its clients read."""
    return {name: value for name, value in environment.items() if not name.startswith("PG")}


def forget_client_variables() -> dict[str, str]:
    """Remove the PG* variables from this process, and so from those it starts.

    Returns:
        The removed variables.
    """
    names = [name for name in os.environ if name.startswith("PG")]
    return {name: os.environ.pop(name) for name in names}


@contextmanager
def no_client_variables() -> Iterator[None]:
    """Take the PG* variables out of this process's environment for a while."""
    with _environment:
        removed = forget_client_variables()
    try:
        yield
    finally:
        os.environ.update(removed)


def connect(url: str) -> psycopg.Connection:
    """Connect to an embedded server, whatever the shell sets for other servers."""
    with _environment, no_client_variables():
        return psycopg.connect(url, autocommit=True, connect_timeout=TIMEOUT)


def check(url: str, home: Path) -> bool:
    """Return that the server accepts connections.

    Args:
        url: the URL of one of its databases.
        home: the folder of its data, for the message.

    Raises:
        NotReadyError: it is still starting.
        SetupError: it is running and refuses, for a reason that waiting does not change.
    """
    try:
        connect(url).close()
    except psycopg.OperationalError as error:
        if isinstance(error, psycopg.errors.ConnectionTimeout) or _is_starting(url):
            raise NotReadyError(_reason(error)) from error
    else:
        return True
    # The server may have become ready in between: the second error counts.
    try:
        connect(url).close()
    except psycopg.errors.ConnectionTimeout as error:
        raise NotReadyError(_reason(error)) from error
    except psycopg.OperationalError as error:
        raise SetupError(
            f"The PostgreSQL server in {home} is running but refuses connections "
            f"({_reason(error)}): move that folder away to start with an empty database, or set "
            "DATABASE_URL to a running server."
        ) from error
    return True


def _is_starting(url: str) -> bool:
    """Return whether the server does not listen yet, or says that it is starting or stopping."""
    with _environment, no_client_variables():
        return pq.PGconn.ping(url.encode()) in {pq.Ping.REJECT, pq.Ping.NO_RESPONSE}


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())
