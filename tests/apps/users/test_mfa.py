"""Second factors: their codes, their keys, and what a change of them does to other sessions."""

import json
import re
from collections.abc import Callable
from http import HTTPStatus

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.mail import EmailMessage
from django.test import Client

from apps.users.models import User
from tests.apps.users.conftest import PERIOD, SECRET, add_totp, prove, recovery_codes, totp_code

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Client]


def is_logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def enter(client: Client, code: str) -> int:
    return client.post("/accounts/2fa/authenticate/", {"code": code}).status_code


def skip_trust(client: Client) -> None:
    client.post("/accounts/2fa/trust/", {"action": "skip"})


@pytest.fixture
def guarded(member: User) -> User:
    """Return a member with an authenticator app."""
    add_totp(member)
    return member


def test_a_password_alone_does_not_log_in(client: Client, guarded: User, log_in: LogIn) -> None:
    log_in(guarded)

    assert not is_logged_in(client)
    assert enter(client, totp_code()) == HTTPStatus.SEE_OTHER
    skip_trust(client)
    assert is_logged_in(client)


def test_a_code_works_once(client: Client, guarded: User, log_in: LogIn) -> None:
    code = totp_code()
    log_in(guarded)
    enter(client, code)
    skip_trust(client)

    other = log_in(guarded, browser=Client())

    assert enter(other, code) == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not is_logged_in(other)


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "1234567", "٣" * 6, "'; --", "\x00" * 6])
def test_a_malformed_code_is_refused(
    client: Client, guarded: User, log_in: LogIn, code: str
) -> None:
    log_in(guarded)

    assert enter(client, code) == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not is_logged_in(client)


@pytest.mark.parametrize("offset", [-2, 2, -40])
def test_a_code_of_another_time_is_refused(
    client: Client, guarded: User, log_in: LogIn, offset: int
) -> None:
    log_in(guarded)

    assert enter(client, totp_code(offset)) == HTTPStatus.UNPROCESSABLE_ENTITY


def test_guessing_of_codes_is_stopped_even_for_the_right_one(
    client: Client, guarded: User, log_in: LogIn
) -> None:
    log_in(guarded)
    for _ in range(5):
        enter(client, "000000")

    assert enter(client, totp_code()) == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not is_logged_in(client)


def test_a_recovery_code_works_once(client: Client, guarded: User, log_in: LogIn) -> None:
    code, *others = recovery_codes(guarded)
    assert re.fullmatch(r"\d{8}", code)
    log_in(guarded)
    assert enter(client, code) == HTTPStatus.SEE_OTHER
    skip_trust(client)
    assert is_logged_in(client)

    other = log_in(guarded, browser=Client())
    assert enter(other, code) == HTTPStatus.UNPROCESSABLE_ENTITY
    assert enter(other, others[0]) == HTTPStatus.SEE_OTHER


def test_a_trusted_browser_is_not_asked_again(client: Client, guarded: User, log_in: LogIn) -> None:
    log_in(guarded)
    enter(client, totp_code())
    client.post("/accounts/2fa/trust/", {"action": "trust"})
    client.post("/accounts/logout/")

    log_in(guarded)
    assert is_logged_in(client)


def test_trust_ends_with_the_password(client: Client, guarded: User, log_in: LogIn) -> None:
    test_a_trusted_browser_is_not_asked_again(client, guarded, log_in)
    guarded.set_password("a-joint-of-wood-29")
    guarded.save()
    client.post("/accounts/logout/")

    log_in(guarded)
    assert not is_logged_in(client)


