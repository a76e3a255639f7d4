"""Covers and avatars by the API: the checks and limits of the forms, and the versions of rows."""

import io
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.articles.models import Article
from apps.users.models import User
from dovetail.http.bodies import does_take_files
from dovetail.media import images
from tests.apps.api.conftest import QueryCount
from tests.apps.test_files import files, picture
from tests.factories import make_article

pytestmark = pytest.mark.django_db

AVATAR = "/api/v1/users/me/avatar/"
ANY_VERSION = {"if-match": "*"}


def url(article: Article, part: str = "") -> str:
    return f"/api/v1/articles/{article.pk}/{part}"


def put(client: APIClient, address: str, headers: dict[str, str] | None = None, **sent: Any) -> Any:
    headers = ANY_VERSION if headers is None else headers
    return client.put(address, sent, format="multipart", headers=headers)


class TestCover:
    def test_is_put_and_deleted(
        self,
        as_author: APIClient,
        author: User,
        tmp_path: Path,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        article = make_article(author)

        answer = put(as_author, url(article, "cover/"), cover=picture())

        assert answer.status_code == HTTPStatus.OK, answer.content
        article.refresh_from_db()
        assert answer.json()["cover"] == f"http://testserver{article.cover.url}"
        current = as_author.get(url(article))
        assert (answer["ETag"], answer.json()) == (current["ETag"], current.json())
        with article.cover.open() as file, Image.open(file) as image:
            assert image.format == "WEBP"
        with django_capture_on_commit_callbacks(execute=True):
            gone = as_author.delete(url(article, "cover/"), headers=ANY_VERSION)
        assert gone.json()["cover"] is None
        assert gone["ETag"] == as_author.get(url(article))["ETag"]
        assert not files(tmp_path)

    def test_needs_the_version_that_was_read(
        self, as_author: APIClient, author: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        article = make_article(author)
        etag = {"if-match": as_author.get(url(article))["ETag"]}
        article.save()
        # Nothing is decoded for what is refused anyway.
        monkeypatch.setattr(images, "_webp", lambda *_: pytest.fail("has decoded the picture"))

        without = put(as_author, url(article, "cover/"), {}, cover=picture())
        late = put(as_author, url(article, "cover/"), etag, cover=picture())

        assert without.status_code == HTTPStatus.PRECONDITION_REQUIRED
        assert late.status_code == HTTPStatus.PRECONDITION_FAILED
        deleted = as_author.delete(url(article, "cover/"), headers=etag)
        assert deleted.status_code == HTTPStatus.PRECONDITION_FAILED

    def test_takes_few_queries(
        self,
        as_author: APIClient,
        author: User,
        assert_queries: QueryCount,
    ) -> None:
        article = make_article(author)
        # The session, the person and their permissions; the article, and again after the picture
        # has been decoded; its former file, and the change.
        with assert_queries(6):
            put(as_author, url(article, "cover/"), cover=picture())


def large(size: int) -> SimpleUploadedFile:
    return SimpleUploadedFile("large.png", picture().read().ljust(size, b"\0"))


class TestImage:
    def both(self, author: User, name: str, upload: Any) -> tuple[Any, Any]:
        """Return what the page and the API answer to the same upload."""
        page, client = Client(), APIClient()
        page.force_login(author)
        client.force_login(author)
        content = upload.read() if upload else b""

        def copy() -> Any:
            return SimpleUploadedFile(upload.name, content) if upload else ""

        if name == "avatar":
            on_page = page.post("/people/me/edit/", {"avatar": copy()})
            return on_page, put(client, AVATAR, avatar=copy())
        article = make_article(author)
        fields = {"title": "New", "body": "Text", "category": "design", "cover": copy()}
        on_page = page.post(f"{article.get_absolute_url()}edit/", fields)
        return on_page, put(client, url(article, "cover/"), cover=copy())

    @pytest.mark.parametrize("name", ["cover", "avatar"])
    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            ("picture", ""),
            ("text", "invalid_image"),
            ("svg", "invalid_image"),
            ("empty", "empty"),
            ("too many bytes", "too_large"),
            ("too many pixels", "too_many_pixels"),
        ],
    )
    def test_is_taken_if_the_page_takes_it(
        self, author: User, settings: Settings, name: str, kind: str, code: str
    ) -> None:
        """Kind: two ways for a picture, with two sets of rules."""
        settings.IMAGE_MAX_BYTES = 50_000
        settings.IMAGE_MAX_PIXELS = 20 * 20 if kind == "too many pixels" else 40 * 40
        upload = {
            "text": SimpleUploadedFile("me.png", b"no picture"),
            "svg": SimpleUploadedFile("me.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            "empty": SimpleUploadedFile("me.png", b""),
            "too many bytes": large(50_001),
        }.get(kind, picture())

        on_page, answer = self.both(author, name, upload)

        if code:
            assert on_page.context["form"].errors.as_data()[name][0].code == code
            assert answer.status_code == HTTPStatus.BAD_REQUEST
            [fault] = answer.json()["errors"]
            assert (fault["pointer"], fault["code"]) == (f"#/{name}", code)
        else:
            assert on_page.status_code in {HTTPStatus.FOUND, HTTPStatus.SEE_OTHER}
            assert answer.status_code == HTTPStatus.OK

    def test_has_the_limit_of_the_page(
        self, as_author: APIClient, author: User, settings: Settings
    ) -> None:
        """Kind: a limit for each way, so that there are two."""
        settings.IMAGE_UPLOADS_PER_MINUTE = 3
        self.both(author, "avatar", picture())
        self.both(author, "cover", picture())

        answer = put(as_author, AVATAR, avatar=picture())

        assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert answer.json()["code"] == "flood"
        assert answer["Retry-After"] == "60"

    def test_waits_for_its_turn(
        self, as_author: APIClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(images, "PATIENCE", 0)
        _, decoding = images._places(1)  # noqa: SLF001
        with decoding:
            answer = put(as_author, AVATAR, avatar=picture())

        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert answer.json()["code"] == "busy"
        assert answer["Retry-After"] == "5"
        assert put(as_author, AVATAR, avatar=picture()).status_code == HTTPStatus.OK

    @pytest.mark.parametrize("sent", [{}, {"avatar": "text"}, {"avatar": ""}])
    def test_is_required(self, as_author: APIClient, sent: dict[str, Any]) -> None:
        answer = put(as_author, AVATAR, **sent)

        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["#/avatar"]

    def test_is_sent_alone(self, as_author: APIClient) -> None:
        answer = put(as_author, AVATAR, avatar=picture(), is_staff="true")

        [fault] = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == ("#/is_staff", "unknown")

    @pytest.mark.parametrize(
        ("content_type", "status"),
        [
            ("application/json", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
            ("multipart/form-data", HTTPStatus.BAD_REQUEST),
            ("multipart/form-data; boundary=x", HTTPStatus.BAD_REQUEST),
        ],
    )
    def test_is_a_part_of_a_form(
        self, as_author: APIClient, content_type: str, status: HTTPStatus
    ) -> None:
        body = "--y\r\nno form"
        answer = as_author.generic("PUT", AVATAR, body, content_type, headers=ANY_VERSION)

        assert answer.status_code == status, answer.content
        assert answer["Content-Type"] == "application/problem+json"

    def test_may_be_larger_than_other_bodies(self) -> None:
        cover = reverse("api:article-cover", args=["0190163d-8694-739b-aea5-966c26f8ad91"])
        assert does_take_files(cover)
        assert does_take_files(reverse("api:avatar"))
        assert not does_take_files(reverse("api:me"))
        assert not does_take_files(reverse("api:article-list"))


class TestVariants:
    def test_are_listed_and_no_change_is_refused_for_them(
        self,
        api: APIClient,
        as_author: APIClient,
        author: User,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        article = make_article(author)
        with django_capture_on_commit_callbacks() as callbacks:
            answer = put(as_author, url(article, "cover/"), cover=picture())
        own, seen = answer["ETag"], api.get(url(article))
        assert answer.json()["cover_variants"] == seen.json()["cover_variants"] == []
        assert seen["ETag"] == own

        for callback in callbacks:
            callback()  # the task

        after = api.get(url(article), headers={"if-none-match": own})
        assert after.status_code == HTTPStatus.OK
        assert [
            (variant["name"], variant["type"]) for variant in after.json()["cover_variants"]
        ] == [("thumbnail", "image/avif"), ("thumbnail", "image/webp")]
        cover = after.json()["cover"]
        urls = [variant["url"] for variant in after.json()["cover_variants"]]
        assert urls == [f"{cover}.thumbnail.avif", f"{cover}.thumbnail.webp"]
        again = api.get(url(article), headers={"if-none-match": after["ETag"]})
        assert again.status_code == HTTPStatus.NOT_MODIFIED
        listed = api.get("/api/v1/articles/").json()["results"]
        assert listed[0]["cover_variants"] == after.json()["cover_variants"]
        changed = as_author.patch(url(article), {"title": "New"}, headers={"if-match": own})
        assert changed.status_code == HTTPStatus.OK, changed.content


class TestAvatar:
    def test_is_square_and_gets_variants(
        self,
        as_author: APIClient,
        author: User,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        wide = io.BytesIO()
        Image.new("RGB", (60, 40), "teal").save(wide, "PNG")

        with django_capture_on_commit_callbacks(execute=True):
            answer = put(as_author, AVATAR, avatar=SimpleUploadedFile("me.png", wide.getvalue()))

        assert answer.status_code == HTTPStatus.OK, answer.content
        author.refresh_from_db()
        assert answer.json()["avatar"] == f"http://testserver{author.avatar.url}"
        with author.avatar.open() as file, Image.open(file) as image:
            assert image.width == image.height
        assert author.list_avatar.name != author.avatar.name
        person = as_author.get(f"/api/v1/users/{author.pk}/").json()
        assert person["avatar"] == answer.json()["avatar"]

        with django_capture_on_commit_callbacks(execute=True):
            gone = as_author.delete(AVATAR, headers=ANY_VERSION)

        assert gone.json()["avatar"] is None
        author.refresh_from_db()
        assert not author.list_avatar

    def test_is_shown_in_lists_before_its_variants_are_made(
        self, as_author: APIClient, author: User
    ) -> None:
        make_article(author)
        avatar = put(as_author, AVATAR, avatar=picture()).json()["avatar"]

        [row] = as_author.get("/api/v1/articles/?expand=author").json()["results"]

        assert row["author"]["avatar"] == avatar

    def test_needs_the_version_that_was_read(self, as_author: APIClient, author: User) -> None:
        etag = {"if-match": as_author.get("/api/v1/users/me/")["ETag"]}
        author.save()

        without = put(as_author, AVATAR, {}, avatar=picture())
        late = put(as_author, AVATAR, etag, avatar=picture())

        assert without.status_code == HTTPStatus.PRECONDITION_REQUIRED
        assert late.status_code == HTTPStatus.PRECONDITION_FAILED
