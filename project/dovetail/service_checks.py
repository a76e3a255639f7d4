"""System checks for `check --deploy` that ask the services, as processes of the site would.

| Id | What it reports |
|---|---|
| `dovetail.W103` | uploads cannot be written, read and deleted |
| `dovetail.W114` | the database is unavailable, so that nothing about it is known |
| `dovetail.W115` | the processes may open more connections than the database allows |
| `dovetail.W116` | the clock of the database's server and the one here differ |
| `dovetail.W117` | ParadeDB is installed, but its library is not loaded with the server |
| `dovetail.W118` | a cache is one of each process, so that limits and invalidations are, too |
| `dovetail.W119` | a cache is unavailable |
| `dovetail.W120` | the broker is unavailable |
| `dovetail.W121` | uploads are stored, but not served |
| `dovetail.W124` | the replica is unavailable, so that pages that read from it fail |
| `dovetail.W122` | a cookie would be sent over plain HTTP, or could be set by another host |

Each takes a few seconds at most. One that cannot ask, because a service is unavailable from here,
says so in a warning.
"""

import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from celery import current_app
from django.conf import settings
from django.core import checks
from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import Error as DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.urls import Resolver404, resolve

from dovetail.database import capacity
from dovetail.database.replica import REPLICA
from dovetail.http import health
from dovetail.serving import plan

Messages = list[checks.CheckMessage]
LIMIT = 8  # seconds for a service, with the resolution of its name
MAX_SKEW = 5  # seconds
UNSHARED = (DummyCache, LocMemCache)


def register() -> None:
    """Register the checks; `DovetailConfig.ready` does."""
    for check in (
        check_database,
        check_replica,
        check_shared_caches,
        check_broker,
        check_storage,
        check_media_is_served,
        check_cookies,
    ):
        checks.register(check, deploy=True)


def _within_limit(function: Callable[[], Any]) -> Any:
    """Return what a function returns.

    Raises:
        TimeoutError: it takes more than `LIMIT`; the thread that runs it is left behind.
    """
    result: Future[Any] = Future()

    def run() -> None:
        try:
            result.set_result(function())
        except Exception as error:  # noqa: BLE001 - raised in the caller's thread
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return result.result(LIMIT)
    except TimeoutError:
        raise TimeoutError(f"no answer in {LIMIT} seconds") from None