@pytest.mark.django_db(transaction=True)
def test_an_app_is_added_by_its_code(
    client: Client, member: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    other = log_in(member, browser=Client())
    log_in(member)
    prove(client)
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    assert "data:image/svg+xml;base64," in page
    session = client.session
    session["mfa.totp.secret"] = SECRET
    session.save()
    mailoutbox.clear()

    refused = client.post("/accounts/2fa/totp/activate/", {"code": "000000"})
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    client.post("/accounts/2fa/totp/activate/", {"code": totp_code()})

    assert member.is_mfa_enabled
    # The codes are shown once, and once only.
    codes = client.get("/accounts/2fa/recovery-codes/").content.decode()
    assert all(code in codes for code in recovery_codes(member))
    again = client.get("/accounts/2fa/recovery-codes/").content.decode()
    assert not any(code in again for code in recovery_codes(member))
    # It is told, and sessions from before are over.
    assert [message.subject for message in mailoutbox] == ["Authenticator app added"]
    assert is_logged_in(client)
    assert not is_logged_in(other)


def test_the_codes_come_as_a_file_too(client: Client, guarded: User, log_in: LogIn) -> None:
    log_in(guarded)
    enter(client, totp_code())
    skip_trust(client)
    prove(client)

    page = client.get("/accounts/2fa/recovery-codes/").content.decode()

    (link,) = re.findall(r'href="(data:text/plain[^"]+)" download="recovery-codes\.txt"', page)
    assert all(code in link for code in recovery_codes(guarded))


@pytest.mark.django_db(transaction=True)
def test_new_recovery_codes_end_the_old_ones(
    client: Client, guarded: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    old = recovery_codes(guarded)
    log_in(guarded)
    enter(client, totp_code())
    skip_trust(client)
    prove(client)
    mailoutbox.clear()

    client.post("/accounts/2fa/recovery-codes/generate/")

    assert not set(old) & set(recovery_codes(guarded))
    assert [message.subject for message in mailoutbox] == ["New recovery codes made"]


def test_secrets_are_encrypted_in_the_database(guarded: User) -> None:
    data = str([authenticator.data for authenticator in Authenticator.objects.all()])

    assert SECRET not in data
    assert not any(code in data for code in recovery_codes(guarded))
    assert guarded.is_mfa_enabled


@pytest.mark.parametrize(
    "url",
    ["/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/add/"],
)
def test_factors_change_only_after_a_proof(
    client: Client, member: User, log_in: LogIn, url: str
) -> None:
    log_in(member)

    assert client.get(url)["Location"].startswith("/accounts/reauthenticate/?next=")
    prove(client)
    assert client.get(url).status_code == HTTPStatus.OK


def test_a_session_gets_a_new_key_by_a_proof(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)
    before = client.session.session_key

    prove(client)

    assert client.session.session_key != before
    assert is_logged_in(client)
    assert UserSession.objects.get().session_key == client.session.session_key


GARBAGE = [
    "",
    "null",
    "[]",
    "{}",
    "1",
    '"x"',
    "{",
    '{"id": 1}',
    '{"id":"AA","rawId":"AA","type":"public-key","response":{}}',
    '{"id":"AA","rawId":"AA","type":"public-key","response":{"userHandle":"AA"}}',
    '{"id":"AA","rawId":"AA","type":"public-key","response":{"userHandle":7}}',
    '{"id":"AA","rawId":"AA","type":"public-key","response":[]}',
    '{"response":{"userHandle":"ZZZZ","clientDataJSON":"AA","authenticatorData":"AA"}}',
    json.dumps(
        {
            "id": "AA",
            "rawId": "AA",
            "type": "public-key",
            "response": {
                "clientDataJSON": "e30",
                "authenticatorData": "AAAA",
                "signature": "AA",
                "attestationObject": "AA",
                "userHandle": "AA",
            },
        }
    ),
]


@pytest.mark.usefixtures("member")
@pytest.mark.parametrize("credential", GARBAGE)
def test_a_passkey_that_is_none_is_refused(client: Client, credential: str) -> None:
    client.get("/accounts/2fa/webauthn/login/", headers={"accept": "application/json"})

    response = client.post("/accounts/2fa/webauthn/login/", {"credential": credential})

    assert response.status_code in {HTTPStatus.SEE_OTHER, HTTPStatus.UNPROCESSABLE_ENTITY}
    assert not is_logged_in(client)


@pytest.mark.parametrize("credential", GARBAGE)
def test_a_key_that_is_none_is_not_added(
    client: Client, member: User, log_in: LogIn, credential: str
) -> None:
    log_in(member)
    prove(client)
    client.get("/accounts/2fa/webauthn/add/")

    response = client.post("/accounts/2fa/webauthn/add/", {"credential": credential})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not member.is_mfa_enabled


@pytest.mark.parametrize("credential", GARBAGE)
def test_a_key_that_is_none_is_no_second_factor(
    client: Client, guarded: User, log_in: LogIn, credential: str
) -> None:
    log_in(guarded)
    client.get("/accounts/2fa/authenticate/")

    response = client.post("/accounts/2fa/authenticate/", {"credential": credential})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not is_logged_in(client)


def test_a_code_is_valid_for_one_period_only() -> None:
    assert PERIOD == 30
    assert totp_code() != totp_code(1)
