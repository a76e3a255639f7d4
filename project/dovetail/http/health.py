"""`/livez` and `/readyz`, answered before any other middleware.

Probes come by address, not by host name, and over plain HTTP: the host check and the redirect to
HTTPS would refuse them.
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

TIMEOUT = 3  # seconds a part has to answer


def check_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()  # this thread will not use it again


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
    except Exception as error:  # noqa: BLE001 - whatever it is, the part is not ready
        # The reason may name hosts and users: it goes to the log, not into the answer.
        logger.warning("not ready: %s: %s", name, str(error) or type(error).__name__)
        return False
    return True


async def readiness() -> JsonResponse:
    """Ask every part at once; 503 when one does not answer.

    Returns:
        `{"status": "ok"|"unavailable", "checks": {part: "ok"|"unavailable"}}`
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
    """Say that the process serves requests; no other part is touched."""
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
