"""What lets `migrate` run beside the traffic of a site: one at a time, and no long wait for a lock.

Own code because Django has neither. A statement such as ALTER TABLE that waits for its lock stops
all that come after it, reads included, so it gives up after `lock_timeout` and is tried again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import DatabaseError, OperationalError
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

ADVISORY_LOCK = 0x646F766574_6D6967  # in each database, any number that no one else uses
NO_LIMITS_SQL = """
SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN
  ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')
"""
INVALID_INDEXES_SQL = """
SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1
"""


class StillMigratingError(Exception):
    """Another process has not finished to migrate this database."""


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
    with capacity.probe(alias) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(NO_LIMITS_SQL)
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        if not cursor.fetchone()[0]:
            on_wait()
            longest = settings.DATABASE_LIMITS["migrate"]["statement_timeout"]
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{longest}s"])
            try:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
            except OperationalError as error:
                if sqlstate(error) == LOCK_NOT_AVAILABLE:
                    raise StillMigratingError from error
                raise
        yield


def wait_for_transactions(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """Run a statement, without the limit for locks if it is CONCURRENTLY.

    Those wait for the transactions of others, but no one waits for them; and if they give up, they
    leave an invalid index. For `connection.execute_wrapper`.
    """
    if " CONCURRENTLY " not in str(sql).upper():
        return execute(sql, params, many, context)
    with context["connection"].cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        [limit] = cursor.fetchone()
        cursor.execute("SET lock_timeout = 0")
        result = execute(sql, params, many, context)
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [limit])
    return result


def sqlstate(error: DatabaseError) -> str | None:
    """Return PostgreSQL's code of an error of Django."""
    return getattr(error.__cause__, "sqlstate", None)


def invalid_indexes(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of indexes that a failed CREATE INDEX CONCURRENTLY has left."""
    with connection.cursor() as cursor:
        cursor.execute(INVALID_INDEXES_SQL)
        return [name for [name] in cursor.fetchall()]
