"""The layout that all pages share, and the error pages."""

import re
from collections.abc import Callable

import pytest
from django.contrib.staticfiles import finders
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views import defaults
from pytest_django.fixtures import Settings

from tests.factories import make_user


def html_tag(page: str) -> str:
    match = re.search(r"<html[^>]*>", page)
    assert match
    return match[0]


@pytest.mark.django_db
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_chosen_theme_is_rendered_by_the_server(client: Client, theme: str) -> None:
    client.cookies["theme"] = theme

    assert html_tag(client.get("/").text) == f'<html lang="en" data-theme="{theme}">'


@pytest.mark.django_db
@pytest.mark.parametrize("cookie", ["", "acid", 'x"onload="alert(1)'])
def test_unknown_theme_falls_back_to_the_system(client: Client, cookie: str) -> None:
    client.cookies["theme"] = cookie

    assert html_tag(client.get("/").text) == '<html lang="en">'


@pytest.mark.django_db
def test_turbo_tracks_the_user_and_the_assets(client: Client) -> None:
    user = make_user()
    tracked = r'<meta name="current-user-id" content="([^"]*)" data-turbo-track="reload">'
    (before,) = re.findall(tracked, client.get("/").content.decode())
    client.force_login(user)
    page = client.get("/").content.decode()

    assert (before, re.findall(tracked, page)) == ("", [str(user.pk)])
    assert re.search(r'<link rel="stylesheet"[^>]* data-turbo-track="reload">', page)
    (script,) = re.findall(r"<script[^>]*application\.ts[^>]*>", page)
    assert 'data-turbo-track="reload"' in script


@pytest.mark.django_db
def test_page_and_policy_have_the_same_nonce(client: Client) -> None:
    response = client.get(reverse("api:reference"))

    (nonce,) = re.findall(r'name="csp-nonce" property="csp-nonce" nonce="([^"]+)"', response.text)
    assert f"'nonce-{nonce}'" in response["Content-Security-Policy"]


@pytest.mark.django_db
def test_missing_page_has_its_own_page(client: Client) -> None:
    response = client.get("/nothing/here/")

    assert response.status_code == 404
    assert "This page doesn\u2019t exist" in response.text
    assert 'id="main"' in response.text


@pytest.mark.django_db
def test_csrf_failure_has_its_own_page() -> None:
    response = Client(enforce_csrf_checks=True).post("/accounts/login/")

    assert response.status_code == 403
    assert "We couldn\u2019t verify this form" in response.text
    assert 'id="main"' in response.text


def test_forbidden_page_has_its_own_page(rf: RequestFactory) -> None:
    response = defaults.permission_denied(rf.get("/"), PermissionDenied())

    assert response.status_code == 403
    assert "You don\u2019t have access to this page" in response.content.decode()


def test_rate_limit_has_its_own_page(rf: RequestFactory) -> None:
    assert "Too many attempts" in render_to_string("429.html", request=rf.get("/"))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (defaults.server_error, "Something went wrong"),
        (
            lambda request: defaults.bad_request(request, ValueError()),
            "couldn\u2019t process this request",
        ),
    ],
    ids=["500", "400"],
)
def test_error_page_needs_neither_database_nor_assets(
    answer: Callable[[HttpRequest], HttpResponse],
    text: str,
    rf: RequestFactory,
    settings: Settings,
) -> None:
    # Without `django_db`, queries raise; so would a lookup in a missing manifest.
    settings.DJANGO_VITE = {}

    page = answer(rf.get("/")).content.decode()

    assert text in page
    assets = re.findall(r'(?:href|src)="/static/([^"]+)"', page)
    assert assets
    assert all(finders.find(asset) for asset in assets)


def test_favicon_exists() -> None:
    assert finders.find("core/favicon.svg")
