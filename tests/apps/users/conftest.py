import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from cryptography.hazmat.primitives.asymmetric import ec
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.mail import EmailMessage
from django.test import Client
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
)
from zeal import zeal_ignore

from apps.users.models import User
from tests.factories import make_user

PASSWORD = "a-joint-of-wood-29"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PERIOD = 30  # seconds


@pytest.fixture
def member() -> User:
    """Return a user who has signed up and confirmed their email address."""
    user = make_user("ada@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the passwords hashed so far; hashing dominates the response time."""
    passwords: list[str] = []
    encode = MD5PasswordHasher.encode

    def count(self: MD5PasswordHasher, password: str, salt: str) -> str:
        passwords.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count)
    return passwords


@pytest.fixture
def allow_session_queries() -> Iterator[None]:
    """Allow allauth's query for each of a person's sessions. There are few."""
    allowed = [
        {"model": "sessions.Session", "field": "*"},
        {"model": "users.User", "field": "get()"},
    ]
    with zeal_ignore(allowed):
        yield


@pytest.fixture
def log_in(client: Client) -> Callable[..., Client]:
    """Return a function that logs a person in with their password, in this or another browser."""

    def log_in(user: User, *, browser: Client | None = None) -> Client:
        browser = browser or client
        browser.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
        return browser

    return log_in


def reauthenticate(client: Client) -> None:
    """Prove who one is, as sensitive pages require: by a recovery code, or by the password."""
    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    if "/2fa/" in answer.get("Location", ""):
        code = recovery_codes(User.objects.get(pk=client.session["_auth_user_id"]))[0]
        client.post("/accounts/2fa/reauthenticate/", {"code": code})


def totp_code(offset: int = 0, *, secret: str = SECRET, good_for: float = 5) -> str:
    """Return the code that an authenticator app shows.

    Args:
        offset: number of periods from the current one.
        secret: the app's secret.
        good_for: seconds for which the current period must still last; otherwise wait for the next.
    """
    left = PERIOD - time.time() % PERIOD
    if left < good_for:
        time.sleep(left)
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // PERIOD + offset)))


def add_totp(user: User) -> Authenticator:
    RecoveryCodes.activate(user)
    authenticator: Authenticator = TOTP.activate(user, SECRET).instance
    return authenticator


def recovery_codes(user: User) -> list[str]:
    authenticator = Authenticator.objects.get(user=user, type="recovery_codes")
    codes: list[str] = authenticator.wrap().get_unused_codes()
    return codes


def link_in(message: EmailMessage) -> str:
    """Return the path of the link to an account page in an email."""
    match = re.search(r"https?://[^/\s]+(/accounts/\S+)", str(message.body))
    assert match
    return match[1]


def code_in(message: EmailMessage) -> str:
    """Return the code in an email."""
    match = re.search(r"\b[B-Z]{4}-[B-Z]{4}\b", str(message.body))
    assert match
    return match[0]


def sign_up(client: Client, email: str, password: str = PASSWORD, **data: str) -> Any:
    """Ask for an account; the code is mailed to the address."""
    fields = {"email": email, "password1": password, "password2": password, **data}
    return client.post("/accounts/signup/", fields)


def confirm(client: Client, message: EmailMessage) -> Any:
    """Enter the mailed code of a sign-up."""
    return client.post("/accounts/signup/confirm/", {"code": code_in(message)})


def passkey() -> dict[str, Any]:
    """Return the response of a browser that registers a passkey."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    key = ES256.from_cryptography_key(public)  # type: ignore[no-untyped-call]
    credential = AttestedCredentialData.create(Aaguid(bytes(16)), b"id", key)
    flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV | AuthenticatorData.FLAG.AT
    data = AuthenticatorData.create(hashlib.sha256(b"localhost").digest(), flags, 0, credential)
    made = {"type": "webauthn.create", "challenge": "AA", "origin": "http://localhost"}
    return {
        "id": websafe_encode(b"id"),
        "rawId": websafe_encode(b"id"),
        "type": "public-key",
        "response": {
            "clientDataJSON": websafe_encode(json.dumps(made).encode()),
            "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
        },
        "clientExtensionResults": {"credProps": {"rk": True}},
    }
