"""What every page has in common, and the pages for when something is wrong."""

import re
from collections.abc import Callable

import pytest
from django.contrib.staticfiles import finders
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.views import defaults
from pytest_django.fixtures import Settings

from tests.factories import make_user


def html_tag(page: str) -> str:
    match = re.search(r"<html[^>]*>", page)
    assert match
    return match[0]


@pytest.mark.django_db
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_server_renders_the_theme_that_was_chosen(client: Client, theme: str) -> None:
    client.cookies["theme"] = theme

    assert html_tag(client.get("/").text) == f'<html lang="en" data-theme="{theme}">'


@pytest.mark.django_db
@pytest.mark.parametrize("cookie", ["", "acid", 'x"onload="alert(1)'])
def test_without_a_choice_that_we_know_the_theme_is_the_systems(
    client: Client, cookie: str
) -> None:
    client.cookies["theme"] = cookie

    assert html_tag(client.get("/").text) == '<html lang="en">'


@pytest.mark.django_db
def test_turbo_reloads_the_page_when_the_person_or_an_asset_changes(client: Client) -> None:
    person = make_user()
    tracked = r'<meta name="current-user-id" content="([^"]*)" data-turbo-track="reload">'
    (before,) = re.findall(tracked, client.get("/").content.decode())
    client.force_login(person)
    page = client.get("/").content.decode()

    assert (before, re.findall(tracked, page)) == ("", [str(person.pk)])
    assert re.search(r'<link rel="stylesheet"[^>]* data-turbo-track="reload">', page)
    (script,) = re.findall(r"<script[^>]*application\.ts[^>]*>", page)
    assert 'data-turbo-track="reload"' in script


@pytest.mark.django_db
def test_a_page_carries_the_nonce_of_its_policy(client: Client) -> None:
    response = client.get("/")

    (nonce,) = re.findall(r'name="csp-nonce" property="csp-nonce" nonce="([^"]+)"', response.text)
    assert f"'nonce-{nonce}'" in response["Content-Security-Policy"]


@pytest.mark.django_db
def test_a_missing_page_says_so(client: Client) -> None:
    response = client.get("/nothing/here/")

    assert response.status_code == 404
    assert "This page does not exist" in response.text
    assert 'id="main"' in response.text


@pytest.mark.django_db
def test_a_form_without_its_token_says_so() -> None:
    response = Client(enforce_csrf_checks=True).post("/accounts/login/")

    assert response.status_code == 403
    assert "This form could not be checked" in response.text
    assert 'id="main"' in response.text


def test_a_forbidden_page_says_so(rf: RequestFactory) -> None:
    response = defaults.permission_denied(rf.get("/"), PermissionDenied())

    assert response.status_code == 403
    assert "You may not see this page" in response.content.decode()


def test_too_many_attempts_are_explained(rf: RequestFactory) -> None:
    assert "Too many attempts" in render_to_string("429.html", request=rf.get("/"))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (defaults.server_error, "Something went wrong"),
        (lambda request: defaults.bad_request(request, ValueError()), "cannot be answered"),
    ],
    ids=["500", "400"],
)
def test_a_failure_needs_neither_database_nor_assets_to_be_told(
    answer: Callable[[HttpRequest], HttpResponse],
    text: str,
    rf: RequestFactory,
    settings: Settings,
) -> None:
    # This test has no database, and a manifest of assets that does not exist would raise.
    settings.DJANGO_VITE = {}

    page = answer(rf.get("/")).content.decode()

    assert text in page
    assets = re.findall(r'(?:href|src)="/static/([^"]+)"', page)
    assert assets
    assert all(finders.find(asset) for asset in assets)


def test_the_icon_is_there() -> None:
    assert finders.find("core/favicon.svg")
