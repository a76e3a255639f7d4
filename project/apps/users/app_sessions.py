"""Sessions of apps, which keep tokens where a browser keeps a cookie.

An app signs in to a session like any other: the list of a person's sessions shows it, and it ends
with its row, by a new password, by a ban, and so on. Its tokens only name it. An access token
works for minutes, a refresh token once: used twice, it ends the session, because one of the two
senders must have stolen it, and we cannot tell which (RFC 9700, 4.14.2).

Own code around allauth's tokens, because allauth only refuses a refresh token that was used before,
lets two requests at once use it, and believes sessions that no list shows. Its own sign-in for apps
also hands out the key of the session, which would sign in a browser, too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from allauth.account import app_settings as account_settings
from allauth.account.adapter import get_adapter
from allauth.account.internal.userkit import user_id_to_str
from allauth.headless.tokens.strategies.jwt import internal as jwt
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage import default_storage
from django.contrib.sessions.backends.base import UpdateError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from apps.users.middleware import find_row
from apps.users.models import User
from apps.users.security_log import Kind, record
from apps.users.sessions import SessionStore, user_agent
from apps.users.sso import rights

ACCESS, REFRESH, SIGN_IN = "access", "refresh", "sign_in"
MAX_TOKEN = 2000  # characters; ours have some 400
PARTS = 3  # of a JSON Web Token, between dots


@dataclass(frozen=True)
class Tokens:
    access_token: str
    refresh_token: str
    expires_in: int  # seconds that the access token works for


def are_on() -> bool:
    """Return whether apps can sign in."""
    return bool(settings.HEADLESS_JWT_PRIVATE_KEY)


def find(access_token: str) -> UserSession | None:
    """Return the session that an access token is for, with its user, in one query.

    They only read: that the session is in use is recorded at each refresh.
    """
    claims = _claims(access_token, ACCESS)
    if claims is None:
        return None
    row = find_row(SessionStore(claims["key"]))
    if row is None or user_id_to_str(row.user) != claims["sub"]:
        return None
    rights.revoke_expired(row.user)
    return row


def start(session: SessionStore) -> Tokens | None:
    """Return the first tokens of a session that has just been signed in.

    None if it may not go on, as if the person was banned while the second factor was asked for. A
    browser would find that out with its next page.
    """
    row = find_row(session)
    if row is None:
        session.flush()
        return None
    try:
        return _issue(row.user, session)
    except UpdateError:  # ended just now
        return None


def refresh(request: HttpRequest, refresh_token: str) -> Tokens | None:
    """Return new tokens, of which the refresh token takes the place of this one.

    None if this one is not valid. If it has been used before, its session ends.
    """
    claims = _claims(refresh_token, REFRESH)
    if claims is None:
        return None
    with transaction.atomic():
        # Of two requests with the same token, the second one waits here.
        rows = UserSession.objects.select_for_update().filter(session_key=claims["key"])
        if rows.first() is None:
            return None
        session = SessionStore(claims["key"])
        row = find_row(session)
        if row is None or user_id_to_str(row.user) != claims["sub"]:
            return None
        if claims["jti"] not in jwt.get_refresh_token_state(session):
            session.flush()
            record(Kind.SESSIONS_ENDED, row.user, detail="refresh token used twice")
            return None
        jwt.invalidate_refresh_token(session, claims)
        row.last_seen_at = timezone.now()
        row.ip = get_adapter().get_client_ip(request)
        row.user_agent = user_agent(request)
        row.save(update_fields=["last_seen_at", "ip", "user_agent"])
        return _issue(row.user, session)


def sign_in_token(session: SessionStore) -> str:
    """Return the token of a sign-in that still lacks the second factor."""
    session.save()
    sid = jwt.session_key_to_sid(str(session.session_key))
    token: str = jwt.create_token(
        SIGN_IN, sub="", sid=sid, expires_in=account_settings.LOGIN_TIMEOUT
    )[0]
    return token


def sign_in_session(token: str) -> SessionStore | None:
    """Return the session of a sign-in that still lacks the second factor."""
    claims = _claims(token, SIGN_IN)
    return SessionStore(claims["key"]) if claims else None


@contextmanager
def in_session(request: HttpRequest, session: SessionStore, user: Any = None) -> Iterator[None]:
    """Have allauth act on an app's session instead of that of the request's cookie.

    The cookies of pages stay as they are: of the session, of CSRF, of messages. `start` and
    `sign_in_token` save what the session has to remember.
    """
    page: Any = request
    kept = {name: getattr(page, name) for name in ("session", "user", "_messages")}
    page.session, page.user = session, user or AnonymousUser()
    page._messages = default_storage(request)  # noqa: SLF001 - where Django keeps them
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(page, name, value)
        request.META["CSRF_COOKIE_NEEDS_UPDATE"] = False
        page.has_signed_out = False  # a page open in the same browser has not


def _issue(user: User, session: SessionStore) -> Tokens:
    tokens = Tokens(
        jwt.create_access_token(user, session, {}),
        jwt.create_refresh_token(user, session),
        settings.HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN,
    )
    session.save()  # with the refresh token that it may be used with
    return tokens


def _claims(token: str, use: str) -> dict[str, Any] | None:
    """Return the claims of a valid token for this use, and the session's `key`."""
    if not are_on() or len(token) > MAX_TOKEN or token.count(".") != PARTS - 1:
        return None
    try:
        claims: dict[str, Any] | None = jwt.decode_token(token, use)
        key = jwt.session_key_from_sid(claims["sid"]) if claims else None
    except ValueError:  # of a `sid` that is no Base64
        return None
    # With another SECRET_KEY than at the sign-in, the key is deciphered to anything.
    if claims is None or not key or not (key.isascii() and key.isalnum()):
        return None
    return claims | {"key": key}
