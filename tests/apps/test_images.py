"""Kind: what a member can cost the site with pictures, in every form that takes one."""

import re
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pytest_django.fixtures import Settings

from apps.articles.models import Article
from apps.users.models import User
from dovetail.media import images
from tests.apps.test_files import picture
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db

TYPED = "Two boards, eight pins"


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the formats that have been decoded."""
    kinds: list[str] = []
    Image.init()
    factory, accept = Image.OPEN["PNG"]

    def watch(*args: Any) -> Any:
        kinds.append("PNG")
        return factory(*args)

    monkeypatch.setitem(Image.OPEN, "PNG", (watch, accept))
    return kinds


Form = tuple[str, dict[str, str], str]  # URL, fields, and the name of the field for the picture


def new_article(user: User) -> Form:
    del user
    return "/articles/new/", {"title": TYPED, "body": TYPED, "category": "design"}, "cover"


def article(user: User) -> Form:
    url = make_article(user).get_absolute_url()
    return f"{url}edit/", {"title": TYPED, "body": TYPED, "category": "design"}, "cover"


def profile(user: User) -> Form:
    del user
    return "/people/me/edit/", {"display_name": TYPED, "biography": TYPED}, "avatar"


def new_article_in_the_admin(user: User) -> Form:
    fields = {"title": TYPED, "body": TYPED, "category": "design", "author": str(user.pk)}
    return "/admin/articles/article/add/", fields, "cover"


def article_in_the_admin(user: User) -> Form:
    fields = {"title": TYPED, "body": TYPED, "category": "design", "author": str(user.pk)}
    return f"/admin/articles/article/{make_article(user).pk}/change/", fields, "cover"


FORMS: list[Callable[[User], Form]] = [
    new_article,
    article,
    profile,
    new_article_in_the_admin,
    article_in_the_admin,
]
MISTAKES = [
    {"title": "", "display_name": "x" * 99},
    {"category": "none", "biography": "x" * 999},
    {"summary": "x" * 999, "display_name": "x" * 99},
]


def administrator() -> tuple[User, Client]:
    user = User.objects.create_superuser("root@example.org", "correct horse battery")
    client = Client()
    client.force_login(user)
    return user, client


def text_of(response: Any) -> str:
    return str(response.content.decode())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_image_of_a_form_with_mistakes_is_not_decoded(
    decoded: list[str], form: Callable[[User], Form], mistake: dict[str, str]
) -> None:
    user, client = administrator()
    url, fields, name = form(user)

    response = client.post(url, {**fields, **mistake, name: picture()})

    assert response.status_code in {HTTPStatus.OK, HTTPStatus.UNPROCESSABLE_ENTITY}
    assert TYPED in text_of(response)
    assert decoded == []


@pytest.mark.parametrize("form", FORMS)
def test_image_of_a_form_without_mistakes_is_decoded_once(
    decoded: list[str], media: Path, form: Callable[[User], Form]
) -> None:
    user, client = administrator()
    url, fields, name = form(user)

    response = client.post(url, {**fields, name: picture()})

    assert response.status_code in {HTTPStatus.FOUND, HTTPStatus.SEE_OTHER}, text_of(response)
    assert decoded == ["PNG"]
    for path in media.rglob("*.webp"):
        with Image.open(path) as stored:
            assert stored.format == "WEBP"


@pytest.mark.parametrize("form", FORMS)
def test_busy_process_keeps_what_was_typed(
    monkeypatch: pytest.MonkeyPatch, form: Callable[[User], Form]
) -> None:
    monkeypatch.setattr(images, "PATIENCE", 0.01)
    user, client = administrator()
    url, fields, name = form(user)
    _, decoding = images._places(1)  # noqa: SLF001 - as another request does

    with decoding:
        response = client.post(url, {**fields, name: picture()})
    assert response.status_code in {HTTPStatus.OK, HTTPStatus.UNPROCESSABLE_ENTITY}
    assert "Too many images are being processed right now" in text_of(response)
    assert TYPED in text_of(response)

    response = client.post(url, {**fields, name: picture()})
    assert response.status_code in {HTTPStatus.FOUND, HTTPStatus.SEE_OTHER}, text_of(response)


def test_only_a_few_requests_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: those who wait hold all connections to the database."""
    monkeypatch.setattr(images, "PATIENCE", 60)
    admitted, decoding = images._places(1)  # noqa: SLF001
    results: list[str] = []

    def upload() -> None:
        try:
            results.append(str(images.clean_image(picture()).name))
        except ValidationError as error:
            results.append(str(error.code))

    with decoding:
        waiting = [Thread(target=upload) for _ in range(images.WAITING + 1)]
        for thread in waiting:
            thread.start()
        while admitted._value:  # noqa: SLF001 - until all of them have taken their places
            time.sleep(0.001)
        upload()
    for thread in waiting:
        thread.join()

    assert results == ["busy", *["image.webp"] * (images.WAITING + 1)]


def test_uploads_of_a_person_are_limited(settings: Settings) -> None:
    settings.IMAGE_UPLOADS_PER_MINUTE = 2
    (_, client), other = administrator(), Client()
    other.force_login(make_user())
    fields = {"display_name": TYPED, "biography": TYPED}

    client.post("/people/me/edit/", {**fields, "display_name": "x" * 99, "avatar": picture()})
    for _ in range(2):
        response = client.post("/people/me/edit/", {**fields, "avatar": picture()})
        assert response.status_code == HTTPStatus.SEE_OTHER
    article = {"title": TYPED, "body": TYPED, "category": "design", "cover": picture()}
    refused = client.post("/articles/new/", article)

    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "You have uploaded a lot of images in a short time." in text_of(refused)
    assert TYPED in text_of(refused)
    del article["cover"]
    assert client.post("/articles/new/", article).status_code == HTTPStatus.SEE_OTHER
    response = other.post("/people/me/edit/", {**fields, "avatar": picture()})
    assert response.status_code == HTTPStatus.SEE_OTHER
    cache.clear()  # a minute later
    response = client.post("/people/me/edit/", {**fields, "avatar": picture()})
    assert response.status_code == HTTPStatus.SEE_OTHER


def test_rejected_image_leaves_the_stored_one(media: Path) -> None:
    author, client = administrator()
    row = make_article(author)
    fields = {"title": TYPED, "body": TYPED, "category": "design"}
    url = f"{row.get_absolute_url()}edit/"
    client.post(url, {**fields, "cover": picture()})
    stored = str(Article.objects.get().cover)
    cut_off = SimpleUploadedFile("me.png", picture().read()[:60])

    response = client.post(url, {**fields, "title": "Other", "cover": cut_off})

    assert re.search(r"isn(&#x27;|')t an image", text_of(response))
    assert Article.objects.get().cover.name == stored
    assert (media / stored).exists()


def test_size_of_a_stored_image_is_read_without_its_metadata() -> None:
    row = make_article()
    row.cover.save("cover.png", picture())

    assert (row.cover.width, row.cover.height) == (40, 40)
    assert (Article.objects.get().cover.width, row.cover.closed) == (40, row.cover.closed)
