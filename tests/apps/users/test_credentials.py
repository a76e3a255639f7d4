"""Passwords and addresses: how they are taken, changed and recovered."""

import re
from collections.abc import Callable
from http import HTTPStatus

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django.fixtures import Settings

from apps.users.models import User
from tests.apps.users.conftest import PASSWORD, add_totp, link_in, prove, recovery_codes

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Client]
NEW = "another-joint-of-wood-30"


def is_logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def set_anew(client: Client, mail: EmailMessage, password: str = NEW) -> HTTPStatus:
    form = client.get(link_in(mail), follow=True)
    response = client.post(
        form.request["PATH_INFO"], {"password1": password, "password2": password}
    )
    return HTTPStatus(response.status_code)


def test_there_is_no_account_that_nobody_made() -> None:
    assert not User.objects.exists()


@pytest.mark.parametrize("url", ["/accounts/login/", "/accounts/signup/"])
def test_a_password_is_hidden_and_managers_may_fill_it(client: Client, url: str) -> None:
    page = client.get(url).content.decode()

    fields = re.findall(r'<input [^>]*name="password\d?"[^>]*>', page)
    assert fields
    for field in fields:
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(current|new)-password"', field)
        assert "maxlength" not in field


def test_a_password_is_taken_as_it_is(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    password = "  Ünder the " + "joint " * 20 + " "
    client.post("/accounts/password/reset/", {"email": member.email})
    set_anew(client, mailoutbox[0], password)
    member.refresh_from_db()
    assert member.check_password(password)

    for other in (password.strip(), password.lower(), password[:72]):
        Client().post("/accounts/login/", {"login": member.email, "password": other})
        assert not member.check_password(other)
    client.post("/accounts/login/", {"login": member.email, "password": password})
    assert is_logged_in(client)


def test_a_new_password_needs_the_old_one(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)

    for old in ("", "wrong"):
        data = {"oldpassword": old, "password1": NEW, "password2": NEW}
        response = client.post("/accounts/password/change/", data)
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY

    member.refresh_from_db()
    assert member.check_password(PASSWORD)


def test_a_link_for_a_new_password_works_once(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    client.post("/accounts/password/reset/", {"email": member.email})
    assert set_anew(client, mailoutbox[0]) == HTTPStatus.SEE_OTHER

    set_anew(Client(), mailoutbox[0], "a-third-joint-of-wood-31")

    member.refresh_from_db()
    assert member.check_password(NEW)


def test_a_link_for_a_new_password_ends(
    client: Client, member: User, mailoutbox: list[EmailMessage], settings: Settings
) -> None:
    assert settings.PASSWORD_RESET_TIMEOUT == 3600
    client.post("/accounts/password/reset/", {"email": member.email})
    settings.PASSWORD_RESET_TIMEOUT = -1

    set_anew(client, mailoutbox[0])

    member.refresh_from_db()
    assert member.check_password(PASSWORD)


def test_a_new_password_does_not_pass_by_the_second_factor(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    add_totp(member)
    client.post("/accounts/password/reset/", {"email": member.email})
    set_anew(client, mailoutbox[0])
    assert not is_logged_in(client)

    client.post("/accounts/login/", {"login": member.email, "password": NEW})
    assert not is_logged_in(client)
    client.post("/accounts/2fa/authenticate/", {"code": recovery_codes(member)[0]})
    client.post("/accounts/2fa/trust/", {"action": "skip"})
    assert is_logged_in(client)


def test_another_address_needs_a_proof_and_a_confirmation(
    client: Client, member: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    log_in(member)
    mailoutbox.clear()
    data = {"action_add": "", "email": "eve@example.org"}

    response = client.post("/accounts/email/", data)
    assert response["Location"].startswith("/accounts/reauthenticate/")
    assert EmailAddress.objects.count() == 1
    prove(client)
    client.post("/accounts/email/", data)

    assert not EmailAddress.objects.get(email="eve@example.org").verified
    assert [message.to for message in mailoutbox] == [["eve@example.org"]]


def test_a_closed_account_has_no_session(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)
    User.objects.update(is_active=False)

    assert client.get("/people/me/edit/").status_code == HTTPStatus.FOUND


@pytest.mark.usefixtures("session_by_session")
def test_every_page_has_the_way_out(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)

    for url in ("/", "/people/me/edit/", "/accounts/sessions/", "/people/me/data/"):
        assert 'action="/accounts/logout/"' in client.get(url).content.decode()
