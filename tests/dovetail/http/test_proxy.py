"""The redirect loop behind a proxy that terminates TLS, which one setting decides."""

import logging
from typing import Any

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpResponse
from django.test import AsyncClient, Client
from pytest_django.fixtures import Settings

from dovetail.http.proxy import RedirectLoopMiddleware

TRUSTED = ("HTTP_X_FORWARDED_PROTO", "https")


@pytest.fixture(autouse=True)
def production(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SITE_URL = "https://site.example"
    settings.ALLOWED_HOSTS = ["site.example", "testserver"]
    settings.TRUSTED_PROXY_COUNT = 0


def get(client: Client, headers: dict[str, str], times: int = 1) -> Any:
    for _ in range(times):
        response = client.get("/articles/?q=oak", headers={"host": "site.example"} | headers)
    return response


@pytest.mark.parametrize(
    "header",
    [
        *("x-forwarded-proto", "x-forwarded-for", "x-forwarded-host", "forwarded"),
        *("x-real-ip", "via", "sec-fetch-site"),
    ],
)
def test_ignored_proxy_is_logged_once_with_the_remedy(
    client: Client, caplog: pytest.LogCaptureFixture, header: str
) -> None:
    """Kind: a default that cannot work behind a proxy, and says nothing."""
    with caplog.at_level(logging.WARNING):
        response = get(client, {header: "https"}, times=3)

    assert response.status_code == 301
    assert response["Location"] == "https://site.example/articles/?q=oak"
    [record] = caplog.records
    assert "Set TRUSTED_PROXY_COUNT to the number of proxies" in record.getMessage()
    assert "GET '/articles/'" in record.getMessage()


async def test_ignored_proxy_is_logged_under_asgi(
    async_client: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        response = await async_client.get("/", headers={"x-forwarded-proto": "https"})

    assert response.status_code == 301
    assert "Set TRUSTED_PROXY_COUNT" in caplog.text


@pytest.mark.parametrize(
    ("count", "headers", "remedy"),
    [
        (
            1,
            {"x-forwarded-for": "203.0.113.1"},
            "Configure the proxy to set X-Forwarded-Proto",
        ),
        # A CDN that terminates TLS, and behind it a proxy that knows only plain HTTP
        (
            2,
            {"x-forwarded-proto": "http", "sec-fetch-site": "none"},
            "keep the header of the proxy in front of it",
        ),
    ],
)
def test_trusted_proxy_that_does_not_tell_the_scheme_of_the_visitor_is_logged(
    client: Client,
    caplog: pytest.LogCaptureFixture,
    settings: Settings,
    *,
    count: int,
    headers: dict[str, str],
    remedy: str,
) -> None:
    settings.TRUSTED_PROXY_COUNT = count
    settings.SECURE_PROXY_SSL_HEADER = TRUSTED

    with caplog.at_level(logging.WARNING):
        get(client, headers, times=3)

    [record] = caplog.records
    assert remedy in record.getMessage()


@pytest.mark.django_db
@pytest.mark.parametrize(("count", "scheme"), [(1, "https"), (1, "http"), (0, "")])
def test_nothing_is_logged_where_nothing_is_wrong(
    client: Client,
    caplog: pytest.LogCaptureFixture,
    settings: Settings,
    count: int,
    scheme: str,
) -> None:
    settings.TRUSTED_PROXY_COUNT = count
    if count:
        settings.SECURE_PROXY_SSL_HEADER = TRUSTED

    with caplog.at_level(logging.WARNING):
        response = get(client, {"x-forwarded-proto": scheme} if scheme else {})

    assert response.status_code == (200 if scheme == "https" else 301)
    assert caplog.records == []


def test_request_cannot_write_lines_into_the_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"host": "site.example", "x-forwarded-proto": "https\nfake"}
    with caplog.at_level(logging.WARNING):
        client.get("/a%0AERROR%20forged" + "x" * 5000, headers=headers)

    [record] = caplog.records
    assert "\n" not in record.getMessage()
    assert len(record.getMessage()) < 1000


def test_middleware_is_left_out_without_the_redirect(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = False

    with pytest.raises(MiddlewareNotUsed):
        RedirectLoopMiddleware(lambda _request: HttpResponse())
