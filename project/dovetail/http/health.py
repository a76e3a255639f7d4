"""The probes `/livez` and `/readyz`, answered before any other middleware.

Orchestrators probe by IP address and over plain HTTP, which Django's host check and redirect to
HTTPS would reject.
"""

import asyncio
import logging
import signal
from collections.abc import Callable
from typing import Any, cast

from asgiref.sync import async_to_sync
from celery import current_app
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.memcached import BaseMemcachedCache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from dovetail.http import closing
from dovetail.http.middleware import Middleware
from dovetail.http.migrations import due_migrations
from dovetail.http.reported import ReportedCheck
from dovetail.http.shared import SharedCheck

logger = logging.getLogger(__name__)

PATHS = {"/livez", "/readyz"}
TIMEOUT = 3  # seconds each service has to answer
DRAIN_SIGNAL = signal.SIGUSR1  # `manage.py serve` sends it to its workers before it stops them
SIGNALS = {
    signal.SIGTERM,
    DRAIN_SIGNAL,
    closing.SIGNAL,
}  # by which a worker learns that it will end

_is_draining = False


class MigrationsDue(Exception):  # noqa: N818 - a state
    """The database lacks migrations of this code; the argument names them."""


def check_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()  # this thread does not use it again


def check_migrations() -> None:
    try:
        due = due_migrations()
    finally:
        connection.close()
    if due:
        raise MigrationsDue(
            f"{len(due)} to apply, the first of them {due[0]}. Run `python manage.py migrate`"
        )


def check_cache() -> None:
    for alias in settings.CACHES:
        check_cache_of(alias)


def check_cache_of(alias: str) -> None:
    cache = caches[alias]
    if isinstance(cache, BaseMemcachedCache):
        # Its client is told to ignore errors, so that only the value shows that it answers.
        cache.set("readyz", "ok", timeout=TIMEOUT)
        if cache.get("readyz") != "ok":
            raise ConnectionError("memcached does not keep what is written to it")
    elif ping := getattr(cache, "ping", None):
        ping()


def check_broker() -> None:
    # For Valkey and for RabbitMQ: a server may accept a connection and then say nothing.
    limits = {"socket_timeout": TIMEOUT, "read_timeout": TIMEOUT}
    with current_app.connection_for_write(
        connect_timeout=TIMEOUT, transport_options=limits
    ) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0)  # by default it waits 2 seconds


# What every page needs. A process that fails one of these gets no requests.
REQUIRED: dict[str, Callable[[], None]] = {
    "database": check_database,
    "migrations": check_migrations,
}
# What pages can do without, slower or later: for these, taking all processes out of service would
# turn a small failure into an outage.
REPORTED: dict[str, Callable[[], None]] = {
    "cache": check_cache,
    "broker": check_broker,
}
CHECKS = REQUIRED | REPORTED
required = {
    name: SharedCheck(name, check, consequence="answering 503") for name, check in REQUIRED.items()
}
reported = {name: ReportedCheck(name, check) for name, check in REPORTED.items()}


async def _word_for(name: str) -> str:
    """Return what to report: `ok`, `due` or `unavailable`."""
    try:
        await asyncio.wait_for(asyncio.wrap_future(required[name].result()), TIMEOUT)
    except MigrationsDue:
        return "due"
    except TimeoutError:
        logger.warning("Readiness check of %s took over %d s; answering 503", name, TIMEOUT)
        return "unavailable"
    except Exception:  # noqa: BLE001 - whatever the error, the service is not ready; it is logged
        return "unavailable"
    return "ok"


async def _required() -> dict[str, str]:
    words = {"database": await _word_for("database")}
    if settings.READINESS_NEEDS_MIGRATIONS:
        words["migrations"] = words["database"]
        if words["database"] == "ok":
            words["migrations"] = await _word_for("migrations")
    return words


def drain() -> None:
    """Say from now on that this process is not ready. It serves what comes nevertheless."""
    global _is_draining  # noqa: PLW0603 - a process stops once
    _is_draining = True
    closing.start()


async def readiness() -> JsonResponse:
    """Check all services concurrently. Probes at the same time share the checks.

    Returns:
        `{"status": "ok"|"unavailable", "checks": {name: "ok"|"due"|"unavailable"}}`, with status
        503 if a check of `REQUIRED` fails. Those of `REPORTED` change only the report. While the
        process drains, 503 and `{"status": "stopping", "checks": {}}`.
    """
    if _is_draining:
        answer: Any = _answer("stopping", {})
        answer._has_been_logged = True  # noqa: SLF001 - Django would log each one as an error
        return cast("JsonResponse", answer)
    words, passed = await asyncio.gather(
        _required(), asyncio.gather(*(check.passes() for check in reported.values()))
    )
    ready = set(words.values()) == {"ok"}
    others = {
        name: "ok" if ok else "unavailable" for name, ok in zip(reported, passed, strict=True)
    }
    return _answer("ok" if ready else "unavailable", words | others)


def _answer(status: str, words: dict[str, str]) -> JsonResponse:
    return JsonResponse(
        {"status": status, "checks": words},
        status=200 if status == "ok" else 503,
        headers={"Cache-Control": "no-store"},
    )


def liveness() -> HttpResponse:
    """Return 200 to show that the process serves requests, without checking any service."""
    return HttpResponse("ok", content_type="text/plain", headers={"Cache-Control": "no-store"})


class HealthMiddleware(Middleware):
    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        match request.path_info:
            case "/livez":
                return liveness()
            case "/readyz":
                return async_to_sync(readiness)()
        return None

    async def aprocess_request(self, request: HttpRequest) -> HttpResponse | None:
        if request.path_info == "/readyz":
            return await readiness()
        return self.process_request(request)
