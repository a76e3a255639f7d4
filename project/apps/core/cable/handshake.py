"""Who opens a socket, by the cookies of its handshake.

Own code instead of Channels' middlewares: those keep a session and a user in memory for as long as
the socket lives, and a socket needs two short identifiers.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
)
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, parse_cookie
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from apps.core.cable.channel import load_user


class Identity(NamedTuple):
    """Attributes.

    user_id: None for an anonymous visitor.
    session: the digest of the session's key, by which its end finds the socket; or None.
    session_key: the key itself, by which the session can be looked up anew.
    auth_hash: what another password changes.
    address: a visitor's, as the proxies tell it.
    """

    user_id: str | None = None
    session: str | None = None
    session_key: str = ""
    auth_hash: str = ""
    address: str = ""

    @property
    def holder(self) -> str:
        """Whose sockets are counted together."""
        return self.session or self.address


def header(scope: dict[str, Any], name: bytes) -> str | None:
    """Return a request header; None when it is missing."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def session_digest(key: str) -> str:
    """Return what stands for a session on the wire, where its key would open it."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def identify(scope: dict[str, Any]) -> Identity:
    """Return whose session the cookies name; it asks the database.

    Not the cache, which keeps a session that ended while it was away; and not Django's `get_user`,
    which gives the session another key when it was signed with an old one: no cookie follows here.
    """
    cookies = parse_cookie(header(scope, b"cookie") or "")
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    if key:
        session = SessionStore(key).load()
        user = load_user(session.get(SESSION_KEY))
        if user.is_authenticated and _is_opened(session, user):
            return Identity(str(user.pk), session_digest(key), key, user.get_session_auth_hash())
    return Identity(address=_address(scope))


def valid(identities: Iterable[Identity]) -> set[Identity]:
    """Return those whose session and person are still what they were, in two queries."""
    people = {identity for identity in identities if identity.user_id}
    sessions = set(
        Session.objects.filter(
            pk__in=[identity.session_key for identity in people], expire_date__gt=timezone.now()
        ).values_list("pk", flat=True)
    )
    users = get_user_model()._default_manager.filter(
        pk__in={identity.user_id for identity in people}, is_active=True
    )
    hashes = {str(user.pk): user.get_session_auth_hash() for user in users}
    return {
        identity
        for identity in people
        if identity.session_key in sessions
        and hashes.get(str(identity.user_id)) == identity.auth_hash
    }


def _is_opened(session: dict[str, Any], user: Any) -> bool:
    """Tell whether the session is from a login with the password that the user has now."""
    given = session.get(HASH_SESSION_KEY, "")
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return session.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS and any(
        constant_time_compare(given, known) for known in hashes
    )


def _address(scope: dict[str, Any]) -> str:
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = (scope.get("client") or [""])[0]
    if forwarded := header(scope, b"x-forwarded-for"):
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:
        return ""  # a socket of the system has none
