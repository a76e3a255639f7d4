import io
import struct
import zlib
from http import HTTPStatus
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings
from zeal import zeal_ignore

from apps.users.models import User
from dovetail.media.variants import variant_of
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db


def test_profile_form_requires_login(client: Client) -> None:
    response = client.get("/people/me/edit/")

    assert response["Location"] == "/accounts/login/?next=/people/me/edit/"


def test_profile_can_be_edited(client: Client, settings: Settings, tmp_path: Path) -> None:
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


def test_invalid_avatar_leaves_the_profile_unchanged(client: Client) -> None:
    user = make_user(display_name="Ada")
    client.force_login(user)

    response = client.post(
        "/people/me/edit/",
        {"display_name": "Eve", "avatar": SimpleUploadedFile("me.png", b"<svg/>", "image/png")},
    )

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    user.refresh_from_db()
    assert user.display_name == "Ada"


def test_avatar_is_kept_if_no_file_is_uploaded(client: Client) -> None:
    user = make_user(avatar="avatars/me.webp")
    client.force_login(user)

    client.post("/people/me/edit/", {"display_name": "Ada"})

    user.refresh_from_db()
    assert user.avatar.name == "avatars/me.webp"


def test_profile_shows_only_published_articles(client: Client) -> None:
    author = make_user(display_name="Ada", biography="Writes engines.")
    make_article(author, title="Notes")
    assert f'href="/people/{author.pk}/"' in client.get("/articles/").content.decode()
    make_article(author, title="Secret plan", published=False)

    page = client.get(f"/people/{author.pk}/").content.decode()

    assert "Writes engines." in page
    assert "Notes" in page
    assert "Secret plan" not in page
    assert author.email not in page


def profile_as(client: Client, user: User, owner: User) -> str:
    """Return the owner's profile page as the user sees it."""
    client.force_login(user)
    # The session's user and the profile are two queries that zeal takes for a repeated one.
    with zeal_ignore([{"model": "users.User", "field": "get()"}]):
        return client.get(f"/people/{owner.pk}/").content.decode()


def test_profile_links_to_its_form_for_its_owner(client: Client) -> None:
    owner = make_user()

    page = profile_as(client, owner, owner)

    assert "Edit profile" in page
    assert "Articles you publish will appear here." in page


def test_profile_does_not_link_to_its_form_for_others(client: Client) -> None:
    page = profile_as(client, make_user(), make_user())

    assert "Edit profile" not in page
    assert "Nothing published yet" in page


def test_profile_of_an_inactive_user_is_not_found(client: Client) -> None:
    author = make_user(is_active=False)

    assert client.get(f"/people/{author.pk}/").status_code == HTTPStatus.NOT_FOUND


def upload(client: Client, size: tuple[int, int], color: str = "teal") -> None:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "JPEG")
    avatar = SimpleUploadedFile("me.jpg", file.getvalue())
    client.post("/people/me/edit/", {"display_name": "Ada", "avatar": avatar})


@pytest.fixture
def user(client: Client, settings: Settings, tmp_path: Path) -> User:
    """Return the signed-in user, whose uploads are stored in `tmp_path`."""
    settings.MEDIA_ROOT = tmp_path
    user = make_user()
    client.force_login(user)
    return user


def test_avatar_is_cropped_and_gets_variants(
    client: Client,
    user: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        upload(client, (900, 300))

    user.refresh_from_db()
    variants = {name: variant_of(user.avatar, name) for name in ("small", "large")}
    for file, side in ((user.avatar, 512), (variants["small"], 96), (variants["large"], 256)):
        with Image.open(file.path) as image:
            assert image.size == (side, side)
    page = client.get("/").content.decode()
    assert f'src="{variants["small"].url}"' in page
    assert variants["large"].url not in page


def test_replacing_an_avatar_deletes_its_files(
    client: Client,
    user: User,
    tmp_path: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    for color in ("teal", "red"):
        with django_capture_on_commit_callbacks(execute=True):
            upload(client, (60, 80), color)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    user.refresh_from_db()
    stem = Path(str(user.avatar.name)).name
    kinds = [f".{size}.{kind}" for size in ("small", "large") for kind in ("avif", "webp")]
    assert {path.name for path in files} == {stem + suffix for suffix in ["", *kinds]}

    with django_capture_on_commit_callbacks(execute=True):
        client.post("/people/me/edit/", {"display_name": "Ada", "avatar-clear": "on"})

    user.refresh_from_db()
    assert user.avatar.name == ""
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


SCRIPT = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def decompression_bomb() -> bytes:
    """Return a PNG of a few bytes that would take 10 GB when decoded."""
    file = io.BytesIO()
    Image.new("1", (1, 1)).save(file, "PNG")
    content = bytearray(file.getvalue())
    content[16:24] = struct.pack(">II", 50_000, 50_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"not an image", "me.png"),
        (SCRIPT, "me.svg"),
        (SCRIPT, "me.png"),
        (decompression_bomb(), "me.png"),
        (b"GIF89a", "me.gif"),
        (b"\x89PNG\r\n\x1a\n", "me.png"),
    ],
)
def test_files_that_are_not_images_are_rejected(
    client: Client, settings: Settings, tmp_path: Path, content: bytes, name: str
) -> None:
    settings.MEDIA_ROOT = tmp_path
    user = make_user()
    client.force_login(user)

    response = client.post(
        "/people/me/edit/", {"display_name": "Eve", "avatar": SimpleUploadedFile(name, content)}
    )

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not list(tmp_path.rglob("*"))
