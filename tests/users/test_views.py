import io
from http import HTTPStatus
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pytest_django.fixtures import Settings

from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db


def test_a_profile_needs_a_login(client: Client) -> None:
    response = client.get("/people/me/edit/")

    assert response["Location"] == "/accounts/login/?next=/people/me/edit/"


def test_a_person_edits_their_own_profile(
    client: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    user = make_user()
    client.force_login(user)
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    avatar = SimpleUploadedFile("me.png", file.getvalue())

    response = client.post(
        "/people/me/edit/", {"display_name": "Ada", "biography": "Hello.", "avatar": avatar}
    )

    assert response.status_code == HTTPStatus.SEE_OTHER
    user.refresh_from_db()
    assert (user.display_name, user.biography) == ("Ada", "Hello.")
    assert str(user.avatar.name).endswith(".webp")


def test_a_false_picture_is_shown_as_an_error(client: Client) -> None:
    user = make_user(display_name="Ada")
    client.force_login(user)

    response = client.post(
        "/people/me/edit/",
        {"display_name": "Eve", "avatar": SimpleUploadedFile("me.png", b"<svg/>", "image/png")},
    )

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    user.refresh_from_db()
    assert user.display_name == "Ada"


def test_a_saved_avatar_stays_when_none_is_chosen(client: Client) -> None:
    user = make_user(avatar="avatars/me.webp")
    client.force_login(user)

    client.post("/people/me/edit/", {"display_name": "Ada"})

    user.refresh_from_db()
    assert user.avatar.name == "avatars/me.webp"


def test_an_author_page_shows_what_they_published(client: Client) -> None:
    author = make_user(display_name="Ada", biography="Writes engines.")
    make_article(author, title="Notes")
    assert f'href="/articles/by/{author.pk}/"' in client.get("/articles/").content.decode()
    make_article(author, title="Secret plan", published=False)

    page = client.get(f"/articles/by/{author.pk}/").content.decode()

    assert "Writes engines." in page
    assert "Notes" in page
    assert "Secret plan" not in page
    assert author.email not in page


def test_an_inactive_author_is_not_found(client: Client) -> None:
    author = make_user(is_active=False)

    assert client.get(f"/articles/by/{author.pk}/").status_code == HTTPStatus.NOT_FOUND
