"""Files that are sent before their form, to the disk and to S3."""

import io
import json
import re
import struct
import zlib
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import pytest
from django.core.asgi import get_asgi_application
from django.core.cache import cache
from django.core.files.storage import Storage, default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image
from pytest_django.fixtures import Settings

from apps.articles.models import Article
from apps.users.models import User
from dovetail.http.bodies import does_take_files, with_body_limits
from dovetail.http.lifespan import Application
from dovetail.media.direct import GONE, UNAVAILABLE
from dovetail.media.images import UNREADABLE
from dovetail.media.models import MOST, Upload
from dovetail.media.tasks import delete_unused_uploads
from dovetail.media.upload_views import NOT_ARRIVED, OTHER_SIZE, SIGNED_OUT, TOO_MANY
from tests.dovetail.http.test_bodies import CHUNKED, Exchange, body, length
from tests.dovetail.media.buckets import store_in
from tests.dovetail.media.test_s3 import get, send
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = "Two boards, eight pins"
FIELDS = {"title": TYPED, "body": TYPED, "category": "design"}
IN_S3 = pytest.param("s3", marks=pytest.mark.xdist_group("s3"))
ON_DISK = pytest.param("disk")


@pytest.fixture(params=[ON_DISK, IN_S3])
def storage(request: pytest.FixtureRequest, settings: Settings) -> Storage:
    if request.param == "s3":
        store_in(settings, request.getfixturevalue("s3_server"))
    return default_storage


@pytest.fixture(autouse=True)
def disk(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def ada() -> User:
    return make_user("ada@example.org")


@pytest.fixture
def writer(client: Client, ada: User) -> Client:
    client.force_login(ada)
    return client


@pytest.fixture(autouse=True)
def _no_limit() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, kind)
    return file.getvalue()


def begin(client: Client, content: bytes, name: str = "oak.png", **told: Any) -> dict[str, Any]:
    """Begin an upload, and return the answer, with its status in `status`."""
    fields = {"name": name, "size": len(content), "type": "image/png"} | told
    response = client.post("/uploads/", fields)
    answer: dict[str, Any] = json.loads(response.content)
    return answer | {"status": response.status_code}


def send_to(client: Client, target: dict[str, Any], content: bytes) -> int:
    """Send the file as the controller does, to S3 or to the site itself."""
    if target["url"].startswith("/"):
        file = SimpleUploadedFile("blob", content)
        return client.post(target["url"], target["fields"] | {"file": file}).status_code
    return send(target, content)


def finish(client: Client, target: dict[str, Any]) -> tuple[int, str]:
    response = client.post(target["complete"])
    return response.status_code, json.loads(response.content).get("error", "")


def uploaded(client: Client, content: bytes | None = None, **told: Any) -> str:
    """Return the id of a completed upload."""
    content = picture() if content is None else content
    target = begin(client, content, **told)
    assert send_to(client, target, content) == HTTPStatus.CREATED
    assert finish(client, target) == (HTTPStatus.OK, "")
    return str(target["id"])


def bomb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        tail = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + tail

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 99)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


def test_article_gets_the_file_that_was_sent_before(writer: Client, storage: Storage) -> None:
    pk = uploaded(writer)
    name = str(Upload.objects.get().file.name)
    assert name.startswith("incoming/")

    response = writer.post("/articles/new/", FIELDS | {"cover-upload": pk})

    assert response.status_code == HTTPStatus.SEE_OTHER
    cover = Article.objects.get().cover
    with storage.open(str(cover.name)) as file, Image.open(file) as image:
        assert (image.format, image.size) == ("WEBP", (40, 30))
    assert not Upload.objects.exists()
    assert not storage.exists(name)


def test_avatar_gets_it_too(writer: Client, ada: User, disk: Path) -> None:
    pk = uploaded(writer)

    writer.post("/people/me/edit/", {"display_name": "Ada", "avatar-upload": pk})

    ada.refresh_from_db()
    assert (disk / str(ada.avatar.name)).is_file()
    assert not list((disk / "incoming").iterdir())


def test_form_with_errors_keeps_the_upload(writer: Client) -> None:
    pk = uploaded(writer)

    page = writer.post("/articles/new/", {"title": "", "cover-upload": pk})
    html = page.content.decode()

    assert page.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert f'name="cover-upload" value="{pk}"' in html
    assert "oak.png" in html
    writer.post("/articles/new/", FIELDS | {"cover-upload": pk})
    assert Article.objects.get().cover


