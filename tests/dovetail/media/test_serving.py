"""Uploads, as a browser gets them from the site itself."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from asgiref.sync import sync_to_async
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import AsyncClient, Client
from pytest_django.fixtures import Settings

from dovetail.http.files import CHUNK
from dovetail.media.serving import upload_urls
from tests.dovetail.shelves.models import Attachment

pytestmark = pytest.mark.django_db

MAX_LENGTH = 100  # of a name in a row

PICTURE = bytes(range(256)) * 2
SCRIPT = b"<script>alert(document.cookie)</script>"
NAME = "files/ada.webp"
URL = f"/media/{NAME}"


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    """Store uploads below `media/`, beside a file that must not be served."""
    settings.MEDIA_ROOT = tmp_path / "media"
    (tmp_path / "secret.png").write_bytes(b"not an upload")
    store(NAME, PICTURE)
    return tmp_path / "media"


def store(name: str, content: bytes) -> str:
    """Store a file that a row refers to, which everyone may see."""
    stored = default_storage.save(name, ContentFile(content))
    Attachment.objects.create(file=stored)
    return stored


def body(response: Any) -> bytes:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return bytes(content)  # closed by the client, without closing the connection of the test


def test_upload_is_served_without_debug(client: Client, settings: Settings) -> None:
    """Kind: what works in development only. Django's `static()` serves nothing in production."""
    assert not settings.DEBUG

    response = client.get(default_storage.url(NAME))

    assert response.status_code == 200
    assert response["Content-Type"] == "image/webp"
    assert response["Content-Disposition"] == 'inline; filename="ada.webp"'
    assert response["Content-Length"] == str(len(PICTURE))
    assert "max-age=" in response["Cache-Control"]
    assert body(response) == PICTURE


@pytest.mark.django_db(transaction=True)
async def test_upload_is_streamed_on_the_event_loop(async_client: AsyncClient) -> None:
    large = PICTURE * 500
    await sync_to_async(store)("files/large.png", large)
    assert len(large) > CHUNK

    response: Any = await async_client.get("/media/files/large.png")
    chunks = [chunk async for chunk in response.streaming_content]

    assert response.is_async
    assert len(chunks) > 1
    assert b"".join(chunks) == large


@pytest.mark.parametrize(
    "name",
    [
        *("page.html", "page.HTM", "page.xhtml", "drawing.svg", "drawing.svgz", "data.xml"),
        *("script.js", "script.mjs", "style.css", "paper.pdf", "movie.swf", "noname", "page.html."),
        *("picture.png.html", "picture.png.svg", "picture.bmp", "feed.rss", "a.mht", "page.shtml"),
    ],
)
def test_only_pictures_are_shown(client: Client, name: str) -> None:
    """Kind: an upload that runs as a page of the site."""
    stored = store(f"files/{name}", SCRIPT)

    response = client.get(f"/media/{stored}")

    assert response.status_code == 200
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment; filename=")
    assert body(response) == SCRIPT


@pytest.mark.parametrize("name", ["fake.png", "drawing.svg"])
def test_content_cannot_run_whatever_its_name_is(client: Client, name: str) -> None:
    stored = store(f"files/{name}", SCRIPT)

    response = client.get(f"/media/{stored}")

    assert response["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert body(response) == SCRIPT


@pytest.mark.parametrize(
    "path",
    [
        *("", "files", "files/", "none.png", "files/none.png", "files/ada.webp/"),
        *("../secret.png", "files/../../secret.png", "%2e%2e/secret.png", "..%2fsecret.png"),
        *("files/..%5c..%5csecret.png", "%2e%2e%2f%2e%2e%2fetc/passwd", "....//secret.png"),
        *("/etc/passwd", "%2fetc%2fpasswd", "files//ada.webp", "./files/ada.webp"),
        *("files/../files/ada.webp", "a" * 300, "files/%00ada.webp", ".hidden"),
        *("linked.png", "folder/secret.png", "around/ada.webp", "dangling.png", "pipe"),
        ".git/config",
    ],
)
def test_path_that_is_not_an_upload_is_not_found(client: Client, folder: Path, path: str) -> None:
    """Kind: a URL that reaches files which are not uploads: folders, links, pipes, hidden files."""
    for name in (path, unquote(path), f"./{NAME}"):
        if name and "\0" not in name and len(name) <= MAX_LENGTH:
            Attachment.objects.create(file=name)  # not because no row refers to it
    (folder / ".hidden").write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / "linked.png").symlink_to(folder.parent / "secret.png")
    (folder / "folder").symlink_to(folder.parent)
    (folder / "around").symlink_to(folder / "files")
    (folder / "dangling.png").symlink_to("nowhere.png")
    os.mkfifo(folder / "pipe")

    assert client.get(f"/media/{path}").status_code == 404


