"""Uploaded files: how they are named, and that they go when nothing refers to them any more."""

import io
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from threading import Barrier, Event

import pytest
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from PIL import Image
from pytest_django.fixtures import Settings

from apps.articles.models import Article
from apps.users.forms import ProfileForm
from apps.users.models import User
from apps.users.tasks import remove_deleted_accounts
from dovetail.media.names import original_of, variant_name
from tests.dovetail.media.test_names import HOSTILE
from tests.dovetail.models.test_conflicts import in_threads
from tests.factories import make_article, make_user

# Clients cannot send a lone surrogate, and Django drops an upload without a name.
SENDABLE = [name for name in HOSTILE if name.strip(".\0") and "\ud800" not in name]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def files(media: Path) -> set[str]:
    return {str(path.relative_to(media)) for path in media.rglob("*") if path.is_file()}


def uploads(media: Path) -> set[str]:
    """Return the files without the variants of images."""
    return {name for name in files(media) if original_of(name) is None}


def picture(name: str = "me.png", color: str = "teal") -> SimpleUploadedFile:
    file = io.BytesIO()
    Image.new("RGB", (40, 40), color).save(file, "PNG")
    return SimpleUploadedFile(name, file.getvalue())


def files_of(user: User) -> set[str]:
    """Return the names of a person's avatar and of its variants."""
    variants = [(name, kind) for name in user.avatar_variants["made"] for kind in ("avif", "webp")]
    return {
        str(user.avatar),
        *(variant_name(str(user.avatar), name, kind) for name, kind in variants),
    }


def illustrated(author: User | None = None) -> Article:
    article = make_article(author)
    article.cover.save("cover.webp", ContentFile(b"a picture"))
    return article


# Names


@pytest.mark.parametrize("name", SENDABLE)
def test_any_file_name_can_be_uploaded(client: Client, media: Path, name: str) -> None:
    """Names that are too long for the disk or the column, or that consist of one emoji."""
    client.force_login(make_user())
    upload = picture()
    upload.__dict__["_name"] = name  # as a hostile client sends it

    response = client.post(
        "/articles/new/",
        {"title": "A", "body": "B", "category": "design", "cover": upload},
    )

    assert response.status_code == HTTPStatus.SEE_OTHER, response.content.decode()
    if stored := str(Article.objects.get().cover):  # Django drops an upload without a name
        assert uploads(media) == {stored}
        assert len(stored) == len("covers/.webp") + 32


def test_admin_names_and_encodes_uploads_too(admin_client: Client, media: Path) -> None:
    fields = {"title": "A", "body": "B", "category": "design", "author": make_user().pk}

    admin_client.post("/admin/articles/article/add/", {**fields, "cover": picture("木" * 86)})

    (stored,) = uploads(media)
    assert stored.startswith("covers/")
    assert stored.endswith(".webp")
    with Image.open(media / stored) as image:
        assert image.format == "WEBP"


def test_names_given_in_code_are_replaced(media: Path) -> None:
    article = make_article()
    article.cover.save("木" * 100 + ".webp", ContentFile(b"a picture"))

    assert files(media) == {str(article.cover)}


# Cleanup


def replace(article: Article) -> None:
    article.cover = ContentFile(b"another picture", name="cover.webp")
    article.save()


def clear(article: Article) -> None:
    article.cover = ""
    article.save()


def clear_in_bulk(article: Article) -> None:
    Article.objects.filter(pk=article.pk).update(cover="")


def clear_with_bulk_update(article: Article) -> None:
    article.cover = ""
    Article.objects.bulk_update([article], ["cover"])


def delete_for_good(article: Article) -> None:
    article.hard_delete()


def delete_for_good_in_bulk(article: Article) -> None:
    Article.objects.filter(pk=article.pk).hard_delete()


def delete_the_author(article: Article) -> None:
    article.author.delete()


def delete_authors_in_bulk(article: Article) -> None:
    User.objects.filter(pk=article.author_id).delete()


def upsert(article: Article) -> None:
    article.cover = ""
    Article.objects.bulk_create(
        [article], update_conflicts=True, unique_fields=["id"], update_fields=["cover"]
    )


CHANGES: list[Callable[[Article], None]] = [
    replace,
    clear,
    clear_in_bulk,
    clear_with_bulk_update,
    delete_for_good,
    delete_for_good_in_bulk,
    delete_the_author,
    delete_authors_in_bulk,
    upsert,
]


