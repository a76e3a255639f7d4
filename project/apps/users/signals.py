"""What follows a change of credentials: sessions that began before it do not outlive it."""

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.usersessions.internal.flows.sessions import end_other_sessions
from allauth.usersessions.models import UserSession
from django.http import HttpRequest

from apps.users.models import User


def end_others(request: HttpRequest, user: User, **_: Any) -> None:
    end_other_sessions(request, user)


def end_all(user: User, **_: Any) -> None:
    for session in UserSession.objects.filter(user=user):
        session.end()


def renew_session(request: HttpRequest, **extra: Any) -> None:
    """Give the session a new key when its owner has proved again who they are."""
    if not extra.get("reauthenticated"):
        return
    before = request.session.session_key
    request.session.cycle_key()
    UserSession.objects.filter(session_key=before).update(session_key=request.session.session_key)


def connect() -> None:
    for changed in (
        account.password_changed,
        account.password_set,
        mfa.authenticator_added,
        mfa.authenticator_removed,
        mfa.authenticator_reset,
    ):
        changed.connect(end_others)
    account.password_reset.connect(end_all)
    account.authentication_step_completed.connect(renew_session)
