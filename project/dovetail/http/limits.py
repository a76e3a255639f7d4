"""Limits how often a person or a network may do what costs more than a page: `RATE_LIMITS`.

    if refused := refusal(request, "search"):
        return refused

`WriteLimitMiddleware` counts all forms in the class `writes`, those of tomorrow included. People
who are signed in are counted wherever they come from, others by their network. Without a cache,
nothing is limited. The API has limits of its own (`dovetail.api.throttles`).

Own code because django-ratelimit reads and writes the cache in separate steps, so that requests at
the same time slip through (`dovetail.cache.windows`).
"""

import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dovetail.cache.windows import count
from dovetail.http.address import client_address, network_of
from dovetail.http.middleware import Middleware

SECONDS = 60  # the period of all limits
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}


def refusal(request: HttpRequest, scope: str) -> HttpResponse | None:
    """Count a request, and return a page with status 429 if it is one too many.

    Args:
        request: after the middleware that finds the person.
        scope: one of `RATE_LIMITS`.
    """
    key = f"limits:{scope}:{sender(request)}"
    try:
        is_counted, [used] = count([(key, settings.RATE_LIMITS[scope])], 1, seconds=SECONDS)
    except redis.RedisError:
        return None
    return None if is_counted else too_many_requests(request, used.seconds)


def too_many_requests(request: HttpRequest, seconds: int = SECONDS) -> HttpResponse:
    """Render 429.html (`handler429`, which allauth calls).

    Args:
        request: the request.
        seconds: until it may be sent again.
    """
    response = render(request, "429.html", status=429)
    response["Retry-After"] = str(seconds)
    response["Cache-Control"] = "no-store"
    return response


def sender(request: HttpRequest) -> str:
    """Return a name for the person who sent a request, or for their network."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return f"user:{user.pk}"
    return f"network:{network_of(client_address(request))}"


class WriteLimitMiddleware(Middleware):
    """Counts what is sent to pages, other than those below `RATE_UNLIMITED`.

    Place it last but for what refuses paths: its page shows who is signed in, and messages.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        return refusal(request, "writes") if _is_counted(request) else None

    async def aprocess_request(self, request: HttpRequest) -> HttpResponse | None:
        if not _is_counted(request):
            return None
        return await sync_to_async(self.process_request)(request)


def _is_counted(request: HttpRequest) -> bool:
    return request.method not in SAFE_METHODS and not request.path_info.startswith(
        tuple(settings.RATE_UNLIMITED)
    )
