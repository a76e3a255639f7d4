"""Access to the admin."""

from http import HTTPStatus

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from apps.users.models import User
from config.settings.parts import auth
from tests.apps.users.conftest import add_totp
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(settings: Settings) -> User:
    settings.MFA_REQUIRED_FOR_STAFF = True
    return make_user(is_staff=True, is_superuser=True)


@pytest.mark.parametrize("url", ["/admin/", "/admin/users/user/", "/admin/users/user/add/"])
def test_staff_without_a_second_factor_are_sent_to_set_one_up(
    client: Client, staff: User, url: str
) -> None:
    client.force_login(staff)

    response = client.get(url, follow=True)

    assert response.request["PATH_INFO"] == "/accounts/2fa/"
    assert "Set up two-factor authentication" in response.content.decode()


def test_staff_without_a_second_factor_cannot_change_data(client: Client, staff: User) -> None:
    client.force_login(staff)

    client.post("/admin/auth/group/add/", {"name": "Editors"})

    add_totp(staff)
    assert "Editors" not in client.get("/admin/auth/group/").content.decode()


def test_staff_with_a_second_factor_can_use_the_admin(client: Client, staff: User) -> None:
    add_totp(staff)
    client.force_login(staff)

    assert client.get("/admin/").status_code == HTTPStatus.OK


def test_recovery_codes_alone_do_not_count_as_second_factor(client: Client, staff: User) -> None:
    add_totp(staff).delete()
    client.force_login(staff)

    assert client.get("/admin/").status_code == HTTPStatus.FOUND


@pytest.mark.usefixtures("staff")
def test_members_are_forbidden(client: Client) -> None:
    client.force_login(make_user())

    assert client.get("/admin/", follow=True).status_code == HTTPStatus.FORBIDDEN


@pytest.mark.usefixtures("staff")
def test_visitors_are_sent_to_the_login(client: Client) -> None:
    response = client.get("/admin/users/user/", follow=True)

    assert response.request["PATH_INFO"] == "/accounts/login/"
    assert "next=" in response.request["QUERY_STRING"]


def test_second_factor_is_optional_in_development() -> None:
    assert auth.MFA_REQUIRED_FOR_STAFF is False
