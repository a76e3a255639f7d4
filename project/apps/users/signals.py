"""Starts and ends sessions when people sign in or change credentials."""

from typing import Any

from allauth.account import signals as account
from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.account.models import EmailAddress
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions import signals as usersessions
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import user_logged_in, user_logged_out
from django.db import transaction
from django.db.models.signals import post_delete
from django.http import HttpRequest

from apps.users import access_tokens, guesses, sessions
from apps.users.enrolment import require_code_too
from apps.users.models import User
from apps.users.sso import rights
from dovetail.cable.broadcasting import disconnect


def start_session(request: HttpRequest, user: User, **_: Any) -> None:
    """List a session that has just been signed in."""
    sessions.start(request, user)


def mark_signed_out(request: HttpRequest | None, user: User | None, **_: Any) -> None:
    """Have the response clear what the person left in the browser."""
    if request is not None and user is not None:
        request.has_signed_out = True  # type: ignore[attr-defined]


def end_other_sessions(request: HttpRequest, user: User, **_: Any) -> None:
    """End all of a person's sessions except the one that makes this request."""
    sessions.end_sessions(user, except_for=request.session)


def end_all_sessions(user: User, **_: Any) -> None:
    """End all of a person's sessions, and what their programs have access with."""
    with transaction.atomic():
        sessions.end_sessions(user)
        access_tokens.revoke_all(user)


def revoke_access_tokens(user: User, **_: Any) -> None:
    """Revoke a person's access tokens when their password changes.

    Whoever knew the old one may have made some. A changed factor leaves them alone: it is no sign
    of a break-in, and no token gives rights that need a factor to someone without one.
    """
    access_tokens.revoke_all(user)


def end_session(instance: UserSession, **_: Any) -> None:
    """End a session whose row was deleted, as in the admin; nothing would list it any more."""
    sessions.SessionStore().delete(instance.session_key)


def revoke_mapped_rights(instance: SocialAccount, **_: Any) -> None:
    """Take from a person what a provider's groups gave them, when its account is disconnected."""
    user = User.objects.filter(pk=instance.user_id).first()
    same = SocialAccount.objects.filter(user=instance.user_id, provider=instance.provider)
    if user is not None and not same.exists():
        rights.revoke(user, [instance.provider])


def accept_proof(request: HttpRequest, user: User, method: str, **extra: Any) -> None:
    """Give the session a new key after its owner has reauthenticated, by a factor if they have one.

    allauth's pages refuse the others beforehand, except for a mailed code that was requested before
    the factor was added.
    """
    if not extra.get("reauthenticated"):
        return
    if method == "mfa" or not user.is_mfa_enabled:
        request.session.cycle_key()
    else:
        get_authentication_records(request, user)[-1]["reauthenticated"] = False


def tell_of_new_address(request: HttpRequest, email_address: EmailAddress, **_: Any) -> None:
    """Tell a person at their primary address that another one can now reset their password."""
    user = email_address.user
    if email_address.email != user.email:
        get_adapter(request).send_notification_mail(
            "account/email/email_confirm",
            user,
            {"new_address": email_address.email},
            email=user.email,
        )


def close_sockets(instance: Authenticator, **_: Any) -> None:
    """Close sockets that may follow a stream only because their owner had a second factor."""
    if settings.MFA_REQUIRED_FOR_STAFF:
        disconnect([User(pk=instance.user_id)])


def connect() -> None:
    """Connect the functions above."""
    post_delete.connect(end_session, sender=UserSession)
    user_logged_in.connect(start_session)
    user_logged_out.connect(mark_signed_out)
    # `apps.users.sessions` does this, and without deleting rows whose key is about to change.
    account.user_logged_in.disconnect(usersessions.on_user_logged_in)
    for changed in (account.password_changed, account.password_set):
        changed.disconnect(usersessions.on_password_changed)
    post_delete.connect(revoke_mapped_rights, sender=SocialAccount)
    for changed in (
        account.password_changed,
        account.password_set,
        mfa.authenticator_added,
        mfa.authenticator_removed,
        mfa.authenticator_reset,
    ):
        changed.connect(end_other_sessions)
    # After the sessions, so that none of them can create another one.
    account.password_changed.connect(revoke_access_tokens)
    account.password_set.connect(revoke_access_tokens)
    account.password_reset.connect(end_all_sessions)
    account.password_reset.connect(guesses.forget)
    account.email_confirmed.connect(tell_of_new_address)
    account.authentication_step_completed.connect(accept_proof)
    account.authentication_step_completed.connect(require_code_too)
    post_delete.connect(close_sockets, sender=Authenticator)
