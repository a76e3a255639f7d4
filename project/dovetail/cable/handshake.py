"""Identifies who opens a socket by its handshake's cookies.

Own code because Channels' middleware keeps a session and a user in memory for as long as the socket
is open, where a socket needs only two short identifiers.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.http import parse_cookie
from django.utils.crypto import constant_time_compare

from dovetail.cable.identity import Identity, load_session_user, session_digest
from dovetail.http.address import address_of


def header(scope: dict[str, Any], name: bytes) -> str | None:
    """Return a request header, None if it is missing.

    Several lines are joined in their order, as Django joins them for pages. A second `Host` or
    `Origin` so makes it invalid.
    """
    lines = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ("; " if name == b"cookie" else ",").join(lines) if lines else None


def identify(scope: dict[str, Any]) -> Identity:
    """Return the identity of the session that the cookies name. Queries the database.

    This does not use Django's `get_user`, which gives the session a new key after a change of
    SECRET_KEY: a handshake cannot set the new cookie.
    """
    cookies = parse_cookie(header(scope, b"cookie") or "")
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    if key:
        session = SessionStore(key).load()
        user = load_session_user(session.get(SESSION_KEY), key)
        if user.is_authenticated and _is_session_of(user, session):
            return Identity(str(user.pk), session_digest(key), key, user.get_session_auth_hash())
    return Identity(address=address(scope))


def address(scope: dict[str, Any]) -> str:
    """Return the IP address that a handshake came from, "" if it is not known."""
    peer, *_ = scope.get("client") or [None]
    return address_of(peer, header(scope, b"x-forwarded-for") or "")


def _is_session_of(user: Any, session: dict[str, Any]) -> bool:
    """Return whether the session is from a login with the user's current password."""
    given = session.get(HASH_SESSION_KEY, "")
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return session.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS and any(
        constant_time_compare(given, known) for known in hashes
    )
