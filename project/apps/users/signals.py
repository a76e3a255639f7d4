"""Ends the sessions that started before a person's credentials changed."""

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.usersessions.internal.flows import sessions
from allauth.usersessions.models import UserSession
from django.http import HttpRequest

from apps.users.models import User


def end_other_sessions(request: HttpRequest, user: User, **_: Any) -> None:
    """End all of a person's sessions except the one that makes this request."""
    sessions.end_other_sessions(request, user)


def end_all_sessions(user: User, **_: Any) -> None:
    """End all of a person's sessions."""
    for session in UserSession.objects.filter(user=user):
        session.end()


def cycle_session_key(request: HttpRequest, **extra: Any) -> None:
    """Give the session a new key after its owner has reauthenticated."""
    if not extra.get("reauthenticated"):
        return
    before = request.session.session_key
    request.session.cycle_key()
    UserSession.objects.filter(session_key=before).update(session_key=request.session.session_key)


def connect() -> None:
    """Connect the functions above to allauth's signals."""
    for changed in (
        account.password_changed,
        account.password_set,
        mfa.authenticator_added,
        mfa.authenticator_removed,
        mfa.authenticator_reset,
    ):
        changed.connect(end_other_sessions)
    account.password_reset.connect(end_all_sessions)
    account.authentication_step_completed.connect(cycle_session_key)
