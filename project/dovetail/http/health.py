"""The probes `/livez` and `/readyz`, answered before any other middleware.

Orchestrators probe by IP address and over plain HTTP, which Django's host check and redirect to
HTTPS would reject.
"""

import asyncio
import logging
from collections.abc import Callable

from asgiref.sync import async_to_sync, sync_to_async
from celery import current_app
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from dovetail.http.middleware import Middleware

logger = logging.getLogger(__name__)

TIMEOUT = 3  # seconds each service has to answer


def check_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()  # this thread does not use it again


def check_cache() -> None:
    if ping := getattr(cache, "ping", None):
        ping()


def check_broker() -> None:
    with current_app.connection_for_write(connect_timeout=TIMEOUT) as broker:
        broker.connect()


CHECKS: dict[str, Callable[[], None]] = {
    "database": check_database,
    "cache": check_cache,
    "broker": check_broker,
}


async def _passes(name: str, check: Callable[[], None]) -> bool:
    try:
        await asyncio.wait_for(sync_to_async(check, thread_sensitive=False)(), TIMEOUT)
    except Exception as error:  # noqa: BLE001 - whatever the error, the service is not ready
        # The error may contain hosts and user names, so it is logged but not returned.
        reason = str(error) or type(error).__name__
        logger.warning("Readiness check failed for %s; answering 503: %s", name, reason)
        return False
    return True


async def readiness() -> JsonResponse:
    """Check all services concurrently.

    Returns:
        `{"status": "ok"|"unavailable", "checks": {name: "ok"|"unavailable"}}`, with status 503 if
        any check fails.
    """
    passed = await asyncio.gather(*(_passes(name, check) for name, check in CHECKS.items()))
    words = {True: "ok", False: "unavailable"}
    checks = {name: words[ok] for name, ok in zip(CHECKS, passed, strict=True)}
    return JsonResponse(
        {"status": words[all(passed)], "checks": checks},
        status=200 if all(passed) else 503,
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
