"""Browsers keep no private page, and forget what was typed when its author signs out."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from apps.users.models import DataExport, User
from tests.apps.users.conftest import PASSWORD, reauthenticate
from tests.factories import make_article, make_member

pytestmark = pytest.mark.django_db
SIGN_OUT = '"storage"'


def routes(patterns: list[Any], prefix: str = "/") -> Iterator[str]:
    for pattern in patterns:
        if not isinstance(pattern.pattern, RoutePattern):
            continue
        route = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route


# tests/dovetail/api/test_headers.py tests those of the API.
ROUTES = [
    route
    for route in routes(get_resolver().url_patterns)
    if not route.startswith(("/dev/", "/api/"))
]


@pytest.fixture
def member() -> User:
    return make_member("ada@example.org", password=PASSWORD)


@pytest.fixture
def member_client(client: Client, member: User) -> Client:
    client.force_login(member)
    reauthenticate(client)
    return client


def is_stored(response: Any) -> bool:
    return "no-store" not in response.get("Cache-Control", "")


@pytest.mark.usefixtures("allow_session_queries")
def test_pages_that_ask_for_a_sign_in_are_not_stored(member_client: Client, member: User) -> None:
    """Every page, those of later apps, too."""
    article = make_article(member)
    export = DataExport.objects.create(user=member, content={})
    private, public = set(), set()
    for route in ROUTES:
        pk = export.pk if "export" in route else member.pk
        url = re.sub(r"<uuid:\w+>", str(pk), route)
        url = re.sub(r"<(int:)?pk>", "1", re.sub(r"<(str:)?\w+>", article.slug, url))
        visit = Client().get(url)
        if visit.status_code == HTTPStatus.METHOD_NOT_ALLOWED or "logout" in url:
            continue
        if visit.get("Location", "").startswith("/accounts/login/"):
            private.add(url)
            assert not is_stored(member_client.get(url)), url
        elif visit.status_code == HTTPStatus.OK and not url.startswith("/accounts/"):
            public.add(url)
            assert is_stored(visit), url
            assert is_stored(member_client.get(url)), url

    assert {"/people/me/edit/", "/people/me/deletion/", "/people/me/notifications/"} <= private
    assert {"/accounts/2fa/recovery-codes/", "/accounts/sessions/", "/articles/mine/"} <= private
    assert f"/people/me/data/exports/{export.pk}/" in private
    assert {"/", "/articles/", f"/articles/{article.slug}/", f"/people/{member.pk}/"} <= public


def test_admin_is_not_stored(client: Client) -> None:
    client.force_login(make_member(is_staff=True, is_superuser=True))

    for url in ("/admin/", "/admin/users/user/", "/admin/password_change/"):
        assert not is_stored(client.get(url)), url


def test_draft_is_not_stored(member_client: Client, member: User) -> None:
    draft = make_article(member, published=False)

    assert not is_stored(member_client.get(draft.get_absolute_url()))
    draft.publish()
    assert is_stored(member_client.get(draft.get_absolute_url()))


def test_sign_out_clears_what_was_typed_but_no_cookie(member_client: Client) -> None:
    member_client.cookies["theme"] = "dark"

    response = member_client.post("/accounts/logout/")

    assert response["Clear-Site-Data"] == SIGN_OUT
    assert member_client.cookies["theme"].value == "dark"


def test_deletion_of_an_account_clears_what_was_typed(member_client: Client) -> None:
    assert member_client.post("/people/me/deletion/")["Clear-Site-Data"] == SIGN_OUT


def test_nothing_else_clears_what_was_typed(member_client: Client, member: User) -> None:
    """What was typed when a session ends by itself comes back after the sign-in."""
    answers: list[Any] = [member_client.get("/"), Client().post("/accounts/logout/")]
    member_client.session.flush()
    answers.append(member_client.get("/articles/new/"))
    data = {"login": member.email, "password": PASSWORD}
    answers.append(member_client.post("/accounts/login/", data))

    assert [answer.get("Clear-Site-Data") for answer in answers] == [None] * 4