def test_form_with_errors_keeps_a_file_that_came_with_it(writer: Client, storage: Storage) -> None:
    """Kind: a browser empties file inputs, so that without scripts it had to be chosen again."""
    file = SimpleUploadedFile("a\0 ö<oak.png", picture(), "image/png")
    html = writer.post("/articles/new/", {"title": "", "cover": file}).content.decode()
    upload = Upload.objects.get()
    assert f'name="cover-upload" value="{upload.pk}"' in html

    writer.post("/articles/new/", FIELDS | {"cover-upload": str(upload.pk)})

    assert Article.objects.get().cover
    assert not storage.exists(str(upload.file.name))


def test_form_keeps_no_file_that_is_wrong(writer: Client) -> None:
    file = SimpleUploadedFile("oak.png", b"<script>")

    response = writer.post("/articles/new/", FIELDS | {"cover": file})

    assert UNREADABLE.replace("'", "&#x27;") in response.content.decode()
    assert not Upload.objects.exists()


def test_chosen_file_wins_over_an_earlier_upload(writer: Client) -> None:
    pk = uploaded(writer)
    file = SimpleUploadedFile("oak.png", picture(size=(8, 8)))

    writer.post("/articles/new/", FIELDS | {"cover-upload": pk, "cover": file})

    with Article.objects.get().cover.open() as cover, Image.open(cover) as image:
        assert image.size == (8, 8)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"hello", UNREADABLE),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', UNREADABLE),
        (b"%PDF-1.7\n" + b"\xff\xd8\xff", UNREADABLE),
        (b"GIF89a/*" + b"*/=1;alert(1)//", UNREADABLE),
        (picture()[:40], UNREADABLE),
        (bomb(), "This image has more than 24 megapixels. Choose a smaller one."),
    ],
    ids=["text", "svg", "polyglot", "script", "cut off", "bomb"],
)
def test_completion_looks_at_the_content(
    writer: Client, storage: Storage, content: bytes, error: str
) -> None:
    """Whatever name and type it has."""
    target = begin(writer, content)
    name = str(Upload.objects.get().file.name)
    assert send_to(writer, target, content) == HTTPStatus.CREATED

    assert finish(writer, target) == (HTTPStatus.UNPROCESSABLE_ENTITY, error)

    assert not Upload.objects.exists()
    assert not storage.exists(name)


def test_polyglot_loses_what_follows_the_picture(writer: Client, disk: Path) -> None:
    pk = uploaded(writer, picture() + b"<?php system($_GET['c']); ?>")

    writer.post("/articles/new/", FIELDS | {"cover-upload": pk})

    assert b"<?php" not in (disk / str(Article.objects.get().cover.name)).read_bytes()


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"size": 5 * 1024**3}, "This file is larger than 5 MB. Choose a smaller one."),
        ({"size": "9" * 400}, None),
        ({"size": 0}, None),
        ({"size": -1}, None),
        ({"type": "image/svg+xml"}, UNREADABLE),
        ({"name": "x" * 256}, None),
        ({"name": "a\0b"}, None),
    ],
)
def test_what_cannot_be_taken_is_refused_before_it_is_sent(
    writer: Client, told: dict[str, Any], error: str | None
) -> None:
    answer = begin(writer, picture(), **told)

    assert answer["status"] == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer["error"] == error or (error is None and answer["error"])
    assert not Upload.objects.exists()


def test_name_without_a_kind_is_no_obstacle(writer: Client) -> None:
    """Kind: a browser guesses the kind of a file from its name, or not at all."""
    pk = uploaded(writer, name="photo", type="")

    writer.post("/articles/new/", FIELDS | {"cover-upload": pk})

    assert Article.objects.get().cover


@pytest.mark.parametrize("way", ["cover-upload", "cover"])
def test_new_file_replaces_the_one_that_is_to_be_removed(
    writer: Client, ada: User, way: str
) -> None:
    article = make_article(ada, cover="covers/former.webp")
    file = uploaded(writer) if way == "cover-upload" else SimpleUploadedFile("a.png", picture())

    writer.post(f"{article.get_absolute_url()}edit/", FIELDS | {way: file, "cover-clear": "on"})

    article.refresh_from_db()
    assert article.cover.name not in {"", "covers/former.webp"}


