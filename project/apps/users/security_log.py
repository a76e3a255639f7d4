"""Records what happens to accounts, for their owners and for administrators.

    record(Kind.DATA_REQUESTED, user)

Sign-ins and changes of credentials are recorded here by allauth's and Django's signals; views
record the rest themselves.
"""

from typing import Any

from allauth.account import signals as account
from allauth.account.authentication import get_authentication_records
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.socialaccount import signals as social
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib.auth import signals as auth
from django.db import transaction
from django.http import HttpRequest

from apps.users import tasks
from apps.users.models import SecurityEvent, User
from apps.users.models.security_event import DETAIL, USER_AGENT
from dovetail.http.address import client_address

Kind = SecurityEvent.Kind
METHODS = {
    "password": "password",
    "password_reset": "password reset",
    "code": "mailed code",
    "email_verification": "confirmed address",
    "totp": "authenticator app",
    "recovery_codes": "recovery code",
    "webauthn": "passkey",
}


def record(kind: SecurityEvent.Kind, user: User, *, detail: str = "") -> None:
    """Record what happened to an account in the current request, or outside of one.

    Args:
        kind: what happened.
        user: whose account it is.
        detail: what the person needs to know besides, such as an address or the name of a factor;
            never a secret.
    """
    request = context.request
    person = getattr(request, "user", None)
    other = isinstance(person, User) and person.pk != user.pk
    SecurityEvent.objects.create(
        kind=kind,
        user=user,
        actor=person if other else None,
        detail=detail[:DETAIL],
        **origin(request),
    )


def origin(request: HttpRequest | None) -> dict[str, Any]:
    """Return from where a request came, as the fields of an event."""
    if request is None:
        return {"ip": None, "user_agent": ""}
    agent = request.META.get("HTTP_USER_AGENT", "").replace("\0", "")
    return {"ip": client_address(request) or None, "user_agent": agent[:USER_AGENT]}


def on_sign_in(request: HttpRequest, user: User, **_: Any) -> None:
    if not getattr(request, "user", user).is_authenticated:
        return  # refused: see `apps.users.sessions.start`
    methods = [_method(record) for record in get_authentication_records(request, user)]
    record(Kind.SIGNED_IN, user, detail=", ".join(dict.fromkeys(methods)))


def on_failed_sign_in(
    credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    # By a task, whether or not the account exists: the time of the answer must not tell.
    if email := credentials.get("email"):
        values = str(email)[:254], origin(request)
        transaction.on_commit(lambda: tasks.record_failed_sign_in.delay(*values), robust=True)


def on_sign_out(user: User | None, **_: Any) -> None:
    if user is not None:
        record(Kind.SIGNED_OUT, user)


def on_email_confirmed(email_address: EmailAddress, **_: Any) -> None:
    record(Kind.EMAIL_CONFIRMED, email_address.user, detail=email_address.email)


def on_email_changed(user: User, to_email_address: EmailAddress, **_: Any) -> None:
    record(Kind.EMAIL_CHANGED, user, detail=to_email_address.email)


def on_social_account_added(sociallogin: SocialLogin, **_: Any) -> None:
    record(Kind.ACCOUNT_CONNECTED, sociallogin.user, detail=sociallogin.account.provider)


def on_social_account_removed(socialaccount: SocialAccount, **_: Any) -> None:
    record(Kind.ACCOUNT_DISCONNECTED, socialaccount.user, detail=socialaccount.provider)


def _method(authentication: dict[str, Any]) -> str:
    """Return the name of an authentication that allauth has recorded in the session."""
    method = authentication.get("type") or authentication.get("method", "")
    return str(authentication.get("provider") or METHODS.get(method, method))


def _on_account(kind: SecurityEvent.Kind) -> Any:
    def handle(user: User, **_: Any) -> None:
        record(kind, user)

    return handle


def _on_email(kind: SecurityEvent.Kind) -> Any:
    def handle(user: User, email_address: EmailAddress, **_: Any) -> None:
        record(kind, user, detail=email_address.email)

    return handle


def _on_factor(kind: SecurityEvent.Kind) -> Any:
    def handle(user: User, authenticator: Authenticator, **_: Any) -> None:
        is_codes = authenticator.type == Authenticator.Type.RECOVERY_CODES
        if is_codes and kind == Kind.FACTOR_ADDED:
            record(Kind.CODES_CREATED, user)
        else:
            record(kind, user, detail=METHODS.get(authenticator.type, authenticator.type))

    return handle


def connect() -> None:
    """Connect the functions above."""
    auth.user_logged_in.connect(on_sign_in)
    auth.user_login_failed.connect(on_failed_sign_in)
    auth.user_logged_out.connect(on_sign_out)
    account.email_confirmed.connect(on_email_confirmed)
    account.email_changed.connect(on_email_changed)
    social.social_account_added.connect(on_social_account_added)
    social.social_account_removed.connect(on_social_account_removed)
    for signal, handler in [
        (account.user_signed_up, _on_account(Kind.SIGNED_UP)),
        (account.password_changed, _on_account(Kind.PASSWORD_CHANGED)),
        (account.password_set, _on_account(Kind.PASSWORD_CHANGED)),
        (account.password_reset, _on_account(Kind.PASSWORD_RESET)),
        (account.email_added, _on_email(Kind.EMAIL_ADDED)),
        (account.email_removed, _on_email(Kind.EMAIL_REMOVED)),
        (mfa.authenticator_added, _on_factor(Kind.FACTOR_ADDED)),
        (mfa.authenticator_removed, _on_factor(Kind.FACTOR_REMOVED)),
        (mfa.authenticator_reset, _on_account(Kind.CODES_CREATED)),
        (mfa.authentication_failed, _on_factor(Kind.FACTOR_FAILED)),
    ]:
        signal.connect(handler, weak=False, dispatch_uid="security_log")
