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
    """Return somebody who has signed up and confirmed their address."""
    user = make_user("ada@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@pytest.fixture
def session_by_session() -> Iterator[None]:
    """Let allauth ask of each session of a person whether it is still one. There are few."""
    asked = [{"model": "sessions.Session", "field": "*"}, {"model": "users.User", "field": "get()"}]
    with zeal_ignore(asked):
        yield


@pytest.fixture
def log_in(client: Client) -> Callable[..., Client]:
    """Return what logs a person in with their password, in this browser or in another one."""

    def log_in(user: User, *, browser: Client | None = None) -> Client:
        browser = browser or client
        browser.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
        return browser

    return log_in


def prove(client: Client) -> None:
    """Enter the password again, as a sensitive page asks."""
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})


def totp_code(offset: int = 0, *, secret: str = SECRET, good_for: float = 5) -> str:
    """Return the code that an authenticator app shows.

    Args:
        offset: of the period, from now.
        secret: of the app.
        good_for: seconds that the period must still last; before its end, the next one is awaited.
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
    """Return the path of the link into the accounts that a mail has."""
    match = re.search(r"https?://[^/\s]+(/accounts/\S+)", str(message.body))
    assert match
    return match[1]


def passkey() -> dict[str, Any]:
    """Return a passkey as a browser registers it."""
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
