"""Records when and from where each session was last used, and ends those past SESSION_LIFETIME.

Own code because allauth's middleware is synchronous and writes on every request.
"""

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils import timezone

from dovetail.http.middleware import Middleware

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
    session.last_seen_at = now
    session.ip = get_adapter().get_client_ip(request)
    session.user_agent = request.META.get("HTTP_USER_AGENT", "")[:200]
    session.save(update_fields=["last_seen_at", "ip", "user_agent"])
    request.session.modified = True  # extends it by SESSION_COOKIE_AGE


class SessionUseMiddleware(Middleware):
    def process_request(self, request: HttpRequest) -> None:
        if request.session.session_key:
            record_use(request)

    async def aprocess_request(self, request: HttpRequest) -> None:
        if request.session.session_key:
            await sync_to_async(record_use)(request)
