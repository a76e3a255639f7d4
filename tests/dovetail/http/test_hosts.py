"""One spelling per host: requests with another are refused, or redirected to it."""

import logging
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from dovetail.http.hosts import accepted, canonical

OTHER_SPELLINGS = [
    *("site.example:1", "site.example:80", "site.example:8000", "site.example:0443"),
    *("SITE.example", "Site.Example:443", "site.example.", "site.example.:443"),
]
OTHER_HOSTS = [
    *("", " ", "evil.example", "site.example.evil.example", "evilsite.example", "site.example.."),
    *("site.example:", "site.example:x", "site.example:-1", "site.example:+443"),
    *("ada@site.example", "ada:secret@site.example", "site.example@evil.example"),
    *("http://site.example", "site.example/", "site.example/x", "site.example#", "site.example?"),
    *("site.example,site.example", "site.example, evil.example", "site.example site.example"),
    *("site%2Eexample", "site\u3002example", "s\u0131te.example", "\u017fite.example"),
    *("site.exampl\u00e9", "site\uff0eexample", "\uff53ite.example", "site.example\u200b"),
    *("127.0.0.1", "[::1]", "[::1", "2130706433", "x" * 10_000),
]


@pytest.fixture(autouse=True)
def production(settings: Settings) -> None:
    settings.SITE_URL = "https://site.example"
    settings.ALLOWED_HOSTS = ["site.example"]
    settings.HOSTS_ON_ANY_PORT = []
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def ask(method: str, host: str, path: str = "/accounts/login/?next=/x", **headers: str) -> Any:
    sent = {"host": host, "x-forwarded-proto": "https"} | headers
    return Client().generic(method, path, headers=sent)


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["site.example", "site.example:443"])
def test_site_answers_to_its_own_host(host: str) -> None:
    """Some proxies pass on the default port; a redirect would then repeat forever."""
    assert ask("GET", host).status_code == HTTPStatus.OK
    login = ask("POST", host)
    assert login.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.mark.parametrize("host", OTHER_SPELLINGS)
def test_other_spelling_is_redirected_or_refused(host: str) -> None:
    for method in ("GET", "HEAD"):
        answer = ask(method, host)
        assert answer.status_code == HTTPStatus.FOUND
        assert answer["Location"] == "https://site.example/accounts/login/?next=/x"
        assert answer["Cache-Control"] == "no-store"
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
        assert ask(method, host).status_code == HTTPStatus.BAD_REQUEST, method


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_other_host_is_refused(host: str) -> None:
    for method in ("GET", "POST"):
        assert ask(method, host).status_code == HTTPStatus.BAD_REQUEST
    assert canonical(host) is None


@pytest.mark.parametrize("path", ["//evil.example/", "/%2F/evil.example", "/\\evil.example"])
def test_redirect_never_leads_to_another_site(path: str) -> None:
    location = ask("GET", "SITE.example", path)["Location"]

    assert location.startswith("https://site.example/")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
@pytest.mark.django_db(transaction=True)
def test_probes_answer_to_any_host(path: str) -> None:
    for host in ("10.1.2.3:8000", "SITE.example", "ada@evil.example", ""):
        assert ask("GET", host, path).status_code != HTTPStatus.BAD_REQUEST


@pytest.mark.django_db
def test_forwarded_host_is_ignored_unless_django_reads_it(settings: Settings) -> None:
    other = {"x-forwarded-host": "SITE.example"}
    assert ask("GET", "site.example", **other).status_code == HTTPStatus.OK

    settings.USE_X_FORWARDED_HOST = True
    assert ask("GET", "site.example", **other).status_code == HTTPStatus.FOUND
    assert ask("POST", "site.example", **other).status_code == HTTPStatus.BAD_REQUEST
    evil = {"x-forwarded-host": "evil.example"}
    assert ask("GET", "site.example", **evil).status_code == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("target", ["http://evil.example/", "https://site.example/", "*"])
def test_target_that_is_no_path_is_refused(target: str) -> None:
    sent = {"host": "site.example", "x-forwarded-proto": "https"}
    answer = Client().get("/", headers=sent, PATH_INFO=target)

    assert answer.status_code == HTTPStatus.BAD_REQUEST


def test_loop_with_a_proxy_is_logged_once_with_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    client = Client()
    headers = {"host": "site.example:8080", "x-forwarded-proto": "https"}
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            client.get("/", headers=headers)

    [record] = [entry for entry in caplog.records if entry.name == "dovetail.http.hosts"]
    assert "Configure the proxy to pass on the Host header" in record.getMessage()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("site.example", "site.example"),
        ("WWW.site.example", "www.site.example"),
        ("a.b.site.example:1", "a.b.site.example"),
        (".site.example", None),
        ("a..site.example", None),
        ("-.site.example", None),
        ("-a.site.example", None),
        ("a-.site.example", None),
        (f"{'a' * 64}.site.example", None),
        ("xn--bcher-kva.site.example", "xn--bcher-kva.site.example"),
        ("b\u00fccher.site.example", None),
        ("other.example", "other.example"),
        ("www.other.example", None),
        ("[::1]:9", "[::1]"),
        ("[0:0:0:0:0:0:0:1]", None),
    ],
)
def test_each_allowed_host_has_one_spelling(
    settings: Settings, host: str, expected: str | None
) -> None:
    settings.ALLOWED_HOSTS = [".site.example", "other.example", "[::1]"]

    assert canonical(host) == expected


def test_site_on_a_port_of_its_own(settings: Settings) -> None:
    settings.SITE_URL = "http://site.example:8080"

    assert accepted("site.example:8080") == "site.example:8080"
    for host in ("site.example", "site.example:80", "site.example:443", "site.example:08080"):
        assert accepted(host) is None
        assert canonical(host) == "site.example:8080"


@pytest.mark.parametrize(
    "host",
    ["localhost:8000", "localhost:9000", "127.0.0.1:8100", "[::1]:8000", "localhost", "127.0.0.1"],
)
def test_development_answers_on_any_port(settings: Settings, host: str) -> None:
    settings.SITE_URL = "http://localhost:8000"
    settings.ALLOWED_HOSTS = settings.HOSTS_ON_ANY_PORT = ["localhost", "127.0.0.1", "[::1]"]

    assert accepted(host) == host
    assert accepted(f"{host}.") is None
