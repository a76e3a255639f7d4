"""The headers of security, on whatever answers: `test_web_rules` asks for every URL."""

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django.fixtures import Settings

from config.urls import handler400, urlpatterns as own
from dovetail.http.csp_reports import OLD
from dovetail.http.refused import error_page
from dovetail.http.security import NO_PAGE
from tests.factories import make_article

pytestmark = pytest.mark.django_db
__all__ = ["handler400"]  # of these URLs, too

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


def missing_headers(answer: Any) -> list[str]:
    """Return the headers that an answer of the site lacks, or has in a weaker form.

    And what is wrong with the cookies that it sets.
    """
    found = [name for name, value in EVERYWHERE.items() if answer.headers.get(name) != value]
    policy = answer.headers.get("Content-Security-Policy", "")
    if not policy.startswith("default-src 'none'") or "unsafe-" in policy:
        found.append("Content-Security-Policy")
    if "frame-ancestors 'none'" not in policy:
        found.append("frame-ancestors")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        scripts = any(part.startswith("script-src 'self'") for part in policy.split("; "))
        found += ["script-src"] * (not scripts)
        denied = answer.headers.get("Permissions-Policy", "")
        found += [
            f"{name}=()" for name in ("camera", "usb", "payment") if f"{name}=()" not in denied
        ]
    for name, cookie in answer.cookies.items():
        found += [
            f"{name}: {fault}" for fault in cookie_faults(name, cookie, settings.CSRF_COOKIE_NAME)
        ]
    return found


def cookie_faults(name: str, cookie: Any, csrf: str) -> list[str]:
    """Return what is wrong with a cookie; only the token against CSRF is for scripts."""
    faults = ["path"] * (cookie["path"] != "/") + ["domain"] * bool(cookie["domain"])
    faults += ["samesite"] * (cookie["samesite"] not in {"Lax", "Strict"})
    return faults + ["httponly"] * (not cookie["httponly"] and bool(cookie.value) and name != csrf)


def failing(request: HttpRequest) -> HttpResponse:
    del request
    raise RuntimeError("on purpose")


urlpatterns = [
    path("failing/", failing),
    path("busy/", lambda _request: error_page(HTTPStatus.SERVICE_UNAVAILABLE)),
    *own,
]


@pytest.fixture(autouse=True)
def _production(settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.SECURE_HSTS_SECONDS = 3600


def asked(url: str, method: str = "GET", **options: Any) -> Callable[[Client], Any]:
    return lambda client: client.generic(method, url, **{"secure": True} | options)


def too_many(client: Client) -> Any:
    for _ in range(25):
        answer = client.post("/accounts/password/reset/", {"email": "a@b.example"}, secure=True)
    return answer


def too_large(client: Client) -> Any:
    body = "a" * 3_000_000
    return client.post("/accounts/login/", body, "application/x-www-form-urlencoded", secure=True)


ERRORS = {
    "other host": (400, asked("/", headers={"host": "evil.example"})),
    "absolute form": (400, asked("/", PATH_INFO="http://evil.example/")),
    "charset": (400, asked("/accounts/login/", "POST", data="x",
                           content_type="multipart/form-data; boundary=x; charset=utf-16")),
    "csrf": (403, asked("/accounts/login/", "POST")),
    "page": (404, asked("/nothing/")),
    "static file": (404, asked("/static/nothing.js")),
    "upload": (404, asked("/media/covers/nothing.webp")),
    "method": (405, asked("/csp-reports/")),
    "large": (413, too_large),
    "attempts": (429, too_many),
    "header": (431, asked("/", headers={"x-y": "x" * 20_000})),
    "failure": (500, asked("/failing/")),
    "busy": (503, asked("/busy/")),
    "slash": (301, asked("/articles")),
    "sign-in": (302, asked("/people/me/data/")),
    "spelling": (302, asked("/", headers={"host": "TESTSERVER"})),
    "api": (404, asked("/api/v1/nothing/")),
    "api, anonymous": (401, asked("/api/v1/users/me/")),
    "api, page": (200, asked("/api/v1/articles/")),
    "schema": (200, asked("/api/v1/schema/")),
    "probe": (200, asked("/livez")),
    "reports": (204, asked("/csp-reports/", "POST", data="{}", content_type=OLD)),
}  # fmt: skip


@pytest.mark.parametrize("what", ERRORS)
def test_other_answers_have_the_headers(what: str) -> None:
    status, ask = ERRORS[what]
    answer = ask(Client(raise_request_exception=False, enforce_csrf_checks=what == "csrf"))

    assert answer.status_code == status
    assert missing_headers(answer) == []


def test_plain_http_is_redirected_with_the_headers(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    answer = client.get("/")

    assert answer.status_code == 301
    assert missing_headers(answer) == []
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("url", ["/", "/nothing/", "/api/v1/articles/", "/articles"])
def test_https_is_remembered(client: Client, url: str) -> None:
    answer = client.get(url, secure=True)

    assert answer.headers["Strict-Transport-Security"] == "max-age=3600"


def test_upload_has_the_headers(client: Client, settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    article = make_article()
    article.publish()
    name = default_storage.save("covers/oak.html", ContentFile(b"<script>alert(1)</script>"))
    type(article).objects.filter(pk=article.pk).update(cover=name)

    answer = client.get(f"/media/{name}", secure=True)

    assert answer.status_code == 200
    assert {name for name in EVERYWHERE if name not in answer.headers} == set()
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    answer.close()


def test_static_file_has_the_headers(client: Client, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.js").write_text("1")
    settings.STATICFILES_DIRS = [tmp_path / "source"]
    settings.STATIC_ROOT = tmp_path / "static"
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = False
    finders = "django.contrib.staticfiles.finders"
    settings.STATICFILES_FINDERS = [f"{finders}.FileSystemFinder"]
    call_command("collectstatic", verbosity=0)

    answer = client.get("/static/a.js", secure=True)

    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"  # as it may be read
    assert answer.headers["Strict-Transport-Security"] == "max-age=3600"
    answer.close()


def test_what_is_no_page_may_do_nothing(client: Client) -> None:
    answer = client.get("/api/v1/articles/", secure=True)

    assert answer.headers["Content-Security-Policy"] == NO_PAGE
    assert "Permissions-Policy" not in answer.headers
