"""Forms with pictures while S3 is down, hangs or refuses: nothing is lost, and people are told."""

import os
import signal
import socket
import socketserver
import time
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.html import escape
from pytest_django.fixtures import Settings

from apps.articles import forms
from apps.articles.models import Article, ArticleImport
from apps.articles.views.imports import UNREADABLE
from dovetail.devtools.embedded.seaweedfs import Server
from dovetail.media import s3 as module, upload_views
from dovetail.media.fields import UNAVAILABLE
from dovetail.media.names import variant_name
from tests.apps.test_files import picture
from tests.dovetail.media.buckets import server_of_its_own, store_in
from tests.factories import make_article, make_token, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("s3")]

TYPED = "Two boards, eight pins"
FIELDS = {"title": TYPED, "body": TYPED, "category": "design"}


@pytest.fixture
def writer(client: Client) -> Client:
    client.force_login(make_user())
    return client


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the URL of a server that accepts connections and never answers."""
    monkeypatch.setattr(module, "READ_TIMEOUT", 0.2)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def stalling(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the URL of a proxy that passes everything on to S3, until a file is sent."""
    monkeypatch.setattr(module, "READ_TIMEOUT", 0.2)

    class Pass(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", s3_server.port)) as server:
                back = Thread(target=copy, args=[server, self.request], daemon=True)
                back.start()
                copy(self.request, server, until=b"PUT ")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Pass) as proxy:
        proxy.daemon_threads = True
        Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
        proxy.shutdown()


def copy(source: socket.socket, target: socket.socket, until: bytes | None = None) -> None:
    """Pass on what comes; from a request of this kind on, drop it."""
    with suppress(OSError):
        is_passing = True
        while data := source.recv(65_536):
            is_passing = is_passing and not (until and data.startswith(until))
            if is_passing:
                target.sendall(data)


def write(writer: Client) -> str:
    """Send a new article with a cover, and return the page with the form that comes back."""
    response = writer.post("/articles/new/", FIELDS | {"cover": picture()})
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not Article.objects.exists()
    return response.content.decode()


def assert_kept(page: str) -> None:
    assert page.count(TYPED) >= 2  # the title and the text
    assert UNAVAILABLE.replace("'", "&#x27;") in page
    assert "Traceback" not in page


@pytest.mark.django_db(transaction=True)
def test_cover_is_stored_replaced_and_deleted(writer: Client, s3: module.S3Storage) -> None:
    writer.post("/articles/new/", FIELDS | {"cover": picture()})
    article = Article.objects.get()
    first = str(article.cover.name)
    assert s3.exists(first)
    variants = [variant_name(first, "thumbnail", kind) for kind in ("avif", "webp")]
    page = writer.get(article.get_absolute_url()).text
    for variant in variants:
        assert s3.exists(variant)
        assert s3.url(variant).replace("&", "&amp;") in page

    writer.post(f"{article.get_absolute_url()}edit/", FIELDS | {"cover": picture(color="red")})
    article.refresh_from_db()
    assert article.cover.name != first
    assert s3.exists(str(article.cover.name))
    assert not any(map(s3.exists, [first, *variants]))

    article.hard_delete()
    assert not s3.exists(str(article.cover.name))


