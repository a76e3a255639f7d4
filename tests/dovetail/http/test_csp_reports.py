"""Reports of violations, from browsers and from anyone else."""

import json
import logging
from typing import Any

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings as fuzzing, strategies as st
from pytest_django.fixtures import Settings

from dovetail.http import csp_reports
from dovetail.http.csp_reports import MOST_REPORTS, NEW, OLD, OVERALL, PER_NETWORK, lines_of

URL = "/csp-reports/"
PAGE = "http://testserver/accounts/password/reset/key/3-set-password/?token=secret#x"
ROUTE = "on /accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hosts(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]


def old(**changes: Any) -> dict[str, Any]:
    report = {
        "document-uri": PAGE,
        "effective-directive": "script-src-elem",
        "violated-directive": "script-src-elem",
        "original-policy": "default-src 'none'",
        "blocked-uri": "https://evil.example/x.js?who=ada",
        "source-file": "http://testserver/static/main.js?v=1",
        "line-number": 12,
    }
    return {"csp-report": report | changes}


def new(**changes: Any) -> dict[str, Any]:
    body = {
        "documentURL": PAGE,
        "effectiveDirective": "script-src-elem",
        "blockedURL": "https://evil.example/x.js?who=ada",
        "sourceFile": "http://testserver/static/main.js?v=1",
        "lineNumber": 12,
    }
    return {"type": "csp-violation", "age": 1, "url": PAGE, "body": body | changes}


def send(document: Any, content_type: str = OLD, client: Client | None = None, **more: Any) -> int:
    body = document if isinstance(document, bytes) else json.dumps(document)
    answer = (client or Client()).post(URL, body, content_type=content_type, **more)
    assert answer.cookies == {}
    return answer.status_code


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.name == csp_reports.__name__]


@pytest.mark.parametrize(("document", "kind"), [(old(), OLD), ([new()], NEW)])
def test_report_is_logged_without_what_is_secret(
    document: Any, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert send(document, kind, Client(enforce_csrf_checks=True)) == 204

    [line] = logged(caplog)
    assert line.startswith("The Content Security Policy blocked https://evil.example by script-src")
    assert line.endswith(f"{ROUTE}, by /static/main.js, line 12")
    assert len(queries) == 0  # no session, and no person


def test_same_report_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    for number in range(3):
        assert send([new(), new(sample=str(number))], NEW) == 204

    assert len(logged(caplog)) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"blocked-uri": "inline"}, "blocked inline by"),
        ({"blocked-uri": "data:text/plain;base64,AAAA"}, "blocked data by"),
        ({"blocked-uri": "https://ada:secret@evil.example:8/x"}, "https://evil.example:8 by"),
        ({"blocked-uri": "https://evil\u2028.exa\u202emple/"}, "https://evil?.exa?mple by"),
        ({"blocked-uri": None}, "blocked something by"),
        ({"source-file": "", "line-number": 0}, f"{ROUTE}"),
        ({"source-file": PAGE, "line-number": "1\r\nERROR x"}, "by /accounts/"),
        ({"document-uri": "http://testserver/nothing/at/all"}, "on another page"),
        ({"blocked-uri": "chrome-extension://abc/x.js"}, None),
        ({"source-file": "moz-extension://abc/x.js"}, None),
        ({"source-file": "safari-web-extension://abc/x.js"}, None),
        ({"document-uri": "https://other.example/"}, None),
        ({"document-uri": "about:blank"}, None),
        ({"document-uri": "http://[::1"}, None),
        ({"effective-directive": "script-src\r\nERROR forged"}, "by script-src on"),
        ({"effective-directive": "<script>"}, None),
        ({"effective-directive": "", "violated-directive": "img-src 'self'"}, "by img-src on"),
    ],
)
def test_line_says_what_matters(changes: dict[str, Any], expected: str | None) -> None:
    lines = [f"blocked {line}" for line in lines_of(old(**changes))]

    assert len(lines) == (expected is not None)
    if expected:
        assert expected in lines[0]
        assert "secret" not in lines[0]
        assert lines[0].isascii()
        assert lines[0].isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ADDRESS = st.text(max_size=20) | st.sampled_from([PAGE, "//", "http://[", "http://testserver/%00"])


@fuzzing(suppress_health_check=list(HealthCheck))
@given(
    JSON
    | st.builds(lambda *parts: old(**dict(zip(old()["csp-report"], parts, strict=True))),
                *[JSON | ADDRESS] * 7)
)  # fmt: skip
def test_no_document_is_an_error(document: Any) -> None:
    for line in lines_of(document):
        assert line.isascii()
        assert line.isprintable()
        assert len(line) < 800


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b" ", OLD, 400),
        (b"\xff", OLD, 400),
        (b"[" * 50_000, NEW, 400),
        (b'{"csp-report": 1e9999}', OLD, 400),
        (b"{}", OLD, 204),
        (b"[[], 1, null]", NEW, 204),
        (b'{"csp-report": []}', OLD, 204),
        (b'"x"', NEW, 204),
        (b" " * 70_000, OLD, 413),
        (b"{}", "application/json", 415),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
    ],
)
def test_other_bodies_are_refused(
    body: bytes, kind: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert send(body, kind) == status
    assert logged(caplog) == []


def test_only_post_is_taken(client: Client) -> None:
    assert client.get(URL).status_code == 405


def test_reports_of_a_network_are_few(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Of the whole network of 64 bits, whatever a sender writes into X-Forwarded-For."""
    settings.TRUSTED_PROXY_COUNT = 1
    for number in range(PER_NETWORK + 2):
        document = old(**{"blocked-uri": f"https://{number}.example/"})
        forwarded = f"198.51.100.{number}, 2001:db8::{number:x}"
        status = send(document, REMOTE_ADDR="127.0.0.1", headers={"x-forwarded-for": forwarded})
        assert status == (204 if number < PER_NETWORK else 429)

    assert len(logged(caplog)) == PER_NETWORK
    assert send(old(), headers={"x-forwarded-for": "2001:db8:0:1::1"}) == 204


def test_lines_of_a_network_are_few(caplog: pytest.LogCaptureFixture) -> None:
    """Kind: few requests with many reports each."""
    for number in range(3):
        blocked = [f"https://{number}-{line}.example/" for line in range(MOST_REPORTS)]
        assert send([new(blockedURL=url) for url in blocked], NEW) == 204

    assert len(logged(caplog)) == PER_NETWORK


def test_reports_of_all_are_few() -> None:
    statuses = [send(b"{}", REMOTE_ADDR=f"198.51.100.{number}") for number in range(OVERALL + 1)]

    assert statuses.index(429) == OVERALL


def test_without_a_cache_nothing_is_logged(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CACHES = settings.CACHES | {
        "default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}
    }
    with caplog.at_level(logging.WARNING):
        assert send(old()) == 429

    assert logged(caplog) == []


def test_another_service_replaces_it(settings: Settings) -> None:
    settings.CSP_REPORTS = False

    assert send(old()) == 404


def test_body_is_not_read_beyond_the_limit() -> None:
    request = RequestFactory().post(URL, b" " * 200_000, content_type=OLD)

    assert csp_reports.csp_reports(request).status_code == 413
    assert len(request.read()) == 200_000 - csp_reports.MOST_BYTES - 1