@pytest.mark.parametrize("change", CHANGES)
def test_file_without_a_row_is_deleted_after_the_commit(
    media: Path, change: Callable[[Article], None]
) -> None:
    article = illustrated()
    old = str(article.cover)

    with transaction.atomic():
        change(article)
        assert old in files(media)

    assert old not in files(media)
    assert files(media) == {str(row.cover) for row in Article.objects.all() if row.cover}


@pytest.mark.parametrize("change", CHANGES)
def test_file_stays_if_the_change_is_rolled_back(
    media: Path, change: Callable[[Article], None]
) -> None:
    article = illustrated()
    old = str(article.cover)

    with transaction.atomic():
        change(article)
        transaction.set_rollback(True)

    assert old in files(media)
    assert str(Article.objects.get().cover) == old


@pytest.mark.parametrize("change", CHANGES)
def test_file_stays_while_another_row_refers_to_it(
    media: Path, change: Callable[[Article], None]
) -> None:
    article = illustrated()
    old = str(article.cover)
    copy = make_article(cover=old)

    change(article)
    assert old in files(media)

    copy.hard_delete()
    assert old not in files(media)


def test_file_is_deleted_once(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deleted: list[str] = []
    delete = FileSystemStorage.delete

    def record(storage: FileSystemStorage, name: str) -> None:
        deleted.append(name)
        delete(storage, name)

    monkeypatch.setattr(FileSystemStorage, "delete", record)
    article = illustrated()
    old = str(article.cover)

    with transaction.atomic():
        replace(article)
        article.save()
        article.hard_delete()

    assert deleted.count(old) == 1
    assert not files(media)


def test_soft_deleted_row_keeps_its_file_until_it_is_deleted_for_good(media: Path) -> None:
    article = illustrated()
    article.delete()
    assert files(media) == {str(article.cover)}

    article.restore()
    assert files(media) == {str(article.cover)}

    article.delete()
    article.hard_delete()
    assert not files(media)


def test_change_of_other_fields_keeps_the_file(media: Path) -> None:
    article = illustrated()

    article.save()
    Article.objects.get(pk=article.pk).save()
    Article.objects.defer("cover").get(pk=article.pk).save()
    Article.objects.update(title="B")
    article.publish()

    assert files(media) == {str(article.cover)}


def test_files_that_are_replaced_at_once_leave_only_the_last(media: Path) -> None:
    """What was loaded may be outdated: what is stored counts."""
    pk, start = illustrated().pk, Barrier(4)

    def replace_together() -> None:
        article = Article.objects.get(pk=pk)
        start.wait()
        replace(article)

    assert in_threads(*[replace_together] * 4) == [None] * 4

    assert files(media) == {str(Article.objects.get().cover)}


@pytest.mark.parametrize(
    "delete", [Article.hard_delete, lambda row: row.author.delete()], ids=["row", "author"]
)
def test_row_that_was_loaded_before_its_file_was_replaced(
    media: Path, delete: Callable[[Article], object]
) -> None:
    """Kind: an outdated row names a file that is gone, and the one that took its place stays."""
    article = illustrated()
    outdated = Article.objects.select_related("author").get()
    article.cover.save("cover.webp", ContentFile(b"another picture"))

    delete(outdated)

    assert not files(media)


def test_account_that_was_loaded_before_its_picture_was_resized(media: Path) -> None:
    user = make_user()
    outdated = User.objects.get()
    user.avatar.save("me.webp", ContentFile(picture().read()))
    assert len(files(media)) == 3  # as narrow as it is, it has one variant in two formats

    outdated.delete()

    assert not files(media)


def test_file_that_is_replaced_while_rows_are_deleted_in_bulk(media: Path) -> None:
    """The deletion waits for the replacement, and then knows of it."""
    article, replaced = illustrated(), Event()

    def replace_slowly() -> None:
        with transaction.atomic():
            article.cover.save("cover.webp", ContentFile(b"another picture"))
            replaced.set()
            wait_until_blocked()

    def delete_in_bulk() -> None:
        replaced.wait(30)
        Article.objects.all().hard_delete()

    assert in_threads(replace_slowly, delete_in_bulk) == [None, None]

    assert not files(media)


def wait_until_blocked() -> None:
    """Wait until another transaction waits for a lock."""
    blocked = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
    with connection.cursor() as cursor:
        while True:
            cursor.execute(blocked, [connection.settings_dict["NAME"]])
            if cursor.fetchone():
                return
            cursor.execute("SELECT pg_stat_clear_snapshot(), pg_sleep(0.01)")


def test_form_that_does_not_save_deletes_nothing(media: Path) -> None:
    user = make_user()
    user.avatar.save("me.webp", ContentFile(picture().read()))
    before = files(media)

    with transaction.atomic():
        form = ProfileForm({"display_name": "Ada", "avatar-clear": "on"}, instance=user)
        assert form.is_valid()
        form.save(commit=False)

    assert files(media) == before


def test_avatar_and_its_variants_go_together(media: Path) -> None:
    user = make_user()
    user.avatar.save("me.webp", ContentFile(picture().read()))
    assert len(files(media)) == 3

    user.refresh_from_db()
    user.avatar.save("me.webp", ContentFile(picture(color="red").read()))
    user.refresh_from_db()
    assert files(media) == files_of(user)

    user.avatar = ""
    user.save()
    assert not files(media)


def test_removed_account_leaves_no_files(media: Path, settings: Settings) -> None:
    user = make_user()
    user.avatar.save("me.webp", ContentFile(picture().read()))
    illustrated(user)
    illustrated(user).delete()
    other = illustrated()

    user.refresh_from_db()
    user.request_deletion()
    assert len(files(media)) == 6
    settings.ACCOUNT_DELETION_GRACE *= 0
    remove_deleted_accounts()

    assert files(media) == {str(other.cover)}


# Who may see them


def seen_by(client: Client, name: str) -> bool:
    response = client.get(f"/media/{name}")
    response.close()
    assert response.status_code in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}
    return response.status_code == HTTPStatus.OK


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_cover_is_seen_by_those_who_see_the_article() -> None:
    """Kind: what a page hides is at its own URL."""
    author, other = make_user(), make_user()
    editor = make_user()
    editor.user_permissions.add(Permission.objects.get(codename="change_article"))
    article = illustrated(author)
    name = str(article.cover)
    clients = [Client(), *map(client_of, (other, author, editor))]

    assert [seen_by(client, name) for client in clients] == [True, True, True, True]
    article.unpublish()
    assert [seen_by(client, name) for client in clients] == [False, False, True, True]
    article.publish()
    assert [seen_by(client, name) for client in clients] == [True, True, True, True]
    article.delete()
    assert [seen_by(client, name) for client in clients] == [False, False, False, False]


