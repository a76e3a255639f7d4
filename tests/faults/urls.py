"""The site's pages, and some that take their time or need a service."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from config import urls

LINES = 20
PAUSE = 0.2  # seconds between lines


def text(request: HttpRequest) -> HttpResponse:
    del request
    return HttpResponse("Wood holds wood.", content_type="text/plain")


def slow(request: HttpRequest) -> HttpResponse:
    time.sleep(float(request.GET["seconds"]))
    return HttpResponse("done", content_type="text/plain")


def rows(request: HttpRequest) -> HttpResponse:
    """Answer with what the database says, so that no cache can."""
    del request
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM articles_article")
        return HttpResponse(str(cursor.fetchone()), content_type="text/plain")


def kept(request: HttpRequest) -> HttpResponse:
    """Answer with what the cache has kept, or would."""
    del request
    cache.set("faults", "kept", 60)
    return HttpResponse(str(cache.get("faults")), content_type="text/plain")


def lines(request: HttpRequest) -> StreamingHttpResponse:
    del request

    def each() -> Iterator[str]:
        for number in range(LINES):
            time.sleep(PAUSE)
            yield f"line {number}\n"

    return StreamingHttpResponse(each(), content_type="text/plain")


async def async_lines(request: HttpRequest) -> StreamingHttpResponse:
    del request

    async def each() -> AsyncIterator[str]:
        for number in range(LINES):
            await asyncio.sleep(PAUSE)
            yield f"line {number}\n"

    return StreamingHttpResponse(each(), content_type="text/plain")


handler400 = urls.handler400
urlpatterns = [
    path("faults/text/", text),
    path("faults/slow/", slow),
    path("faults/rows/", rows),
    path("faults/kept/", kept),
    path("faults/lines/", lines),
    path("faults/async-lines/", async_lines),
    *urls.urlpatterns,
]
