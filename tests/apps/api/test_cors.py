"""Scripts of other sites: which may use the API, and what they can read of its answers."""

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.users.models import User

pytestmark = pytest.mark.django_db

LIST = "/api/v1/articles/"
ORIGIN = "https://app.example"


@pytest.fixture
def shared(settings: Settings) -> Settings:
    """Share the API with one site, as `CORS_ALLOWED_ORIGINS` does in the environment."""
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    place = settings.MIDDLEWARE.index("dovetail.api.headers.ApiHeadersMiddleware")
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:place],
        "corsheaders.middleware.CorsMiddleware",
        *settings.MIDDLEWARE[place:],
    ]
    return settings


def names_in(header: str) -> set[str]:
    return {name.strip().lower() for name in header.split(",")}


def preflight(origin: str = ORIGIN, url: str = LIST) -> Any:
    return Client().options(
        url,
        headers={
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,idempotency-key",
        },
    )


def cors_headers(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-")}


@pytest.mark.usefixtures("shared")
def test_browser_is_told_what_a_script_may_send() -> None:
    answer = preflight()

    assert answer.status_code == HTTPStatus.OK
    assert answer["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in answer["Access-Control-Allow-Methods"]
    assert names_in(answer["Access-Control-Allow-Headers"]) >= {
        *("authorization", "content-type", "idempotency-key", "if-match", "if-none-match"),
    }
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("query", "status"),
    [("", HTTPStatus.OK), ("?none=1", HTTPStatus.BAD_REQUEST)],
    ids=["found", "error"],
)
@pytest.mark.usefixtures("shared")
def test_script_reads_answers_and_errors(query: str, status: HTTPStatus) -> None:
    answer = Client().get(LIST + query, headers={"origin": ORIGIN})

    assert answer.status_code == status
    assert answer["Access-Control-Allow-Origin"] == ORIGIN
    assert names_in(answer["Access-Control-Expose-Headers"]) >= {
        *("etag", "idempotency-replayed", "link", "location"),
        *("ratelimit", "ratelimit-policy", "retry-after"),
    }
    assert "origin" in names_in(answer["Vary"])


@pytest.mark.usefixtures("shared")
def test_script_reads_when_to_come_back(settings: Settings) -> None:
    settings.API_RATES = {"read": {"address": 0}}
    answer = Client().get(LIST, headers={"origin": ORIGIN})

    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert answer["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "https://app.example.evil.example", "http://app.example"),
        *("https://app.example:8443", "null", ""),
    ],
)
@pytest.mark.usefixtures("shared")
def test_other_sites_read_nothing(origin: str) -> None:
    assert cors_headers(preflight(origin)) == {}
    assert cors_headers(Client().get(LIST, headers={"origin": origin})) == {}


@pytest.mark.parametrize("url", ["/", "/articles/", "/accounts/login/", "/apiv1/"])
@pytest.mark.usefixtures("shared")
def test_pages_of_the_site_are_not_shared(url: str) -> None:
    assert cors_headers(preflight(url=url)) == {}
    assert cors_headers(Client().get(url, headers={"origin": ORIGIN})) == {}


def test_session_is_used_only_if_it_is_allowed(shared: Settings) -> None:
    shared.CORS_ALLOW_CREDENTIALS = True

    assert preflight()["Access-Control-Allow-Credentials"] == "true"
    assert cors_headers(preflight("https://evil.example")) == {}


@pytest.mark.usefixtures("shared")
def test_script_cannot_change_anything_with_the_session(author: User) -> None:
    """Kind: a request from another site that carries the cookies of a person."""
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(author)
    answer = client.post(LIST, {"title": "New", "body": "Text"}, headers={"origin": ORIGIN})

    assert answer.status_code == HTTPStatus.FORBIDDEN
