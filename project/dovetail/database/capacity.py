"""Whether the database has enough connections for all processes of the site.

The limit is reached when most people use the site, and then requests fail.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from dovetail.cable.database import THREADS as CABLE_THREADS
from dovetail.serving import machine

CONNECT_TIMEOUT = 3  # seconds
STATEMENT_TIMEOUT = 3  # seconds
# What this role may have in this database, without what is reserved for administrators.
AVAILABLE_SQL = """
SELECT LEAST(
  current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int
    - COALESCE(current_setting('reserved_connections', true)::int, 0),
  (SELECT NULLIF(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
  (SELECT NULLIF(datconnlimit, -1) FROM pg_database WHERE datname = current_database()))
"""


@contextmanager
def own_connection(alias: str = DEFAULT_DB_ALIAS) -> Iterator[BaseDatabaseWrapper]:
    """Yield a connection that no one else uses, without a pool.

    Raises:
        django.db.Error: the database is unavailable.
    """
    connection = connections[alias].copy()
    options: dict[str, Any] = dict(connection.settings_dict.get("OPTIONS") or {})
    options.pop("pool", None)
    connection.settings_dict["OPTIONS"] = {"connect_timeout": CONNECT_TIMEOUT} | options
    try:
        with connection.wrap_database_errors:
            # Without the signal of connect(), for which django.contrib.postgres connects by the
            # alias, and so opens the pool.
            parameters = connection.get_connection_params()
            connection.connection = connection.get_new_connection(parameters)
            connection.set_autocommit(True)
        yield connection
    finally:
        connection.close()


@contextmanager
def probe(alias: str = DEFAULT_DB_ALIAS) -> Iterator[BaseDatabaseWrapper]:
    """Yield a connection of its own, without a pool, for a few quick questions.

    They are one transaction, so that their limit is not left to the next client of PgBouncer's
    pools of transactions.

    Raises:
        django.db.Error: the database is unavailable, or does not answer in time.
    """
    with own_connection(alias) as connection:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            timeout = f"{STATEMENT_TIMEOUT}s"
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [timeout])
        yield connection


def available(connection: BaseDatabaseWrapper) -> int:
    """Return how many connections the site may have to its database."""
    with connection.cursor() as cursor:
        cursor.execute(AVAILABLE_SQL)
        [count] = cursor.fetchone()
    return int(count)


@dataclass(frozen=True)
class Need:
    """How many connections the processes of the site open at most.

    Attributes:
        workers: of the web server.
        each: connections of each of them.
        tasks: of Celery's workers, one for each task at a time, and of its scheduler.
    """

    workers: int
    each: int
    tasks: int

    @property
    def sum(self) -> int:
        return self.workers * self.each + self.tasks

    def __str__(self) -> str:
        return f"{self.workers} web processes with {self.each} each, {self.tasks} for tasks"


def need(workers: int) -> Need:
    """Return what a web server of so many processes needs, with a Celery worker.

    Its concurrency is that of `CELERY_WORKER_CONCURRENCY`, or the number of cores here.
    """
    pool = connections[DEFAULT_DB_ALIAS].settings_dict.get("OPTIONS", {}).get("pool")
    if isinstance(pool, dict):
        each = int(pool.get("max_size") or pool.get("min_size", 4))
    else:  # one for each thread: those of requests, of sockets, and that of probes
        each = settings.WEB_THREADS + CABLE_THREADS + 1
    tasks = getattr(settings, "CELERY_WORKER_CONCURRENCY", None) or machine.cores()
    return Need(workers, each, tasks + 1)
