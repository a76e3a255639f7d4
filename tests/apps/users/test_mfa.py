"""Second factors: codes, passkeys, and what changing them does to other sessions."""

import json
import re
from collections.abc import Callable
from http import HTTPStatus

import pytest
from allauth.account.internal.flows.reauthentication import (
    is_reauthentication_required,
    reauthenticate_by_password,
)
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.mail import EmailMessage
from django.test import Client, RequestFactory
from fido2.utils import websafe_encode

from apps.users.models import User
from tests.apps.users.conftest import (
    PASSWORD,
    PERIOD,
    SECRET,
    add_totp,
    passkey,
    reauthenticate,
    recovery_codes,
    totp_code,
)

pytestmark = pytest.mark.django_db

MORE = pytest.mark.long("sends another text that is no key")
LogIn = Callable[..., Client]


def is_logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def enter(client: Client, code: str) -> int:
    return client.post("/accounts/2fa/authenticate/", {"code": code}).status_code


def skip_trust(client: Client) -> None:
    client.post("/accounts/2fa/trust/", {"action": "skip"})


@pytest.fixture
def totp_member(member: User) -> User:
    """Return a member with an authenticator app."""
    add_totp(member)
    return member


def test_password_alone_does_not_log_in(client: Client, totp_member: User, log_in: LogIn) -> None:
    log_in(totp_member)

    assert not is_logged_in(client)
    assert enter(client, totp_code()) == HTTPStatus.SEE_OTHER
    skip_trust(client)
    assert is_logged_in(client)


def test_totp_code_works_once(client: Client, totp_member: User, log_in: LogIn) -> None:
    code = totp_code()
    log_in(totp_member)
    enter(client, code)
    skip_trust(client)

    other = log_in(totp_member, browser=Client())

    assert enter(other, code) == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not is_logged_in(other)


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "1234567", "٣" * 6, "'; --", "\x00" * 6])
def test_malformed_code_is_rejected(
    client: Client, totp_member: User, log_in: LogIn, code: str
) -> None:
    log_in(totp_member)

    assert enter(client, code) == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not is_logged_in(client)


@pytest.mark.parametrize("offset", [-1, 1, -40])
def test_expired_or_future_code_is_rejected(
    client: Client, totp_member: User, log_in: LogIn, offset: int
) -> None:
    log_in(totp_member)

    assert enter(client, totp_code(offset)) == HTTPStatus.UNPROCESSABLE_ENTITY


def test_right_code_is_rejected_after_too_many_failures(
    client: Client, totp_member: User, log_in: LogIn
) -> None:
    log_in(totp_member)
    for _ in range(5):
        enter(client, "000000")

    assert enter(client, totp_code()) == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not is_logged_in(client)


def test_recovery_code_works_once(client: Client, totp_member: User, log_in: LogIn) -> None:
    code, *others = recovery_codes(totp_member)
    assert re.fullmatch(r"\d{8}", code)
    log_in(totp_member)
    assert enter(client, code) == HTTPStatus.SEE_OTHER
    skip_trust(client)
    assert is_logged_in(client)

    other = log_in(totp_member, browser=Client())
    assert enter(other, code) == HTTPStatus.UNPROCESSABLE_ENTITY
    assert enter(other, others[0]) == HTTPStatus.SEE_OTHER


def test_trusted_browser_skips_the_second_factor(
    client: Client, totp_member: User, log_in: LogIn
) -> None:
    log_in(totp_member)
    enter(client, totp_code())
    client.post("/accounts/2fa/trust/", {"action": "trust"})
    client.post("/accounts/logout/")

    log_in(totp_member)
    assert is_logged_in(client)


def test_password_change_ends_browser_trust(
    client: Client, totp_member: User, log_in: LogIn
) -> None:
    test_trusted_browser_skips_the_second_factor(client, totp_member, log_in)
    totp_member.set_password("a-joint-of-wood-29")
    totp_member.save()
    client.post("/accounts/logout/")

    log_in(totp_member)
    assert not is_logged_in(client)