@pytest.mark.parametrize("way", ["cover-upload", "cover"])
def test_conflict_keeps_the_file(writer: Client, ada: User, way: str) -> None:
    """Kind: a file that is lost by an error that is none of the file."""
    article = make_article(ada)
    url = f"{article.get_absolute_url()}edit/"
    version = re.search(r'name="version" value="([^"]*)"', writer.get(url).text)
    assert version
    Article.objects.filter(pk=article.pk).update(title="Of another", updated_at=timezone.now())
    file = uploaded(writer) if way == "cover-upload" else SimpleUploadedFile("a.png", picture())

    page = writer.post(url, FIELDS | {way: file, "version": version[1]})

    assert page.status_code == HTTPStatus.CONFLICT
    upload = Upload.objects.get()
    assert f'name="cover-upload" value="{upload.pk}"' in page.text


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\a.png", "/etc/passwd", "a/b.png"])
def test_name_decides_no_path(writer: Client, disk: Path, name: str) -> None:
    content = picture()
    target = begin(writer, content, name)
    assert send_to(writer, target, content) == HTTPStatus.CREATED
    assert finish(writer, target)[0] == HTTPStatus.OK

    [file] = [path for path in disk.rglob("*") if path.is_file()]
    assert file.parent == disk / "incoming"


def test_other_size_than_announced_is_refused(writer: Client) -> None:
    content = picture()
    target = begin(writer, content)

    assert send_to(writer, target, content + b"!") >= HTTPStatus.BAD_REQUEST
    assert send_to(writer, target, content[:-1]) >= HTTPStatus.BAD_REQUEST
    assert finish(writer, target) == (HTTPStatus.CONFLICT, NOT_ARRIVED)


CONTENT = f"/uploads/{'0' * 8}-0000-4000-8000-{'0' * 12}/content/"


@pytest.mark.parametrize(
    ("header", "size"), [(length(5 * 1024**3), 0), (CHUNKED, 100 * 1024**2)], ids=["told", "sent"]
)
async def test_disk_takes_no_more_than_its_limit(header: tuple[bytes, bytes], size: int) -> None:
    """Of five gigabytes, whether announced or not."""
    exchange = Exchange(CONTENT, header)
    application = with_body_limits(cast("Application", get_asgi_application()))

    assert await exchange.run(application, body(size)) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_only_the_file_itself_may_be_large() -> None:
    assert does_take_files(CONTENT)
    assert not does_take_files("/uploads/")
    assert not does_take_files(CONTENT.replace("content", "completion"))


def test_disk_says_why_it_refuses(writer: Client) -> None:
    target = begin(writer, picture())

    for data in ({}, {"file": "text"}, {"file": SimpleUploadedFile("a", b"other")}):
        response = writer.post(target["url"], data)
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert response.json()["error"] == OTHER_SIZE


def test_completion_waits_for_the_file_and_may_be_repeated(
    writer: Client, storage: Storage
) -> None:
    content = picture()
    target = begin(writer, content)
    name = str(Upload.objects.get().file.name)
    assert finish(writer, target) == (HTTPStatus.CONFLICT, NOT_ARRIVED)
    assert not storage.exists(name)

    for _ in range(2):  # as after a connection that broke before the answer came
        send_to(writer, target, content)
    assert finish(writer, target) == (HTTPStatus.OK, "")
    assert finish(writer, target) == (HTTPStatus.OK, "")