def test_variants_are_seen_by_those_who_see_the_original(media: Path) -> None:
    author = make_user()
    article = make_article(author)
    article.cover.save("cover.webp", ContentFile(picture().read()))
    variants = files(media) - uploads(media)
    assert len(variants) == 2
    clients = [Client(), client_of(make_user()), client_of(author)]

    def seen() -> list[set[bool]]:
        return [{seen_by(client, name) for name in variants} for client in clients]

    assert seen() == [{True}] * 3
    article.unpublish()
    assert seen() == [{False}, {False}, {True}]
    article.delete()
    assert seen() == [{False}] * 3


def test_cover_that_was_replaced_is_seen_by_no_one(media: Path) -> None:
    author = make_user()
    article = illustrated(author)
    old = str(article.cover)
    replace(article)
    (media / old).write_bytes(b"not deleted, because the process was killed")

    assert not seen_by(client_of(author), old)


def test_picture_of_a_closed_account_is_hidden_until_it_is_opened_again() -> None:
    user = make_user()
    user.avatar.save("me.webp", ContentFile(picture().read()))
    user.refresh_from_db()
    names = list(files_of(user))
    illustrated(user)
    names.append(str(Article.objects.get().cover))

    user.request_deletion()
    assert [seen_by(Client(), name) for name in names] == [False] * 4

    user.restore()
    assert [seen_by(Client(), name) for name in names] == [True] * 4


def test_admin_shows_the_picture_of_a_closed_account(admin_client: Client) -> None:
    user = make_user()
    user.avatar.save("me.webp", ContentFile(picture().read()))
    user.refresh_from_db()
    user.request_deletion()

    assert seen_by(admin_client, str(user.avatar))
