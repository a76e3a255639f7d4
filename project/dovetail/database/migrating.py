"""What lets `migrate` run beside the traffic of a site: one at a time, and no long wait for a lock.

Own code because Django has neither. A statement such as ALTER TABLE that waits for its lock stops
all that come after it, reads included, so it gives up after `lock_timeout` and is tried again.
"""

import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.db import DatabaseError, DataError
from django.db.backends.base.base import BaseDatabaseWrapper

from dovetail.database import capacity

ATTEMPTS = 10
LONGEST_PAUSE = 60  # seconds
# So that the pauses outlast what workers may do in a statement, by DATABASE_TASK_TIMEOUT.
PAUSES = [min(2**number, LONGEST_PAUSE) for number in range(ATTEMPTS - 1)]

# https://www.postgresql.org/docs/current/errcodes-appendix.html
LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK_DETECTED = "40P01"
QUERY_CANCELED = "57014"

POLL = 1  # seconds until a migrate that waits for another one asks again
# Seconds after which the server ends a statement whose migrate was killed.
CHECK_CLIENT = 1
ADVISORY_LOCK = 0x646F766574_6D6967  # in each database, any number that no one else uses
NO_LIMITS_SQL = """
SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN
  ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')
"""
# Those that are being built are invalid, too, until they are complete.
INVALID_INDEXES_SQL = """
SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid AND indexrelid NOT IN (
  SELECT index_relid FROM pg_stat_progress_create_index WHERE datname = current_database()
) ORDER BY 1
"""
CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)
RECORDS = '"django_migrations"'


class StillMigratingError(Exception):
    """Another process has not finished to migrate this database."""


class TerminatedError(KeyboardInterrupt):
    """The process is to end: psycopg cancels the statement for a KeyboardInterrupt only."""


@contextmanager
def only_one(alias: str, on_wait: Callable[[], object]) -> Iterator[None]:
    """Wait until no other process migrates the database, and keep others waiting.

    The lock is that of a transaction, on a connection of its own: it ends with this process,
    whatever happens, and also works through PgBouncer's pools of transactions.

    Args:
        alias: of the database.
        on_wait: called if there is another one.

    Raises:
        StillMigratingError: the other one takes longer than a statement of a migration may.
        django.db.Error: the database is unavailable.
    """
    longest = settings.DATABASE_LIMITS["migrate"]["statement_timeout"]
    with capacity.own_connection(alias) as connection:
        if not _lock(connection):
            on_wait()
            deadline = time.monotonic() + longest
            while not _lock(connection):
                if longest and time.monotonic() > deadline:
                    raise StillMigratingError
                time.sleep(POLL)
        yield


def _lock(connection: BaseDatabaseWrapper) -> bool:
    """Begin a transaction that has the lock, if no other one has it.

    Neither the holder nor a waiting process may keep a snapshot: CREATE INDEX CONCURRENTLY waits
    for all that are older. So this asks again instead of waiting in a statement, and between
    statements only READ COMMITTED keeps none.
    """
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        cursor.execute(NO_LIMITS_SQL)
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        locked = bool(cursor.fetchone()[0])
        if not locked:
            cursor.execute("ROLLBACK")
    return locked


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Let SIGTERM cancel the statement that runs, which would otherwise run on in the server.

    There it would meet the next migrate, because the lock of `only_one` ends with the process.

    Raises:
        TerminatedError: the process got SIGTERM.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return

    def terminate(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would stop the cancellation
        raise TerminatedError

    former = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former or signal.SIG_DFL)


@contextmanager
def noticed_by_server(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let the server end a statement whose process was killed; without limits, nothing is set."""
    if not any(settings.DATABASE_LIMITS["migrate"].values()):
        yield
        return
    # Servers on Windows cannot see it, and refuse.
    with suppress(DataError), connection.cursor() as cursor:
        cursor.execute(f"SET client_connection_check_interval = '{CHECK_CLIENT}s'")
    try:
        yield
    finally:
        if connection.connection is not None and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("RESET client_connection_check_interval")


def wait_for_transactions(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """Run a statement, without the limit for locks if it is CONCURRENTLY, or records a migration.

    Those that are CONCURRENTLY wait for the transactions of others, but no one waits for them; and
    if they give up, they leave an invalid index. Django may record a migration after its
    transaction: if that gives up, the migration is applied, but no one knows.

    For `connection.execute_wrapper`. Sets nothing if there are no limits, as for PgBouncer.
    """
    text = str(sql)
    if not any(settings.DATABASE_LIMITS["migrate"].values()) or not (
        CONCURRENTLY.search(text) or RECORDS in text
    ):
        return execute(sql, params, many, context)
    with context["connection"].cursor() as cursor:
        # In a transaction that has changed something, others may wait for its locks meanwhile.
        cursor.execute(
            "SELECT current_setting('lock_timeout'), pg_current_xact_id_if_assigned() IS NULL"
        )
        limit, is_first = cursor.fetchone()
        if not is_first:
            return execute(sql, params, many, context)
        cursor.execute("SET lock_timeout = 0")
        result = execute(sql, params, many, context)
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [limit])
    return result


def sqlstate(error: DatabaseError) -> str | None:
    """Return PostgreSQL's code of an error of Django."""
    return getattr(error.__cause__, "sqlstate", None)


def invalid_indexes(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of indexes that failed CREATE INDEX CONCURRENTLY have left."""
    with connection.cursor() as cursor:
        cursor.execute(INVALID_INDEXES_SQL)
        return [name for [name] in cursor.fetchall()]
