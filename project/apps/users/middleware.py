"""Finds who is signed in, keeps private pages out of caches, and answers requests that race.

Own code because Django's middleware for users accepts sessions that no list shows, because that of
allauth for sessions is synchronous and writes on every request, and because allauth's views fail
with an IntegrityError if another request saves the same address or second factor between their
check and their write, as a double click does.
"""

from datetime import timedelta
from functools import partial
from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    load_backend,
    middleware as auth,
)
from django.contrib.auth.mixins import AccessMixin
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject

from apps.users.models import User
from apps.users.sessions import ROW, SessionStore, is_listed, user_agent
from apps.users.sso import rights
from dovetail.http.middleware import Middleware
from dovetail.models.conflicts import violated_constraint

INTERVAL = timedelta(minutes=5)  # between two updates of one session


def find_user(request: HttpRequest) -> User | AnonymousUser:
    """Return the person whose session this is, and record its use.

    As `django.contrib.auth.get_user`, but it reads the session's row with the user, in one query. A
    session without a row, or of someone who may no longer sign in, is flushed.
    """
    session = request.session
    if SESSION_KEY not in session:
        return AnonymousUser()
    row = find_row(session)
    if row is None:
        session.flush()
        return AnonymousUser()
    if row.last_seen_at < timezone.now() - INTERVAL and not _record_use(request, row):
        session.flush()
        return AnonymousUser()
    user: User = row.user
    rights.revoke_expired(user)
    return user


def find_row(session: SessionBase) -> UserSession | None:
    """Return the row of a session with its user; None if it is not signed in.

    Usually, the session has loaded both. Otherwise, this is one query.
    """
    if SESSION_KEY not in session:
        return None
    row = cast("SessionStore", session).take_row()
    if row is None or row.pk != session.get(ROW) or str(row.user_id) != session[SESSION_KEY]:
        rows = UserSession.objects.select_related("user").filter(user=session[SESSION_KEY])
        row = rows.filter(pk=session.get(ROW)).first()
    if not is_listed(session, row) or not _may_continue(session, row.user):
        return None
    return row


def _may_continue(session: SessionBase, user: User) -> bool:
    """Return whether a session's user is active and has the password that they signed in with."""
    path = session.get(BACKEND_SESSION_KEY)
    if path not in settings.AUTHENTICATION_BACKENDS:
        return False
    backend: Any = load_backend(path)
    if not backend.user_can_authenticate(user):
        return False
    given, current = session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()
    if constant_time_compare(given, current):
        return True
    if any(constant_time_compare(given, old) for old in user.get_session_auth_fallback_hash()):
        session.cycle_key()  # SECRET_KEY has changed
        session[HASH_SESSION_KEY] = current
        return SESSION_KEY in session
    return False


def _record_use(request: HttpRequest, row: UserSession) -> bool:
    """Record that a session is in use, and return whether it still is: not if it has just ended."""
    request.session.modified = True  # extends it by SESSION_COOKIE_AGE
    updated = UserSession.objects.filter(pk=row.pk).update(
        last_seen_at=timezone.now(),
        ip=get_adapter().get_client_ip(request),
        user_agent=user_agent(request),
    )
    return bool(updated)


def _user(request: Any) -> User | AnonymousUser:
    if not hasattr(request, "_cached_user"):
        request._cached_user = find_user(request)  # noqa: SLF001 - where Django keeps it, too
    return cast("User | AnonymousUser", request._cached_user)  # noqa: SLF001


async def _auser(request: HttpRequest) -> User | AnonymousUser:
    return await sync_to_async(_user)(request)


class AuthenticationMiddleware(auth.AuthenticationMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = cast("User | AnonymousUser", SimpleLazyObject(partial(_user, request)))
        request.auser = partial(_auser, request)


class PrivatePagesMiddleware(Middleware):
    """Has browsers not store private pages, and forget what was typed when a person signs out.

    Private are allauth's pages, the admin, and the views that require a sign-in by a mixin.

    `Clear-Site-Data` clears "storage", where unsaved text may be. It leaves out "cookies", which
    would take the theme and the mark of a known browser along, and "cache": private pages are not
    there, and browsers may take seconds to clear it and load all scripts and styles again.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> None:
        if _is_private(request):
            add_never_cache_headers(response)
        if getattr(request, "has_signed_out", False):
            response["Clear-Site-Data"] = '"storage"'


def _is_private(request: HttpRequest) -> bool:
    match = request.resolver_match
    if match is None:
        return False
    view: Any = match.func
    return (
        "admin" in match.app_names
        or view.__module__.startswith("allauth.")
        or issubclass(getattr(view, "view_class", object), AccessMixin)
    )


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