def test_upload_that_goes_while_its_file_is_looked_at(
    writer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: twenty newer uploads in another window, and an error page for this one."""
    read = Upload.read

    def read_and_lose(upload: Upload) -> bytes:
        content = read(upload)
        Upload.objects.all().delete()
        return content

    monkeypatch.setattr(Upload, "read", read_and_lose)
    target = begin(writer, picture())
    send_to(writer, target, picture())

    assert finish(writer, target) == (HTTPStatus.CONFLICT, NOT_ARRIVED)


def test_form_whose_kept_file_goes_meanwhile_comes_back(
    writer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Upload, "note_completion", lambda _: False)
    file = SimpleUploadedFile("oak.png", picture(), "image/png")

    page = writer.post("/articles/new/", FIELDS | {"title": "", "cover": file})

    assert page.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert FIELDS["body"] in page.content.decode()


def test_upload_that_is_not_complete_cannot_be_used(writer: Client) -> None:
    content = picture()
    target = begin(writer, content)
    send_to(writer, target, content)

    page = writer.post("/articles/new/", FIELDS | {"cover-upload": str(target["id"])})

    assert GONE in page.content.decode()
    assert not Article.objects.exists()


@pytest.mark.parametrize("pk", ["0" * 32, "1", "", "'; DROP TABLE", "\0", "x" * 1000])
def test_unknown_upload_is_an_error_of_the_field(writer: Client, pk: str) -> None:
    page = writer.post("/articles/new/", FIELDS | {"cover-upload": pk})

    if "\0" not in pk:
        assert GONE in page.content.decode()
        assert TYPED in page.content.decode()
        assert 'type="checkbox" class="checkbox checkbox-sm" name="cover-upload" value=""' in (
            page.content.decode()
        )
    assert not Article.objects.exists()


def test_uploads_of_others_do_not_exist(writer: Client) -> None:
    content = picture()
    target = begin(writer, content)
    mine = uploaded(writer)
    other = Client()
    other.force_login(make_user("eve@example.org"))

    assert other.post(target["complete"]).status_code == HTTPStatus.NOT_FOUND
    if target["url"].startswith("/"):
        assert send_to(other, target, content) == HTTPStatus.NOT_FOUND
    page = other.post("/articles/new/", FIELDS | {"cover-upload": mine})
    assert GONE in page.content.decode()
    assert not Article.objects.exists()
    assert Upload.objects.count() == 2


def test_visitors_cannot_upload(writer: Client) -> None:
    target = begin(writer, picture())
    visitor = Client()

    for url in ("/uploads/", target["url"], target["complete"]):
        response = visitor.post(url)
        assert response.status_code == HTTPStatus.UNAUTHORIZED
        assert response.json()["error"] == SIGNED_OUT
        assert writer.get(url).status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_forged_request_is_refused(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)

    assert client.post("/uploads/", {"name": "a"}).status_code == HTTPStatus.FORBIDDEN


def test_incoming_files_are_served_to_no_one(writer: Client, storage: Storage) -> None:
    uploaded(writer)
    name = str(Upload.objects.get().file.name)

    if storage.url(name).startswith("/"):
        assert writer.get(storage.url(name)).status_code == HTTPStatus.NOT_FOUND
    else:
        assert get(storage.url(name).partition("?")[0])[0] == HTTPStatus.FORBIDDEN


def test_one_person_cannot_begin_without_end(writer: Client, settings: Settings) -> None:
    settings.UPLOADS_PER_MINUTE = 2
    content = picture()

    assert [begin(writer, content)["status"] for _ in range(3)] == [201, 201, 429]
    assert begin(writer, content)["error"] == TOO_MANY


def test_oldest_uploads_of_a_person_make_room(writer: Client, ada: User, disk: Path) -> None:
    first = uploaded(writer)
    file = disk / str(Upload.objects.get().file.name)
    other = Upload.objects.begin(make_user("eve@example.org"), name="a", size=1)
    for _ in range(MOST):
        Upload.objects.begin(ada, name="a", size=1, content_type="image/png")

    assert not Upload.objects.filter(pk=first).exists()
    assert not file.exists()
    assert Upload.objects.of(ada).count() == MOST
    assert Upload.objects.filter(pk=other.pk).exists()


def test_unused_uploads_are_deleted_after_a_day(writer: Client, storage: Storage) -> None:
    old, new = uploaded(writer), uploaded(writer)
    names = {str(row.pk): str(row.file.name) for row in Upload.objects.all()}
    Upload.objects.filter(pk=old).update(created_at=timezone.now() - timedelta(hours=25))

    delete_unused_uploads()

    assert [str(row.pk) for row in Upload.objects.all()] == [new]
    assert not storage.exists(names[old])
    assert storage.exists(names[new])


def test_uploads_go_with_their_owner(writer: Client, ada: User, disk: Path) -> None:
    uploaded(writer)

    ada.delete()

    assert not list((disk / "incoming").iterdir())


@pytest.mark.xdist_group("s3")
def test_unavailable_storage_keeps_the_upload(
    writer: Client, settings: Settings, s3_server: Any
) -> None:
    store_in(settings, s3_server)
    pk = uploaded(writer)
    content = picture()
    target = begin(writer, content)
    send_to(writer, target, content)

    store_in(settings, s3_server, endpoint_url="http://127.0.0.1:9")
    assert finish(writer, target)[0] == HTTPStatus.SERVICE_UNAVAILABLE
    page = writer.post("/articles/new/", FIELDS | {"cover-upload": pk}).content.decode()
    assert UNAVAILABLE.replace("'", "&#x27;") in page
    assert f'name="cover-upload" value="{pk}"' in page
    assert page.count(TYPED) >= 2

    store_in(settings, s3_server)
    assert finish(writer, target)[0] == HTTPStatus.OK
    writer.post("/articles/new/", FIELDS | {"cover-upload": pk})
    assert Article.objects.get().cover


@pytest.mark.xdist_group("s3")
def test_beginning_asks_s3_nothing(writer: Client, settings: Settings, s3_server: Any) -> None:
    store_in(settings, s3_server, endpoint_url="http://127.0.0.1:9")

    assert begin(writer, picture())["status"] == HTTPStatus.CREATED
