"""Passwords and email addresses: validation, changes and recovery."""

import re
from collections.abc import Callable
from http import HTTPStatus

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django.fixtures import Settings

from apps.users.models import User
from tests.apps.users.conftest import (
    PASSWORD,
    add_totp,
    code_in,
    link_in,
    reauthenticate,
    recovery_codes,
)

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Client]
NEW = "another-joint-of-wood-30"


def is_logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def reset_password(client: Client, mail: EmailMessage, password: str = NEW) -> HTTPStatus:
    form = client.get(link_in(mail), follow=True)
    response = client.post(
        form.request["PATH_INFO"], {"password1": password, "password2": password}
    )
    return HTTPStatus(response.status_code)


def test_there_are_no_default_accounts() -> None:
    assert not User.objects.exists()


@pytest.mark.parametrize("url", ["/accounts/login/", "/accounts/signup/"])
def test_password_fields_are_masked_and_allow_managers(client: Client, url: str) -> None:
    page = client.get(url).content.decode()

    fields = re.findall(r'<input [^>]*name="password\d?"[^>]*>', page)
    assert fields
    for field in fields:
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(current|new)-password"', field)
        assert "maxlength" not in field


def test_passwords_are_used_verbatim(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    password = "  Ünder the " + "joint " * 20 + " "
    client.post("/accounts/password/reset/", {"email": member.email})
    reset_password(client, mailoutbox[0], password)
    member.refresh_from_db()
    assert member.check_password(password)

    for other in (password.strip(), password.lower(), password[:72]):
        Client().post("/accounts/login/", {"login": member.email, "password": other})
        assert not member.check_password(other)
    client.post("/accounts/login/", {"login": member.email, "password": password})
    assert is_logged_in(client)


def test_password_change_requires_the_current_password(
    client: Client, member: User, log_in: LogIn
) -> None:
    log_in(member)

    for old in ("", "wrong"):
        data = {"oldpassword": old, "password1": NEW, "password2": NEW}
        response = client.post("/accounts/password/change/", data)
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY

    member.refresh_from_db()
    assert member.check_password(PASSWORD)


def test_password_reset_link_works_once(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    client.post("/accounts/password/reset/", {"email": member.email})
    assert reset_password(client, mailoutbox[0]) == HTTPStatus.SEE_OTHER

    reset_password(Client(), mailoutbox[0], "a-third-joint-of-wood-31")

    member.refresh_from_db()
    assert member.check_password(NEW)


def test_password_reset_link_expires(
    client: Client, member: User, mailoutbox: list[EmailMessage], settings: Settings
) -> None:
    assert settings.PASSWORD_RESET_TIMEOUT == 3600
    client.post("/accounts/password/reset/", {"email": member.email})
    settings.PASSWORD_RESET_TIMEOUT = -1

    reset_password(client, mailoutbox[0])

    member.refresh_from_db()
    assert member.check_password(PASSWORD)


def test_password_reset_does_not_bypass_the_second_factor(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    add_totp(member)
    client.post("/accounts/password/reset/", {"email": member.email})
    reset_password(client, mailoutbox[0])
    assert not is_logged_in(client)

    client.post("/accounts/login/", {"login": member.email, "password": NEW})
    assert not is_logged_in(client)
    client.post("/accounts/2fa/authenticate/", {"code": recovery_codes(member)[0]})
    client.post("/accounts/2fa/trust/", {"action": "skip"})
    assert is_logged_in(client)


def test_new_address_requires_reauthentication_and_confirmation(
    client: Client, member: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    log_in(member)
    mailoutbox.clear()
    data = {"action_add": "", "email": "eve@example.org"}

    response = client.post("/accounts/email/", data)
    assert response["Location"].startswith("/accounts/reauthenticate/")
    assert EmailAddress.objects.count() == 1
    reauthenticate(client)
    client.post("/accounts/email/", data)

    assert EmailAddress.objects.count() == 1
    (message,) = mailoutbox
    assert message.to == ["eve@example.org"]
    client.post("/accounts/confirm-email/", {"code": code_in(message)})
    assert EmailAddress.objects.get(email="eve@example.org").verified


def test_deactivated_account_loses_its_sessions(
    client: Client, member: User, log_in: LogIn
) -> None:
    log_in(member)
    User.objects.update(is_active=False)

    assert client.get("/people/me/edit/").status_code == HTTPStatus.FOUND


@pytest.mark.usefixtures("allow_session_queries")
def test_every_page_has_a_logout_form(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)

    for url in ("/", "/people/me/edit/", "/accounts/sessions/", "/people/me/data/"):
        assert 'action="/accounts/logout/"' in client.get(url).content.decode()
