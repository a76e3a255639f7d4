"""The file that tells researchers whom to contact: RFC 9116."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from config import service_urls
from dovetail.http.security_txt import security_txt, security_txt_urls


def test_file_is_absent_without_a_contact(client: Client) -> None:
    assert security_txt_urls() == []
    assert client.get("/.well-known/security.txt").status_code == HTTPStatus.NOT_FOUND


def test_file_names_the_contacts_in_order(settings: Settings) -> None:
    settings.SITE_URL = "https://site.example"
    settings.SECURITY_CONTACT = ["mailto:security@site.example", "https://site.example/report"]
    (url,) = security_txt_urls()
    response = security_txt(RequestFactory().get(f"/{url.pattern}"))

    assert isinstance(response, HttpResponse)
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    fields = [line.split(": ", 1) for line in response.content.decode().splitlines()]
    assert [value for name, value in fields if name == "Contact"] == settings.SECURITY_CONTACT
    values = dict(fields)
    assert values["Canonical"] == "https://site.example/.well-known/security.txt"
    left = datetime.fromisoformat(values["Expires"]) - datetime.now(UTC)
    assert timedelta(days=1) < left < timedelta(days=365)  # less than a year, RFC 9116, 2.5.5


def test_file_cannot_be_written_to(settings: Settings) -> None:
    settings.SECURITY_CONTACT = ["mailto:security@site.example"]

    assert security_txt(RequestFactory().post("/")).status_code == HTTPStatus.METHOD_NOT_ALLOWED


@pytest.mark.parametrize(
    "value",
    ["mailto:security@site.example", "tel:+1-201-555-0123", "https://site.example/report?a=b"],
)
def test_contacts_are_urls(value: str) -> None:
    assert service_urls.contact("SECURITY_CONTACT", value) == value


@pytest.mark.parametrize(
    "value",
    [
        *("security@site.example", "http://site.example/", "https://", "mailto:", "javascript:1"),
        *("mailto:a b", "mailto:a\nExpires: 1", "https://site.example/\nContact: x", "tel:"),
    ],
)
def test_other_contacts_are_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SECURITY_CONTACT"):
        service_urls.contact("SECURITY_CONTACT", value)
