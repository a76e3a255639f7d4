"""Who opens a socket, by the cookies of its handshake.

Own code instead of Channels' middlewares: those keep a session and a user in memory for as long as
the socket lives, and a socket needs two short identifiers.
"""

import hashlib
from importlib import import_module
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie


class Identity(NamedTuple):
    """Attributes.

    user_id: None for an anonymous visitor.
    session: the digest of the session's key, by which its end finds the socket; or None.
    """

    user_id: str | None = None
    session: str | None = None


def header(scope: dict[str, Any], name: bytes) -> str | None:
    """Return a request header; None when it is missing."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def session_digest(key: str) -> str:
    """Return what stands for a session in memory and on the wire, where its key would open it."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def identify(scope: dict[str, Any]) -> Identity:
    """Return whose session the cookies name; it asks the database."""
    cookies = parse_cookie(header(scope, b"cookie") or "")
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    if not key:
        return Identity()
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)  # also compares the session with the password
    if not user.is_authenticated:
        return Identity()
    return Identity(str(user.pk), session_digest(key))