def test_folder_of_uploads_may_itself_be_a_link(
    client: Client, folder: Path, settings: Settings
) -> None:
    (folder.parent / "volume").symlink_to(folder)
    settings.MEDIA_ROOT = folder.parent / "volume"

    response = client.get(URL)

    assert body(response) == PICTURE


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_other_methods_are_refused(client: Client, method: str) -> None:
    assert getattr(client, method)(URL).status_code == 405


def test_head_has_the_headers_of_get_and_no_body(client: Client) -> None:
    full, head = client.get(URL), client.head(URL)

    for answer in (full, head):
        del answer["X-Request-ID"]
    assert dict(head.headers) == dict(full.headers)
    assert body(head) == b""
    assert body(full) == PICTURE


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("0-0", 0, 0), ("2-5", 2, 5), ("500-", 500, 511), ("-3", 509, 511), ("0-9999", 0, 511)],
)
def test_part_of_an_upload(client: Client, asked: str, first: int, last: int) -> None:
    response = client.get(URL, headers={"range": f"bytes={asked}"})

    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes {first}-{last}/512"
    assert response["Content-Length"] == str(last - first + 1)
    assert body(response) == PICTURE[first : last + 1]


@pytest.mark.django_db(transaction=True)
async def test_part_of_an_upload_under_asgi(async_client: AsyncClient) -> None:
    response: Any = await async_client.get(URL, headers={"range": "bytes=2-5"})

    assert b"".join([chunk async for chunk in response.streaming_content]) == PICTURE[2:6]


@pytest.mark.parametrize("asked", ["512-", "9999-", "-0"])
def test_part_past_the_end_does_not_exist(client: Client, asked: str) -> None:
    response = client.get(URL, headers={"range": f"bytes={asked}"})

    assert response.status_code == 416
    assert response["Content-Range"] == "bytes */512"


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=-", "bytes=0-1,4-5", "lines=1-2", "bytes"])
def test_range_that_is_not_understood_is_ignored(client: Client, asked: str) -> None:
    response = client.get(URL, headers={"range": asked})

    assert response.status_code == 200
    assert body(response) == PICTURE


@pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
def test_part_is_of_the_file_that_the_browser_knows(client: Client, header: str) -> None:
    value = client.head(URL)[header]
    known = client.get(URL, headers={"range": "bytes=1-2", "if-range": value})
    other = client.get(URL, headers={"range": "bytes=1-2", "if-range": '"other"'})

    assert (known.status_code, body(known)) == (206, PICTURE[1:3])
    assert (other.status_code, body(other)) == (200, PICTURE)


@pytest.mark.parametrize(
    ("header", "condition"), [("ETag", "if-none-match"), ("Last-Modified", "if-modified-since")]
)
def test_unchanged_upload_is_not_sent_again(client: Client, header: str, condition: str) -> None:
    response = client.get(URL, headers={condition: client.head(URL)[header]})

    assert response.status_code == 304
    assert body(response) == b""
    assert "max-age=" in response["Cache-Control"]


def test_changed_upload_is_sent_again(client: Client, folder: Path) -> None:
    etag = client.head(URL)["ETag"]
    (folder / NAME).write_bytes(b"new")

    response = client.get(URL, headers={"if-none-match": etag})

    assert body(response) == b"new"


def test_empty_upload(client: Client) -> None:
    response = client.get(f"/media/{store('files/empty.txt', b'')}")

    assert response["Content-Length"] == "0"
    assert body(response) == b""


def test_name_cannot_add_headers(client: Client, folder: Path) -> None:
    name = 'files/a"\r\nSet-Cookie: x=1.txt'
    (folder / name).write_text("text")
    Attachment.objects.create(file=name)

    response = client.get("/media/files/a%22%0D%0ASet-Cookie:%20x=1.txt")

    assert "Set-Cookie" not in response.headers
    assert "\n" not in response.get("Content-Disposition", "")


def test_other_servers_serve_what_is_stored_elsewhere(settings: Settings) -> None:
    assert [str(url.pattern) for url in upload_urls()] == ["media/<path:name>"]

    settings.MEDIA_URL = "https://cdn.example/"
    assert upload_urls() == []

    settings.MEDIA_URL = "/media/"
    memory = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    settings.STORAGES = settings.STORAGES | {"default": memory}
    assert upload_urls() == []
