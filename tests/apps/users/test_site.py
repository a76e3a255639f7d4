"""Access to the admin."""

import importlib
import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import clear_url_caches
from pytest_django.fixtures import Settings

from apps.users.models import User
from config import urls
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


@pytest.fixture
def _moved(settings: Settings) -> Iterator[None]:
    """Have the admin at another path, as with ADMIN_PATH."""
    settings.ADMIN_PATH = "back-office/"
    importlib.reload(urls)
    clear_url_caches()
    yield
    settings.ADMIN_PATH = "admin/"
    importlib.reload(urls)
    clear_url_caches()


@pytest.mark.usefixtures("_moved")
def test_admin_at_another_path_asks_for_a_factor_and_links_to_itself(
    client: Client, staff: User
) -> None:
    assert client.get("/admin/").status_code == HTTPStatus.NOT_FOUND
    sign_in = client.get("/back-office/auth/group/", follow=True)
    assert sign_in.request["PATH_INFO"] == "/accounts/login/"
    client.force_login(staff)
    setup = client.get("/back-office/auth/group/", follow=True)
    assert setup.request["PATH_INFO"] == "/accounts/2fa/"

    add_totp(staff)
    for page in ("", "auth/group/", "auth/group/add/", "articles/article/add/", "logout/"):
        answer = client.get(f"/back-office/{page}", follow=True)
        assert answer.status_code == HTTPStatus.OK, page
        text = answer.content.decode()
        assert not re.search(r'(href|action|data-\S+)="/admin/', text), page
        assert page == "logout/" or 'action="/back-office/logout/"' in text
    assert client.get("/back-office/").headers["Cache-Control"].count("no-store") == 1
