"""Pages whose requests last until a test lets them end."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

BEGUN, RELEASED = Path(os.environ["BEGUN"]), Path(os.environ["RELEASED"])
STEP = 0.02  # seconds


def quick(_: HttpRequest) -> HttpResponse:
    return HttpResponse(str(os.getpid()))


def database(_: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_postmaster_start_time()")
        return HttpResponse(cursor.fetchone()[0].isoformat())


def slow(_: HttpRequest) -> HttpResponse:
    BEGUN.touch()
    while not RELEASED.exists():
        time.sleep(STEP)
    return HttpResponse("done")


async def stream(_: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first,"
        while not RELEASED.exists():  # noqa: ASYNC110, ASYNC240 - another process creates it
            await asyncio.sleep(STEP)
        yield b"last"

    return StreamingHttpResponse(parts())


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


urlpatterns = [
    path("quick/", quick),
    path("database/", database),
    path("slow/", slow),
    path("stream/", stream),
    path("upload/", upload),
]
