"""Unstorable text in every place of a request to every URL: never a server error."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern
from pytest_django.fixtures import Settings

from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _allow_any_queries(settings: Settings) -> None:
    settings.ZEAL_RAISE = False  # a query too many is not what is looked for
    settings.ZEAL_ALLOWLIST = [{"model": "*"}]


UUID = "01890000-0000-7000-8000-000000000000"
VALUES = {"uuid": UUID, "int": "1", "slug": "a-slug", "path": "a/path"}
MORE = pytest.mark.long("visits every URL again, signed out")
HOSTILE = ["\0", "%ed%a0%80", "x" * 3000]
QUERIES = ["a%00b", "http://[", "%ed%a0%80"]
FIELDS = ["a\0b", "http://[", "x" * 5000]


def paths(
    patterns: list[Any] | None = None, prefix: str = "/"
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the route of every URL with a place for each parameter, and the parameters' types."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if not isinstance(pattern.pattern, RoutePattern):
            continue  # a regular expression; its views take the same values
        route, types = str(pattern.pattern), {}
        for name, converter in pattern.pattern.converters.items():
            kind = type(converter).__name__.removesuffix("Converter").lower()
            route = re.sub(f"<([a-z]+:)?{name}>", f"{{{name}}}", route)
            types[name] = kind
        if isinstance(pattern, URLResolver):
            for path, inner in paths(pattern.url_patterns, prefix + route):
                yield path, types | inner
        elif isinstance(pattern, URLPattern):
            yield prefix + route, types


def hostile_urls() -> Iterator[str]:
    """Yield each URL with hostile text in one of its free segments, the others being plain."""
    for path, types in paths():
        plain = {name: VALUES.get(kind, "text") for name, kind in types.items()}
        free = [name for name, kind in types.items() if kind in {"string", "path"}]
        for name in free:
            for text in HOSTILE:
                value = text if text.startswith("%") else quote(text)
                yield path.format(**plain | {name: value})


def all_urls() -> list[str]:
    urls = []
    for path, types in paths():
        urls.append(path.format(**{name: VALUES.get(kind, "text") for name, kind in types.items()}))
    return urls


def test_every_kind_of_url_is_found() -> None:
    urls = list(hostile_urls())

    assert "/articles/%00/" in urls
    assert "/articles/%00/edit/" in urls
    assert f"/articles/%00/comments/{UUID}/deletion/" in urls
    assert any(url.startswith("/admin/articles/article/%00/") for url in urls)


@pytest.mark.parametrize("signed_in", [pytest.param(False, marks=MORE), True])
def test_hostile_path_is_not_found(*, signed_in: bool, admin_client: Client) -> None:
    client = admin_client if signed_in else Client()
    client.raise_request_exception = False
    for url in hostile_urls():
        for method in (client.get, client.post):
            response = method(url)
            assert response.status_code < 500, url
            if "%00" in url:
                assert response.status_code == HTTPStatus.NOT_FOUND, url


def test_page_of_a_hostile_path_knows_the_user(client: Client) -> None:
    client.force_login(make_user(display_name="Ada Lovelace"))

    page = client.get("/articles/%00/").content.decode()

    assert "Ada Lovelace" in page


@pytest.fixture
def urls(pytestconfig: pytest.Config, value: str) -> list[str]:
    """Return the URLs that get this value: every one with --long, else each gets one of three."""
    if pytestconfig.getoption("--long"):
        return all_urls()
    values = QUERIES if value in QUERIES else FIELDS
    return all_urls()[values.index(value) :: len(values)]


@pytest.mark.parametrize("value", QUERIES)
def test_hostile_query_string_is_no_server_error(
    admin_client: Client, urls: list[str], value: str
) -> None:
    admin_client.raise_request_exception = False
    names = ["q", "page", "category", "author", "order", "before", "next", "p", "e", "deleted"]
    names += ["status__exact", "author__id__exact", "app_label", "model_name", "field_name", "term"]
    query = "&".join(f"{name}={value}" for name in names)
    for url in urls:
        response = admin_client.get(f"{url}?{query}")
        assert response.status_code < 500, url
    for url in ("/articles/", "/admin/articles/article/", "/admin/autocomplete/"):
        for name in names:
            response = admin_client.get(f"{url}?{name}={value}")
            assert response.status_code < 500, (url, name)


@pytest.mark.parametrize("value", FIELDS)
def test_hostile_form_fields_are_no_server_error(
    admin_client: Client, urls: list[str], value: str
) -> None:
    admin_client.raise_request_exception = False
    article = make_article()
    fields = ["title", "body", "summary", "category", "display_name", "biography", "email", "login"]
    fields += ["password", "next", "code", "action", "_selected_action", "credential", "slug"]
    own = [f"/articles/{article.slug}/edit/", f"/articles/{article.slug}/comments/"]
    for url in urls + own:
        if "logout" in url:
            continue
        response = admin_client.post(url, dict.fromkeys(fields, value))
        assert response.status_code < 500, url


@pytest.mark.parametrize("page", ["/", "/articles/", "/accounts/login/", "/people/me/edit/"])
def test_hostile_headers_and_cookies_are_no_server_error(page: str) -> None:
    """Cookies may be quoted, and then name NUL by its number."""
    client = Client(raise_request_exception=False)
    headers = {
        "user-agent": "a\0b", "referer": "a\0b", "accept-language": "a\0b", "turbo-frame": "a\0b",
        "x-turbo-request-id": "a\0b", "host": "testserver",
    }  # fmt: skip
    assert client.get(page, headers=headers).status_code < 500
    for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, "theme", "device"):
        response = client.get(page, headers={"cookie": f'{name}="a\\000b"'})
        assert response.status_code < 500, name


def test_hostile_user_agent_can_sign_in() -> None:
    client = Client(raise_request_exception=False)
    make_user("ada@example.org", password="a-joint-of-wood-29")
    fields = {"login": "ada@example.org", "password": "a-joint-of-wood-29"}

    response = client.post("/accounts/login/", fields, headers={"user-agent": "a\0b"})

    assert response.status_code < 500


@pytest.mark.parametrize("charset", ["base64", "zip", "rot13", "idna", "unicode_escape", "utf-16"])
@pytest.mark.parametrize("url", ["/accounts/login/", "/accounts/signup/", "/articles/new/"])
def test_form_in_another_encoding_is_refused(client: Client, url: str, charset: str) -> None:
    """Kind: text from outside that cannot be decoded, or not be encoded again."""
    client.raise_request_exception = False
    body = b'--x\r\nContent-Disposition: form-data; name="login"\r\n\r\n\\ud800\r\n--x--\r\n'

    response = client.generic(
        "POST", url, body, content_type=f"multipart/form-data; boundary=x; charset={charset}"
    )

    assert response.status_code == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", "unknown"])
def test_form_in_utf8_is_read(client: Client, charset: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="login"\r\n\r\nada\r\n--x--\r\n'

    response = client.generic(
        "POST",
        "/accounts/login/",
        body,
        content_type=f"multipart/form-data; boundary=x; charset={charset}",
    )

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
