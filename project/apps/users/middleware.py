"""Keeps track of sessions: when each was last used and from where, and that none lasts too long.

Own code because allauth's middleware is synchronous and writes at every request.
"""

from collections.abc import Awaitable, Callable
from typing import cast

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware

INTERVAL = 300  # seconds between two notes about one session

MaybeAwaitable = HttpResponseBase | Awaitable[HttpResponseBase]


def note_use(request: HttpRequest) -> None:
    """Note that the session is in use, or end it when its login is too long ago."""
    key = request.session.session_key
    if not cache.add(f"users:session:{key}", value=True, timeout=INTERVAL):
        return
    session = UserSession.objects.filter(session_key=key).first()
    if session is None:
        return
    now = timezone.now()
    if session.created_at < now - settings.SESSION_LIFETIME:
        session.delete()
        request.session.flush()
        return
    session.last_seen_at = now
    session.ip = get_adapter().get_client_ip(request)
    session.user_agent = request.META.get("HTTP_USER_AGENT", "")[:200]
    session.save(update_fields=["last_seen_at", "ip", "user_agent"])
    request.session.modified = True  # its two weeks begin anew


@sync_and_async_middleware
def SessionUseMiddleware(  # noqa: N802 - named as Django names middleware
    get_response: Callable[[HttpRequest], MaybeAwaitable],
) -> Callable[[HttpRequest], MaybeAwaitable]:
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            if request.session.session_key:
                await sync_to_async(note_use)(request)
            return await cast("Awaitable[HttpResponseBase]", get_response(request))

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        if request.session.session_key:
            note_use(request)
        return cast("HttpResponseBase", get_response(request))

    return synchronous