def test_killed_server_costs_no_text(
    writer: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with server_of_its_own() as (server, process):
        store_in(settings, server)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

        assert_kept(write(writer))

    assert "An upload for articles.Article.cover could not be stored: S3 could not" in caplog.text


def test_hanging_server_costs_no_text(
    writer: Client,
    settings: Settings,
    s3_server: Server,
    silent: str,
) -> None:
    store_in(settings, s3_server, endpoint_url=silent)

    assert_kept(write(writer))


def test_server_that_stalls_while_the_file_is_sent_costs_no_text(
    writer: Client,
    settings: Settings,
    s3_server: Server,
    stalling: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store_in(settings, s3_server, endpoint_url=stalling)

    assert_kept(write(writer))
    assert "S3 could not store covers/" in caplog.text


def test_refusing_server_costs_no_text(
    writer: Client, settings: Settings, s3_server: Server
) -> None:
    store_in(settings, s3_server, secret_key="guessed")

    assert_kept(write(writer))


def test_form_can_be_sent_again(writer: Client, settings: Settings, s3_server: Server) -> None:
    store_in(settings, s3_server, endpoint_url="http://127.0.0.1:9")
    write(writer)

    store_in(settings, s3_server)
    response = writer.post("/articles/new/", FIELDS | {"cover": picture()})
    assert response.status_code == HTTPStatus.SEE_OTHER
    assert Article.objects.get().cover


def test_admin_says_so_too(client: Client, settings: Settings, s3_server: Server) -> None:
    admin = make_user(is_staff=True, is_superuser=True)
    settings.MFA_REQUIRED_FOR_STAFF = False
    client.force_login(admin)
    store_in(settings, s3_server, endpoint_url="http://127.0.0.1:9")

    fields = FIELDS | {"author": str(admin.pk), "cover": picture()}
    response = client.post("/admin/articles/article/add/", fields)

    assert response.status_code == HTTPStatus.OK
    assert_kept(response.content.decode())


def test_api_says_so_too(client: Client, settings: Settings, s3_server: Server) -> None:
    article = make_article()
    _, token = make_token(article.author)
    store_in(settings, s3_server, endpoint_url="http://127.0.0.1:9")
    url = f"/api/v1/articles/{article.pk}/cover/"

    response = client.generic(
        "PUT",
        url,
        *multipart(),
        headers={"Authorization": f"Bearer {token}", "If-Match": "*"},
    )

    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.json()["detail"] == UNAVAILABLE


@pytest.mark.django_db(transaction=True)
def test_import_says_so_too(
    client: Client, settings: Settings, s3_server: Server, silent: str
) -> None:
    user = make_user()
    user.user_permissions.add(Permission.objects.get(codename="add_articleimport"))
    client.force_login(user)

    def upload() -> Any:
        file = SimpleUploadedFile("articles.csv", b"title,body\nFirst,Wood.\n,Wood.\n")
        return client.post("/articles/imports/", {"file": file})

    store_in(settings, s3_server)
    url = upload().headers["Location"]
    answer: Any = client.get(f"{url}errors/")
    assert b"".join(answer).endswith(b'"title: This field cannot be blank."\r\n')

    store_in(settings, s3_server, endpoint_url=silent)
    again = upload()
    assert again.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert escape(forms.UNAVAILABLE) in again.text
    assert escape(UNREADABLE) in client.get(f"{url}errors/", follow=True).text
    assert ArticleImport.objects.count() == 1


def test_direct_upload_without_a_key_says_so_too(
    writer: Client, settings: Settings, s3_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: the service that gives a machine its key is away."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store_in(settings, s3_server, access_key=None, secret_key=None)

    answer = writer.post("/uploads/", {"name": "a.png", "size": 5, "type": "image/png"})

    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["error"] == upload_views.UNAVAILABLE


def multipart() -> tuple[bytes, str]:
    head = b'--x\r\nContent-Disposition: form-data; name="cover"; filename="a.png"\r\n\r\n'
    return head + picture().read() + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"


def test_copy_of_an_answer_ends_with_its_links(
    client: Client, settings: Settings, s3_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: an app that is told that nothing has changed, and shows pictures by old links."""
    store_in(settings, s3_server)
    url = f"/api/v1/articles/{make_article().pk}/"
    now = 1_800_000_000  # where links change
    monkeypatch.setattr(time, "time", lambda: float(now))
    etag = client.get(url)["ETag"]

    def status() -> int:
        return client.get(url, headers={"If-None-Match": etag}).status_code

    monkeypatch.setattr(time, "time", lambda: now + 1799.0)
    assert status() == HTTPStatus.NOT_MODIFIED
    monkeypatch.setattr(time, "time", lambda: now + 1800.0)
    assert status() == HTTPStatus.OK


def test_pages_with_pictures_ask_s3_nothing(
    client: Client, settings: Settings, s3_server: Server
) -> None:
    article = make_article()
    Article.objects.filter(pk=article.pk).update(cover="covers/0123.webp")
    cache.clear()
    store_in(settings, s3_server, endpoint_url="http://127.0.0.1:9")

    for path in ("/", "/articles/", article.get_absolute_url(), "/api/v1/articles/"):
        response = client.get(path)
        assert response.status_code == HTTPStatus.OK
        assert "http://127.0.0.1:9/uploads/covers/0123.webp?" in response.content.decode()