def _reason(error: Exception) -> str:
    """Return the first line of an error, which may be long."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def check_database(**_: Any) -> Messages:
    def ask() -> Messages:
        with capacity.probe() as connection:
            return [
                *_check_connections(connection),
                *_check_clock(connection),
                *_check_library(connection),
            ]

    try:
        messages: Messages = _within_limit(ask)
    except (DatabaseError, TimeoutError) as error:
        return [
            checks.Warning(
                f"The database is unavailable from here ({_reason(error)}), so its connections, "
                "its clock, its extensions and the migrations to apply are not checked.",
                hint="Run the check where DATABASE_URL leads to the running database.",
                id="dovetail.W114",
            )
        ]
    return messages


def check_replica(**_: Any) -> Messages:
    def ask() -> None:
        with capacity.probe(REPLICA) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    if REPLICA not in connections.settings:
        return []
    try:
        _within_limit(ask)
    except (DatabaseError, TimeoutError) as error:
        return [
            checks.Warning(
                f"The replica is unavailable from here ({_reason(error)}). The pages that read "
                "from it fail, although /readyz, which asks the primary, says that all is well.",
                hint="Correct DATABASE_REPLICA_URL, or remove it, so that the primary is read.",
                id="dovetail.W124",
            )
        ]
    return []


def _check_connections(connection: BaseDatabaseWrapper) -> Messages:
    need, available = capacity.need(plan.make().workers), capacity.available(connection)
    if need.sum <= available:
        return []
    return [
        checks.Warning(
            f"The database allows {available} connections, but the processes may open {need.sum}: "
            f"{need}. Requests then fail.",
            hint=(
                "Lower WEB_CONCURRENCY, DATABASE_POOL_SIZE or the concurrency of the workers, or "
                "raise max_connections of PostgreSQL."
            ),
            id="dovetail.W115",
        )
    ]


def _check_clock(connection: BaseDatabaseWrapper) -> Messages:
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        [theirs] = cursor.fetchone()
        after = time.time()
    # The database has looked at its clock at some time in between.
    skew = max(before - float(theirs), float(theirs) - after, 0)
    if skew <= MAX_SKEW:
        return []
    return [
        checks.Warning(
            f"The clock of the database's server differs from the one here by {skew:.0f} seconds, "
            "so that sessions, links and codes end too early or too late.",
            hint="Synchronize the clocks of both machines by NTP.",
            id="dovetail.W116",
        )
    ]


def _check_library(connection: BaseDatabaseWrapper) -> Messages:
    if settings.SEARCH_ENGINE == "postgres":
        return []
    with connection.cursor() as cursor:
        # What is loaded with the server has its parameters in a connection that has done nothing.
        # Only administrators may read shared_preload_libraries.
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_search')"
            " AND NOT EXISTS (SELECT FROM pg_settings WHERE name LIKE 'paradedb.%')"
        )
        [is_missing] = cursor.fetchone()
    if not is_missing:
        return []
    return [
        checks.Warning(
            "ParadeDB's pg_search is installed, but not loaded when the server starts, so that its "
            "indexes may fail or fall behind.",
            hint=(
                "Add pg_search to shared_preload_libraries in postgresql.conf, and restart the "
                "server; or set SEARCH_ENGINE=postgres."
            ),
            id="dovetail.W117",
        )
    ]


def check_shared_caches(**_: Any) -> Messages:
    messages: Messages = []
    seen: list[Any] = []
    for alias, entry in settings.CACHES.items():
        if entry in seen:  # several names of one cache
            continue
        seen.append(entry)
        cache = caches[alias]
        if isinstance(cache, UNSHARED):
            messages.append(
                checks.Warning(
                    f"The cache {alias!r} is not shared by processes: each counts guesses and "
                    "requests for itself, and shows old values after another has changed them.",
                    hint=f"Set CACHES[{alias!r}]['BACKEND'] to dovetail.cache.valkey.ValkeyCache.",
                    id="dovetail.W118",
                )
            )
            continue
        try:
            _within_limit(partial(health.check_cache_of, alias))
        except Exception as error:  # noqa: BLE001 - each client has its own
            messages.append(
                checks.Warning(
                    f"The cache {alias!r} is unavailable from here ({_reason(error)}).",
                    hint=(
                        "Check VALKEY_URL and MEMCACHED_URL, or run the check where they lead to "
                        "the running servers."
                    ),
                    id="dovetail.W119",
                )
            )
    return messages


def check_broker(**_: Any) -> Messages:
    if current_app.conf.task_always_eager:
        return []
    try:
        _within_limit(health.check_broker)
    except Exception as error:  # noqa: BLE001 - each client has its own
        return [
            checks.Warning(
                f"The broker is unavailable from here ({_reason(error)}), so that tasks and mail "
                "would wait.",
                hint=(
                    "Check CELERY_BROKER_URL, or run the check where it leads to the running "
                    "broker."
                ),
                id="dovetail.W120",
            )
        ]
    return []


def check_storage(**_: Any) -> Messages:
    content = secrets.token_bytes(32)
    # No row refers to it, so it is neither served nor kept.
    name = f"check-{secrets.token_hex(8)}.bin"

    def write_and_read() -> None:
        saved = default_storage.save(name, ContentFile(content))
        try:
            with default_storage.open(saved) as file:
                if file.read() != content:
                    raise OSError("what was read differs from what was written")
        finally:
            default_storage.delete(saved)
        if default_storage.exists(saved):
            raise OSError("a deleted file is still there")

    try:
        _within_limit(write_and_read)
    except Exception as error:  # noqa: BLE001 - each storage has its own
        return [
            checks.Warning(
                f"Uploads cannot be written, read and deleted ({_reason(error)}).",
                hint=(
                    "Set DATA_DIR to a folder on a volume that this user may write to, or, with "
                    "S3_BUCKET, see docs/media.md for the rights that its key needs."
                ),
                id="dovetail.W103",
            )
        ]
    return []


def check_media_is_served(**_: Any) -> Messages:
    url = settings.MEDIA_URL
    if not isinstance(default_storage, FileSystemStorage) or not url.startswith("/"):
        return []  # another host serves them
    with suppress(Resolver404):
        resolve(f"{url}folder/name.webp")
        return []
    return [
        checks.Warning(
            f"No URL serves what is below {url}, so that uploads are not shown.",
            hint="Add *upload_urls() of dovetail.media.serving to the project's urls.py.",
            id="dovetail.W121",
        )
    ]


def check_cookies(**_: Any) -> Messages:
    """Look at the names of all cookies; Django looks at the attributes of two."""
    unsafe = [
        name
        for name in ("SESSION", "CSRF", "LANGUAGE", "MESSAGE", "THEME", "DEVICE", "MFA_TRUST")
        if (cookie := getattr(settings, f"{name}_COOKIE_NAME", ""))
        and not cookie.startswith("__Host-")
    ]
    if not unsafe:
        return []
    listed = ", ".join(f"{name}_COOKIE_NAME" for name in unsafe)
    return [
        checks.Warning(
            f"{listed}: without the prefix __Host-, other hosts of the domain can set the cookie, "
            "and browsers send it over plain HTTP if it is not marked as secure.",
            hint="Let the names start with __Host-, as in config/settings/production.py.",
            id="dovetail.W122",
        )
    ]
