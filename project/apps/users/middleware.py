"""Records the use of sessions, and answers requests that race for one account.

Own code because allauth's middleware for sessions is synchronous and writes on every request, and
because its views fail with an IntegrityError if another request saves the same address or second
factor between their check and their write, as a double click does.
"""

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dovetail.http.middleware import Middleware
from dovetail.models.conflicts import violated_constraint

INTERVAL = 300  # seconds between two updates of one session


def record_use(request: HttpRequest) -> None:
    """Record that the session is in use, or end it if it has reached SESSION_LIFETIME."""
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
    # Not `save`, which fails if the session was ended in between.
    UserSession.objects.filter(pk=session.pk).update(
        last_seen_at=now,
        ip=get_adapter().get_client_ip(request),
        user_agent=request.META.get("HTTP_USER_AGENT", "")[:200],
    )
    request.session.modified = True  # extends it by SESSION_COOKIE_AGE


class SessionUseMiddleware(Middleware):
    def process_request(self, request: HttpRequest) -> None:
        if request.session.session_key:
            record_use(request)

    async def aprocess_request(self, request: HttpRequest) -> None:
        if request.session.session_key:
            await sync_to_async(record_use)(request)


class AccountConflictMiddleware(Middleware):
    """Runs a view of allauth again if another request took the unique value that it had checked.

    The second run finds the row of the other request, and answers as if it had come first.
    """

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, IntegrityError) or violated_constraint(error) is None:
            return None
        match = request.resolver_match
        if match is None or not match.func.__module__.startswith("allauth."):
            return None
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        return response
