"""Any request to any URL, from anyone: never a server error, never a traceback.

The URLs, the names of form fields and the filters of the admin are collected from the project, so
that a new page is attacked without a change here.
"""

import base64
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings as fuzzing, strategies as st
from pytest_django.fixtures import Settings

from dovetail.logs import RefusedRequestFilter
from tests.config.test_hostile_text import UUID, paths
from tests.factories import make_article, make_comment, make_user

pytestmark = [
    pytest.mark.django_db,
    # Only memcached refuses a key as long as a cookie may be, and there are no sessions in it.
    pytest.mark.filterwarnings("ignore::django.core.cache.backends.base.CacheKeyWarning"),
]

# One of each kind; Hypothesis adds text of its own, and combines them.
HOSTILE = [
    *("", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\ufffe", "\u202eevil\u2066", "\r\nX: y"),
    *("0", "-1", "9" * 20, "9" * 5000, "-" + "9" * 400, "١٢", "1e999", "NaN", "inf", "0x1f", "1_0"),
    *("x" * 20_000, "é" * 5000, "a\u0301" * 2000, "🜁" * 500, "../" * 50, "%00", "%", "%zz", "%ff"),
    *(
        "[" * 100_000,
        '{"a":' * 20_000,
        '{"id": []}',
        '{"rawId": 1}',
        "null",
        "[]",
        "{}",
        '"x"',
        "1",
    ),
    *('{"id":"","rawId":"AA","response":{"clientDataJSON":"AA","authenticatorData":"AA"}}', "AA=="),
    *(UUID, UUID.upper(), "{" + UUID + "}", UUID.replace("-", ""), "None", "true", "on", "__all__"),
    *("9999-99-99", "0000-00-00", "2026-02-30T25:61", "//evil.example", "javascript:alert(1)"),
    *("' OR 1=1--", "\\", "*:*", '"', "(" * 500, "a AND", "~9999", "^1e99", "[a TO", "\x1b[2J"),
    *("http://[", "http://[::1", "a@b@c", "@", "a" * 300 + "@b.example", "xn--", "\u200d.example"),
]
MORE = pytest.mark.long("opens every list again, with further parameters")
MORE_QUERIES = ["o=99", "p=-1", "p=x", "e=1", "all=", "x__y=1"]
METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"]
COOKIES = [
    *(settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.MESSAGE_COOKIE_NAME),
    *(settings.LANGUAGE_COOKIE_NAME, settings.MFA_TRUST_COOKIE_NAME, settings.THEME_COOKIE_NAME),
    *(settings.DEVICE_COOKIE_NAME, "x"),
]
HEADERS = [
    *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control"),
    *("If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "Origin", "Range", "Referer"),
    *(
        "Sec-Fetch-Site",
        "Turbo-Frame",
        "User-Agent",
        "X-CSRF-Token",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
    ),
    *("X-HTTP-Method-Override", "X-Requested-With", "X-Sec-Purpose", "X-Turbo-Request-Id"),
]
TYPES = [
    *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json"),
    *("multipart/form-data", "multipart/form-data; boundary=" + "x" * 300, "text/plain; charset=x"),
    *(
        "application/x-www-form-urlencoded; charset=utf-16",
        "multipart/form-data; boundary=\xe9",
        "",
    ),
]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIAQAAAADsdIMmAAAAC0lEQVR4nGNgQAUAABAAATm9j2UAAAAASUVORK5CYII="
)
DISPOSITION = b"--x\r\nContent-Disposition: form-data"
CONTENT = b"\r\n\r\nGIF89a\r\n"
BODIES = [
    *(b"", b"\xff\xfe=\x00", b"=&" * 3000, b"a=%zz&%=%", b"[" * 100_000, b'{"a":NaN}', b"--x--"),
    DISPOSITION + b'; name="cover"; filename="\x00/../a"' + CONTENT + b"--x--",
    DISPOSITION + b"; name=avatar; filename*=utf-16''%ff" + CONTENT + b"--x--",
    DISPOSITION + CONTENT + b"--x--",
    DISPOSITION + b"; name=a\r\nContent-Transfer-Encoding: base64" + CONTENT + b"--x--",
    (DISPOSITION + b"; name=f; filename=f" + CONTENT) * 20 + b"--x--",
    b"--x\r\n" + b"A" * 5000 + CONTENT + b"--x--",
]
# What pages, the admin and allauth read that is no field of a form.
OTHER_WORDS = """
    q page next p o e all order before deleted code state error iss id_token process scope passkey
    _popup _to_field _changelist_filters _save _saveasnew action _selected_action select_across
    index post app_label model_name field_name term credential login remember
"""


def words() -> list[str]:
    """Return the names that forms, filters and pages read."""
    names = set(OTHER_WORDS.split())
    classes: list[Any] = [forms.BaseForm]
    while classes:
        form = classes.pop()
        names |= set(getattr(form, "base_fields", {}))
        classes += form.__subclasses__()
    lookups = ("", "__exact", "__in", "__gte", "__isnull", "__id__exact", "__x__y")
    for model_admin in admin.site._registry.values():  # noqa: SLF001 - it has no public name
        for field in model_admin.opts.get_fields():
            names |= {f"{field.name}{lookup}" for lookup in lookups}
    return sorted(names)


class Errors(logging.Handler):
    """Collects what the log would show as errors."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RefusedRequestFilter())
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            self.found.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def _no_errors_in_the_log() -> Iterator[None]:
    """Kind: an error for which someone is woken, and which anyone can cause."""
    errors = Errors()
    logging.getLogger().addHandler(errors)
    yield
    logging.getLogger().removeHandler(errors)
    assert errors.found == []


@dataclass
class Attack:
    """A request.

    Attributes:
        path: percent-encoded.
    """

    method: str
    path: str
    content: bytes
    content_type: str
    headers: dict[str, str]

    def run(self, client: Client) -> None:
        headers = {
            name: value.encode("utf-8", "ignore").decode("latin-1")
            for name, value in self.headers.items()
        }
        response = client.generic(
            self.method, self.path, self.content, content_type=self.content_type, headers=headers
        )
        content = b"" if response.streaming else response.content
        assert response.status_code < 500, (self, response.status_code)
        assert b"Traceback (most recent call last)" not in content, self


def encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def templates() -> list[tuple[str, dict[str, str]]]:
    """Return every URL with the types of its parameters, and those that the walker leaves out."""
    key = {"key": "string", "uid": "string"}
    return [
        *paths(),
        ("/accounts/confirm-email/{key}/", key),
        ("/accounts/password/reset/key/{uid}-{key}/", key),
        ("/media/{key}", key),
        ("/static/{key}", key),
        ("/{key}", key),
    ]


def attacks(known: dict[str, str]) -> st.SearchStrategy[Attack]:
    """Return a strategy for requests.

    Args:
        known: values of parameters that name something.
    """
    text = st.sampled_from(HOSTILE) | st.text(max_size=40)
    pairs = st.lists(st.tuples(st.sampled_from(words()), text), max_size=8)

    @st.composite
    def attack(draw: st.DrawFn) -> Attack:
        path, types = draw(st.sampled_from(templates()))
        plain = st.sampled_from([known.get(name, UUID) for name in types] or [""])
        values = {
            name: draw(st.just(known.get(name, UUID)) | plain | text.map(encoded)) for name in types
        }
        query = draw(pairs.map(urlencoded) | text.map(encoded) | st.binary(max_size=30).map(quote))
        is_form = draw(st.booleans())
        return Attack(
            draw(st.sampled_from([*METHODS, "GET", "POST", "POST"])),
            path.format(**values) + (f"?{query}" if query else ""),
            urlencoded(draw(pairs)).encode()
            if is_form
            else draw(st.sampled_from(BODIES) | st.binary()),
            TYPES[0] if is_form else draw(st.sampled_from(TYPES)),
            draw(headers_of(text)),
        )

    return attack()


def urlencoded(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{encoded(name)}={encoded(value)}" for name, value in pairs)


@st.composite
def headers_of(draw: st.DrawFn, text: st.SearchStrategy[str]) -> dict[str, str]:
    cookies = draw(st.dictionaries(st.sampled_from(COOKIES), text, max_size=3))
    headers = draw(st.dictionaries(st.sampled_from(HEADERS), text, max_size=3))
    # As a server would receive them: it refuses line breaks.
    lines = {name: " ".join(value.split())[:8000] for name, value in headers.items()}
    if cookies:
        lines["Cookie"] = "; ".join(
            f"{name}={value[:2000]}" for name, value in cookies.items()
        ).replace("\r\n", "")
    return lines


@pytest.fixture(autouse=True)
def _allow_any_queries(settings: Settings) -> None:
    settings.ZEAL_RAISE = False  # a query too many is not what is looked for
    settings.ZEAL_ALLOWLIST = [{"model": "*"}]


@pytest.fixture
def known() -> dict[str, str]:
    article = make_article()
    comment = make_comment(article=article)
    return {
        "slug": article.slug,
        "pk": str(comment.pk),
        "object_id": str(article.pk),
        "provider_id": "example",
        "app_label": "articles",
        "model_name": "article",
        "url": "articles/",
        "content_type_id": "1",
    }


@pytest.mark.parametrize("person", ["anonymous", "member", "superuser"])
def test_no_request_is_a_server_error(person: str, known: dict[str, str]) -> None:
    """Kind: input that a view, a form or the database did not expect."""
    user = (
        None
        if person == "anonymous"
        else make_user(is_staff=person == "superuser", is_superuser=person == "superuser")
    )

    @fuzzing(suppress_health_check=list(HealthCheck))
    @given(st.lists(attacks(known), min_size=8, max_size=8))
    def attack(requests: list[Attack]) -> None:
        with transaction.atomic():
            for request in requests:
                client = Client(raise_request_exception=False)
                if user is not None:
                    client.force_login(user)
                request.run(client)
            transaction.set_rollback(True)

    attack()


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "", "a b", "testserver:x", "testserver:99999", "[::1", "..", "*"),
        *("\xe9", "TESTSERVER.", "x" * 5000, "testserver, evil.example", "<script>", "user@host"),
    ],
)
def test_odd_host_is_no_error_in_the_log(host: str) -> None:
    client = Client(raise_request_exception=False)

    assert client.get("/", HTTP_HOST=host).status_code < 500
    assert client.get("/articles/", HTTP_X_FORWARDED_HOST=host).status_code < 500


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "../../a.png", "a\0.png", "é" * 200])
@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a", PNG[:60], PNG[:-20], PNG, PNG * 2, b"<svg/>"],
    ids=["empty", "gif", "half", "cut", "whole", "twice", "svg"],
)
def test_odd_upload_is_no_error_in_the_log(name: str, content: bytes) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(make_user())
    values = {"name": name, "size": len(content), "type": "image/png"}

    begun = client.post("/uploads/", values)
    assert begun.status_code < 500
    if begun.status_code == 201:
        file = SimpleUploadedFile("a.png", content, "image/png")
        assert client.post(begun.json()["url"], {"file": file}).status_code < 500
        assert client.post(begun.json()["complete"]).status_code < 500
    for page in ("/articles/new/", "/people/me/edit/"):
        file = SimpleUploadedFile(name, content, "image/png")
        fields = {"title": "Title", "body": "Body", "cover": file}
        assert client.post(page, fields).status_code < 500
        assert client.post(page, {**fields, "file": file, "avatar": file}).status_code < 500


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"\xff", b"null", b'{"RecordType": 1}'])
@pytest.mark.parametrize("authorization", ["", "Basic", "Basic ZXZlbnRzOnNlY3JldA==", "Bearer x"])
def test_forged_report_of_mail_is_no_error_in_the_log(
    settings: Settings, body: bytes, authorization: str
) -> None:
    settings.MAIL_WEBHOOK_VIEW = "anymail.webhooks.postmark.PostmarkTrackingWebhookView"
    settings.ANYMAIL = {"WEBHOOK_SECRET": ["events:secret"]}
    client = Client(raise_request_exception=False)

    answer = client.post(
        "/mail/events/", body, "application/json", headers={"Authorization": authorization}
    )
    assert answer.status_code in {200, 400}


@pytest.mark.parametrize(
    "query", ["q=x", "q=%00", *(pytest.param(query, marks=MORE) for query in MORE_QUERIES)]
)
def test_every_list_of_the_admin_can_be_searched(admin_client: Client, query: str) -> None:
    """Kind: a package's admin for a user model that this project does not have."""
    admin_client.raise_request_exception = False
    for model in admin.site._registry:  # noqa: SLF001 - it has no public name
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/?{query}"
        assert admin_client.get(path).status_code < 500, path


@pytest.mark.parametrize("page", ["add", "change", "delete"])
def test_form_of_the_admin_for_no_field_is_refused(
    admin_client: Client, known: dict[str, str], page: str
) -> None:
    """Kind: an empty value where Django checks only others."""
    admin_client.raise_request_exception = False
    row = "" if page == "add" else f"{known['object_id']}/"
    url = f"/admin/articles/article/{row}{page}/"

    assert admin_client.get(url).status_code == 200
    assert admin_client.get(f"{url}?_to_field=").status_code == 400
    assert admin_client.post(url, {"_to_field": ""}).status_code == 400


def test_the_attacks_reach_every_page() -> None:
    found = {path for path, _ in templates()}

    assert {"/articles/{slug}/", "/admin/usersessions/usersession/", "/accounts/login/"} <= found
    assert {"title", "credential", "body__x__y", "login", "biography"} <= set(words())
