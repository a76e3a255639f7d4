"""Sensitive pages ask everyone for proof, including people without a password or second factor."""

from http import HTTPStatus

import pytest
from django.conf import settings
from django.core.mail import EmailMessage
from django.test import Client

from apps.users.models import User
from tests.apps.users.conftest import PASSWORD, add_totp, code_in

pytestmark = pytest.mark.django_db
REQUEST = "/accounts/reauthenticate/code/"
CONFIRM = "/accounts/reauthenticate/code/confirm/"
SENSITIVE = [
    "/accounts/password/set/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/add/",
    "/people/me/deletion/",
]


@pytest.fixture
def by_sso(client: Client, member: User) -> User:
    """Sign in a person who uses single sign-on only."""
    member.set_unusable_password()
    member.save()
    client.force_login(member)
    return member


def test_people_without_a_password_prove_themselves_by_mailed_code(
    client: Client, by_sso: User, mailoutbox: list[EmailMessage]
) -> None:
    """Kind: a sensitive page that opens for a session alone, as there is nothing to ask for."""
    del by_sso
    for url in SENSITIVE:
        response = client.get(url)
        assert response.status_code == HTTPStatus.FOUND, url
        assert response["Location"].startswith(REQUEST), url

    client.post(f"{REQUEST}?next=/accounts/password/set/", {"recipient": "ada@example.org"})
    code = code_in(mailoutbox[-1])
    response = client.post(f"{CONFIRM}?next=/accounts/password/set/", {"code": code})

    assert response["Location"] == "/accounts/password/set/"
    assert mailoutbox[-1].to == ["ada@example.org"]
    for url in SENSITIVE:
        assert client.get(url).status_code == HTTPStatus.OK, url


def test_mailed_code_works_once_and_only_in_its_session(
    client: Client, by_sso: User, mailoutbox: list[EmailMessage]
) -> None:
    client.post(REQUEST, {"recipient": by_sso.email})
    code = code_in(mailoutbox[-1])
    other = Client()
    other.force_login(by_sso)

    assert other.post(CONFIRM, {"code": code})["Location"] == REQUEST
    assert client.post(CONFIRM, {"code": code})["Location"] == "/"
    assert client.post(CONFIRM, {"code": code})["Location"] == REQUEST


def test_mailed_code_ends_after_three_wrong_attempts(
    client: Client, by_sso: User, mailoutbox: list[EmailMessage]
) -> None:
    client.post(REQUEST, {"recipient": by_sso.email})

    codes = ["BBBB-BBBB"] * 3 + [code_in(mailoutbox[-1])]
    answers = [client.post(CONFIRM, {"code": code}) for code in codes]

    assert [answer.status_code for answer in answers[:2]] == [HTTPStatus.UNPROCESSABLE_ENTITY] * 2
    assert [answer["Location"] for answer in answers[2:]] == [REQUEST] * 2


def test_mailed_code_does_not_count_once_there_is_a_factor(
    client: Client, by_sso: User, mailoutbox: list[EmailMessage]
) -> None:
    """Kind: check, then use. The way was chosen when there was no better one."""
    client.post(REQUEST, {"recipient": by_sso.email})
    add_totp(by_sso)

    client.post(CONFIRM, {"code": code_in(mailoutbox[-1])})

    response = client.get("/people/me/deletion/")
    assert response["Location"].startswith("/accounts/2fa/reauthenticate/")


def test_mailed_code_expires_after_ten_minutes(
    client: Client, by_sso: User, mailoutbox: list[EmailMessage]
) -> None:
    assert settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT == 600
    client.post(REQUEST, {"recipient": by_sso.email})
    session = client.session
    session["account_email_reauthentication_code"]["at"] -= 601
    session.save()

    assert client.post(CONFIRM, {"code": code_in(mailoutbox[-1])})["Location"] == REQUEST


def test_mailed_codes_are_rate_limited(
    client: Client, by_sso: User, mailoutbox: list[EmailMessage]
) -> None:
    for _ in range(5):
        client.post(REQUEST, {"recipient": by_sso.email})

    assert len(mailoutbox) == 3


def test_mailed_code_goes_only_to_the_persons_confirmed_addresses(
    client: Client, by_sso: User, mailoutbox: list[EmailMessage]
) -> None:
    by_sso.emailaddress_set.create(email="unconfirmed@example.org")  # type: ignore[attr-defined]

    for recipient in ("unconfirmed@example.org", "stranger@example.org"):
        client.post(REQUEST, {"recipient": recipient})

    assert not mailoutbox


@pytest.mark.parametrize("proof", ["password", "second factor"])
def test_mailed_code_is_refused_where_there_is_a_stronger_proof(
    client: Client, member: User, mailoutbox: list[EmailMessage], proof: str
) -> None:
    """Kind: a weaker way beside a strong one. The open mailbox must not replace the password."""
    if proof == "password":
        client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    else:
        member.set_unusable_password()
        member.save()
        client.force_login(member)
        add_totp(member)
    mailoutbox.clear()

    response = client.post(REQUEST, {"recipient": member.email})

    assert response.status_code == HTTPStatus.SEE_OTHER
    assert "/code/" not in response["Location"]
    assert client.get(CONFIRM)["Location"] == REQUEST
    assert not mailoutbox
