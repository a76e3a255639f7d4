import re

import pytest
from django.http import HttpRequest
from django.test import AsyncClient, Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from dovetail.http.security import NONCE, build_policy, nonce

pytestmark = pytest.mark.django_db


def policy_of(header: str) -> dict[str, list[str]]:
    directives = (directive.split() for directive in header.split("; "))
    return {name: sources for name, *sources in directives}


def test_policy_forbids_inline_scripts(client: Client) -> None:
    policy = policy_of(client.get("/")["Content-Security-Policy"])

    assert policy["default-src"] == ["'none'"]
    assert "'self'" in policy["script-src"]
    assert not any(source.startswith("'nonce-") for source in policy["script-src"])
    assert not any("unsafe" in source for sources in policy.values() for source in sources)
    assert policy["frame-ancestors"] == ["'none'"]


def test_page_contains_the_nonce_of_its_header(client: Client) -> None:
    response = client.get(reverse("api:reference"))
    policy = policy_of(response["Content-Security-Policy"])
    header = next(source for source in policy["style-src"] if source.startswith("'nonce-"))

    assert f'nonce="{header[7:-1]}"' in response.content.decode()


def test_each_request_has_a_new_nonce(client: Client) -> None:
    reference = reverse("api:reference")
    first, second = (client.get(reference)["Content-Security-Policy"] for _ in range(2))

    assert first != second


def test_policy_is_the_same_for_pages_without_a_nonce(client: Client) -> None:
    first, second = (client.get("/")["Content-Security-Policy"] for _ in range(2))

    assert first == second
    assert "'nonce-" not in first


def test_policy_has_no_nonce_if_the_page_used_none() -> None:
    assert build_policy({"style-src": ["'self'", NONCE]}, HttpRequest()) == "style-src 'self'"


def test_nonce_used_outside_a_template_is_in_the_policy() -> None:
    request = HttpRequest()
    value = str(nonce(request))

    assert build_policy({"style-src": [NONCE]}, request) == f"style-src 'nonce-{value}'"
    assert re.fullmatch(r"[\w-]{22}", value)


def test_debug_pages_are_exempt(client: Client, settings: Settings) -> None:
    assert "Content-Security-Policy" in client.get("/nothing-here/")

    settings.DEBUG = True
    assert "Content-Security-Policy" not in client.get("/nothing-here/")
    assert "Content-Security-Policy" in client.get("/")


def test_violations_are_reported_if_a_service_collects_them(
    client: Client, settings: Settings
) -> None:
    assert "Reporting-Endpoints" not in client.get("/")

    url = "https://reports.example/csp?site=1"
    settings.REPORTING_ENDPOINTS = {"csp": url}
    settings.SECURE_CSP = settings.SECURE_CSP | {"report-to": ["csp"], "report-uri": [url]}
    response = client.get("/")

    assert response["Reporting-Endpoints"] == f'csp="{url}"'
    policy = policy_of(response["Content-Security-Policy"])
    assert (policy["report-to"], policy["report-uri"]) == (["csp"], [url])


def test_other_security_headers_are_set(client: Client) -> None:
    response = client.get("/")

    assert "camera=()" in response["Permissions-Policy"]
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"


@pytest.mark.django_db(transaction=True)
async def test_policy_is_set_under_asgi(async_client: AsyncClient) -> None:
    response = await async_client.get("/")

    assert "script-src" in response["Content-Security-Policy"]