@pytest.mark.django_db(transaction=True)
def test_adding_an_app_requires_its_code_and_ends_other_sessions(
    client: Client, member: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    other = log_in(member, browser=Client())
    log_in(member)
    reauthenticate(client)
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    assert "data:image/svg+xml;base64," in page
    session = client.session
    session["mfa.totp.secret"] = SECRET
    session.save()
    mailoutbox.clear()

    rejected = client.post("/accounts/2fa/totp/activate/", {"code": "000000"})
    assert rejected.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    client.post("/accounts/2fa/totp/activate/", {"code": totp_code()})

    assert member.is_mfa_enabled
    # The codes are shown only once.
    codes = client.get("/accounts/2fa/recovery-codes/").content.decode()
    assert all(code in codes for code in recovery_codes(member))
    again = client.get("/accounts/2fa/recovery-codes/").content.decode()
    assert not any(code in again for code in recovery_codes(member))
    # An email reports the change, and earlier sessions have ended.
    assert [message.subject for message in mailoutbox] == ["Authenticator app added"]
    assert is_logged_in(client)
    assert not is_logged_in(other)


def test_recovery_codes_can_be_downloaded(client: Client, totp_member: User, log_in: LogIn) -> None:
    log_in(totp_member)
    enter(client, totp_code())
    skip_trust(client)
    reauthenticate(client)

    page = client.get("/accounts/2fa/recovery-codes/").content.decode()

    (link,) = re.findall(r'href="(data:text/plain[^"]+)" download="recovery-codes\.txt"', page)
    assert all(code in link for code in recovery_codes(totp_member))


@pytest.mark.django_db(transaction=True)
def test_new_recovery_codes_replace_the_old_ones(
    client: Client, totp_member: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    old = recovery_codes(totp_member)
    log_in(totp_member)
    enter(client, totp_code())
    skip_trust(client)
    reauthenticate(client)
    mailoutbox.clear()

    client.post("/accounts/2fa/recovery-codes/generate/")

    assert not set(old) & set(recovery_codes(totp_member))
    assert [message.subject for message in mailoutbox] == ["New recovery codes generated"]


def test_secrets_are_encrypted_in_the_database(totp_member: User) -> None:
    data = str([authenticator.data for authenticator in Authenticator.objects.all()])

    assert SECRET not in data
    assert not any(code in data for code in recovery_codes(totp_member))
    assert totp_member.is_mfa_enabled


@pytest.mark.parametrize(
    "url",
    ["/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/add/"],
)
def test_changing_factors_requires_reauthentication(
    client: Client, member: User, log_in: LogIn, url: str
) -> None:
    log_in(member)

    assert client.get(url)["Location"].startswith("/accounts/reauthenticate/?next=")
    reauthenticate(client)
    assert client.get(url).status_code == HTTPStatus.OK


PROTECTED_BY_FACTOR = [
    "/accounts/2fa/totp/deactivate/",
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/recovery-codes/generate/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/2fa/webauthn/keys/{key}/remove/",
    "/people/me/deletion/",
]


@pytest.mark.parametrize("url", PROTECTED_BY_FACTOR)
def test_password_does_not_replace_the_factor(
    client: Client, totp_member: User, log_in: LogIn, url: str
) -> None:
    """Kind: a weaker way beside a strong one, here to remove the strong one."""
    key = {"name": "Laptop", "credential": passkey()}
    added = Authenticator.objects.create(user=totp_member, type="webauthn", data=key)
    url = url.format(key=added.pk)
    log_in(totp_member)
    enter(client, totp_code())
    skip_trust(client)
    assert is_logged_in(client)

    for password_page in ("/accounts/reauthenticate/", f"/accounts/reauthenticate/?next={url}"):
        answer = client.post(password_page, {"password": PASSWORD})
        assert answer["Location"].startswith("/accounts/2fa/reauthenticate/")
    for answer in (client.get(url), client.post(url)):
        asks = answer.get("Location", "").startswith("/accounts/2fa/reauthenticate/")
        assert asks or answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert client.get(url)["Location"].startswith("/accounts/2fa/reauthenticate/")
    assert totp_member.authenticator_set.count() == 3  # type: ignore[attr-defined]

    client.post("/accounts/2fa/reauthenticate/", {"code": recovery_codes(totp_member)[0]})
    assert not client.get(url).get("Location", "").startswith("/accounts/2fa/reauthenticate/")


def test_proof_by_password_does_not_count_if_there_is_a_factor(
    client: Client, totp_member: User, rf: RequestFactory
) -> None:
    """Whatever code records it: allauth's page checks beforehand, other code may not."""
    client.force_login(totp_member)
    request = rf.get("/")
    request.user, request.session = totp_member, client.session

    reauthenticate_by_password(request)

    assert is_reauthentication_required(request, app="allauth.mfa")


def test_passkey_is_asked_for_before_a_recovery_code(client: Client, totp_member: User) -> None:
    Authenticator.objects.filter(type="totp").update(type="webauthn", data={})
    client.force_login(totp_member)

    answer = client.get("/people/me/deletion/")

    assert answer["Location"].startswith("/accounts/2fa/webauthn/reauthenticate/")


def test_recovery_codes_without_a_factor_do_not_lock_their_owner_out(
    client: Client, totp_member: User, log_in: LogIn
) -> None:
    Authenticator.objects.filter(type="totp").delete()
    log_in(totp_member)

    assert client.get("/people/me/deletion/")["Location"].startswith("/accounts/reauthenticate/")


def test_reauthentication_cycles_the_session_key(
    client: Client, member: User, log_in: LogIn
) -> None:
    log_in(member)
    before = client.session.session_key

    reauthenticate(client)

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
    '{"a": "\\ud800"}',
    *(
        json.dumps(
            {
                "id": "AA",
                "rawId": "AA",
                "type": "public-key",
                "response": {
                    "clientDataJSON": websafe_encode(
                        b'{"type":"webauthn.get","challenge":"AA","origin":"http://localhost"}'
                    ),
                    "authenticatorData": websafe_encode(bytes(32) + b"\x81" + bytes(4) + end),
                    "signature": "AA",
                    "userHandle": "AA",
                },
            }
        )
        for end in (b"", b"\0\0\0\x64", bytes(16) + b"\0\x64", b"\x81" * 5000)
    ),
]
# Both ways read the keys with the same code.
SOME_GARBAGE = [
    *GARBAGE[::4],
    *(pytest.param(text, marks=MORE) for at, text in enumerate(GARBAGE) if at % 4),
]


@pytest.mark.usefixtures("member")
@pytest.mark.parametrize("credential", GARBAGE)
def test_malformed_passkey_cannot_log_in(client: Client, credential: str) -> None:
    client.get("/accounts/2fa/webauthn/login/", headers={"accept": "application/json"})

    response = client.post("/accounts/2fa/webauthn/login/", {"credential": credential})

    assert response.status_code in {HTTPStatus.SEE_OTHER, HTTPStatus.UNPROCESSABLE_ENTITY}
    assert not is_logged_in(client)


@pytest.mark.parametrize("credential", SOME_GARBAGE)
def test_malformed_key_is_not_added(
    client: Client, member: User, log_in: LogIn, credential: str
) -> None:
    log_in(member)
    reauthenticate(client)
    client.get("/accounts/2fa/webauthn/add/")

    response = client.post("/accounts/2fa/webauthn/add/", {"credential": credential})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not member.is_mfa_enabled


@pytest.mark.parametrize("credential", SOME_GARBAGE)
def test_malformed_key_is_rejected_as_second_factor(
    client: Client, totp_member: User, log_in: LogIn, credential: str
) -> None:
    log_in(totp_member)
    client.get("/accounts/2fa/authenticate/")

    response = client.post("/accounts/2fa/authenticate/", {"credential": credential})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not is_logged_in(client)


def test_each_period_has_its_own_code() -> None:
    assert PERIOD == 30
    assert totp_code() != totp_code(1)
