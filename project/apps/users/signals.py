"""Ends the sessions that started before a person's credentials changed, and resizes avatars."""

from importlib import import_module
from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.usersessions.internal.flows import sessions
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_delete
from django.http import HttpRequest

from apps.users import guesses
from apps.users.models import User
from apps.users.tasks import make_small_avatar
from dovetail.media.cleanup import files_changed


def end_other_sessions(request: HttpRequest, user: User, **_: Any) -> None:
    """End all of a person's sessions except the one that makes this request."""
    sessions.end_other_sessions(request, user)


def end_all_sessions(user: User, **_: Any) -> None:
    """End all of a person's sessions."""
    for session in UserSession.objects.filter(user=user):
        session.end()


def end_session(instance: UserSession, **_: Any) -> None:
    """End a session whose row was deleted, as in the admin; nothing would list it any more."""
    import_module(settings.SESSION_ENGINE).SessionStore().delete(instance.session_key)


def cycle_session_key(request: HttpRequest, **extra: Any) -> None:
    """Give the session a new key after its owner has reauthenticated."""
    if not extra.get("reauthenticated"):
        return
    before = request.session.session_key
    request.session.cycle_key()
    UserSession.objects.filter(session_key=before).update(session_key=request.session.session_key)


def resize_avatar(instance: User, *, fields: list[str], using: str, **_: Any) -> None:
    """Queue the small variant of a new avatar, or the removal of that of a cleared one."""
    if "avatar" in fields:
        pk = str(instance.pk)
        # Until the task has run, pages show the large variant.
        if instance.avatar_small:
            instance.avatar_small = ""
            User.objects.using(using).filter(pk=pk).update(avatar_small="")
        transaction.on_commit(lambda: make_small_avatar.delay(pk), using=using, robust=True)


def connect() -> None:
    """Connect the functions above."""
    files_changed.connect(resize_avatar, sender=User)
    post_delete.connect(end_session, sender=UserSession)
    for changed in (
        account.password_changed,
        account.password_set,
        mfa.authenticator_added,
        mfa.authenticator_removed,
        mfa.authenticator_reset,
    ):
        changed.connect(end_other_sessions)
    account.password_reset.connect(end_all_sessions)
    account.password_reset.connect(guesses.forget)
    account.authentication_step_completed.connect(cycle_session_key)
