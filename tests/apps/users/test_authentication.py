"""Sign-up, login, logout and password reset."""

from http import HTTPStatus

import pytest
from django.core.mail import EmailMessage
from django.test import Client

from apps.users.models import User
from tests.apps.users.conftest import PASSWORD, confirm, link_in, sign_up

pytestmark = pytest.mark.django_db


def log_in(client: Client, password: str = PASSWORD) -> int:
    data = {"login": "Ada@example.org", "password": password}
    return client.post("/accounts/login/", data).status_code


def test_sign_up_verify_and_log_in(client: Client, mailoutbox: list[EmailMessage]) -> None:
    answer = sign_up(client, "new@example.org", next="/people/me/edit/")
    assert answer["Location"] == "/accounts/signup/confirm/"
    assert "_auth_user_id" not in client.session
    (message,) = mailoutbox
    assert message.to == ["new@example.org"]
    assert message.alternatives  # type: ignore[attr-defined]

    page = client.get("/accounts/signup/confirm/")
    assert "new@example.org" in page.content.decode()
    assert not User.objects.exists()
    assert confirm(client, message)["Location"] == "/people/me/edit/"

    assert client.session["_auth_user_id"] == str(User.objects.get().pk)


def test_log_in_and_out(client: Client, member: User) -> None:
    assert log_in(client) == HTTPStatus.SEE_OTHER
    assert client.session["_auth_user_id"] == str(member.pk)

    client.post("/accounts/logout/")
    assert "_auth_user_id" not in client.session


@pytest.mark.usefixtures("member")
def test_wrong_password_is_rejected_with_422(client: Client) -> None:
    assert log_in(client, "wrong") == HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.mark.usefixtures("member")
def test_right_password_is_rejected_after_too_many_failures(client: Client) -> None:
    for _ in range(6):
        log_in(client, "wrong")

    assert log_in(client) == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "_auth_user_id" not in client.session


def test_signup_requests_are_rate_limited(client: Client) -> None:
    answers = {sign_up(client, "bad", "x").status_code for _ in range(25)}

    assert HTTPStatus.TOO_MANY_REQUESTS in answers


@pytest.mark.parametrize("password", ["short", "password123", "1234567890123"])
def test_weak_password_is_rejected(client: Client, password: str) -> None:
    answer = sign_up(client, "new@example.org", password)

    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert client.get("/accounts/signup/confirm/")["Location"] == "/accounts/signup/"


@pytest.mark.usefixtures("member")
def test_signup_does_not_reveal_accounts(client: Client, mailoutbox: list[EmailMessage]) -> None:
    assert sign_up(client, "ADA@example.org")["Location"] == "/accounts/signup/confirm/"

    assert User.objects.count() == 1
    assert mailoutbox[0].to == ["ada@example.org"]


def test_password_reset_sets_a_new_password(
    client: Client, member: User, mailoutbox: list[EmailMessage]
) -> None:
    client.post("/accounts/password/reset/", {"email": "ADA@example.org"})
    form = client.get(link_in(mailoutbox[0]), follow=True)
    new = "another-joint-of-wood-30"
    client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})

    member.refresh_from_db()
    assert member.check_password(new)


def test_password_reset_does_not_reveal_accounts(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    response = client.post("/accounts/password/reset/", {"email": "nobody@example.org"})

    assert response.status_code == HTTPStatus.SEE_OTHER
    assert "nobody@example.org" in mailoutbox[0].to


@pytest.mark.usefixtures("member")
def test_login_does_not_redirect_to_another_site(client: Client) -> None:
    response = client.post(
        "/accounts/login/?next=https://evil.example/",
        {"login": "ada@example.org", "password": PASSWORD},
    )

    assert response["Location"] == "/"


def test_admin_login_redirects_to_the_regular_login(client: Client) -> None:
    response = client.get("/admin/login/?next=/admin/")

    assert response.status_code == HTTPStatus.FOUND
    assert response["Location"].startswith("/accounts/login/")
