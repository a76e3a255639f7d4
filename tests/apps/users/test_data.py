"""Data export, and deletion and restoration of accounts."""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from apps.articles.models import Article
from apps.users.models import DataExport, User
from apps.users.personal_data import collect
from apps.users.tasks import collect_data, remove_deleted_accounts, remove_old_exports
from tests.apps.users.conftest import PASSWORD, SECRET, add_totp, reauthenticate
from tests.factories import make_article, make_token, make_user

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Client]


@pytest.fixture(autouse=True)
def _media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def request_export(client: Client) -> Any:
    reauthenticate(client)
    return client.post("/people/me/data/exports/")


def test_export_is_collected_and_emailed(
    client: Client,
    member: User,
    log_in: LogIn,
    mailoutbox: list[EmailMessage],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_article(member, title="My secret plan", published=False)
    make_article(title="By someone else")
    log_in(member)
    with django_capture_on_commit_callbacks(execute=True):
        request_export(client)

    export = DataExport.objects.get()
    message = mailoutbox[-1]
    assert message.to == [member.email]
    assert f"http://localhost:8000/people/me/data/exports/{export.pk}/" in str(message.body)
    response = client.get(f"/people/me/data/exports/{export.pk}/")
    assert response["Content-Disposition"].startswith("attachment")
    data = response.json()
    assert data["account"]["email"] == member.email
    assert [row["title"] for row in data["articles.article"]] == ["My secret plan"]
    assert data["sessions"]
    assert "Download" in client.get("/people/me/data/").content.decode()


def test_export_contains_no_secrets(member: User) -> None:
    add_totp(member)
    token, _ = make_token(member, name="Backup script")

    text = str(collect(member))

    assert member.password not in text
    assert SECRET not in text
    assert "seed" not in text
    assert "session_key" not in text
    assert token.digest not in text
    assert "Backup script" in text


def test_export_requires_reauthentication(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)

    response = client.post("/people/me/data/exports/")

    assert response["Location"].startswith("/accounts/reauthenticate/")
    assert not DataExport.objects.exists()


def test_download_requires_reauthentication_and_returns_to_the_list(
    client: Client, member: User, log_in: LogIn
) -> None:
    """Kind: what was proved for asking is not proved for taking, a week later and elsewhere."""
    export = DataExport.objects.create(user=member, content={"secret": "plan"})
    log_in(member)

    response = client.get(f"/people/me/data/exports/{export.pk}/")

    assert response["Location"] == "/accounts/reauthenticate/?next=%2Fpeople%2Fme%2Fdata%2F"
    form = client.post(response["Location"], {"password": PASSWORD})
    assert form["Location"] == "/people/me/data/"
    assert client.get(f"/people/me/data/exports/{export.pk}/").json() == {"secret": "plan"}


def test_only_one_export_per_hour(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)
    request_export(client)
    request_export(client)

    assert DataExport.objects.count() == 1


def test_export_is_available_to_its_owner_for_a_week(client: Client, member: User) -> None:
    export = DataExport.objects.create(user=member, content={})
    url = f"/people/me/data/exports/{export.pk}/"
    assert client.get(url)["Location"].startswith("/accounts/login/")
    client.force_login(make_user())
    assert client.get(url).status_code == HTTPStatus.NOT_FOUND
    client.force_login(member)
    reauthenticate(client)
    assert client.get(url).status_code == HTTPStatus.OK

    DataExport.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert client.get(url).status_code == HTTPStatus.NOT_FOUND
    remove_old_exports.delay()
    assert not DataExport.objects.exists()


def test_repeated_task_sends_one_email(member: User, mailoutbox: list[EmailMessage]) -> None:
    export = DataExport.objects.create(user=member)
    collect_data.delay(str(export.pk))
    collect_data.delay(str(export.pk))

    assert len(mailoutbox) == 1


def delete_account(client: Client) -> Any:
    reauthenticate(client)
    return client.post("/people/me/deletion/", follow=True)


def test_deletion_requires_reauthentication(client: Client, member: User, log_in: LogIn) -> None:
    log_in(member)

    assert client.get("/people/me/deletion/")["Location"].startswith("/accounts/reauthenticate/")
    client.post("/people/me/deletion/")
    member.refresh_from_db()
    assert member.is_active


def test_deletion_hides_the_account_and_ends_its_session(
    client: Client, member: User, log_in: LogIn, mailoutbox: list[EmailMessage]
) -> None:
    article = make_article(member)
    log_in(member)
    mailoutbox.clear()

    response = delete_account(client)

    assert "sign in within two weeks" in response.content.decode()
    assert [message.subject for message in mailoutbox] == ["Your account has been deleted"]
    assert client.get("/people/me/edit/").status_code == HTTPStatus.FOUND
    assert client.get(f"/people/{member.pk}/").status_code == HTTPStatus.NOT_FOUND
    assert client.get(f"/articles/{article.slug}/").status_code == HTTPStatus.NOT_FOUND


def test_login_restores_what_the_deletion_deleted(
    client: Client, member: User, log_in: LogIn
) -> None:
    kept, thrown_away = make_article(member), make_article(member, title="Old")
    thrown_away.delete()
    log_in(member)
    delete_account(client)

    log_in(member)

    assert "Welcome back" in client.get("/").content.decode()
    member.refresh_from_db()
    assert member.is_active
    assert member.deleted_at is None
    assert list(Article.objects.filter(author=member)) == [kept]


def test_password_without_the_second_factor_restores_nothing(member: User, log_in: LogIn) -> None:
    add_totp(member)
    member.request_deletion()

    log_in(member)

    member.refresh_from_db()
    assert member.deleted_at


def test_wrong_password_restores_nothing(client: Client, member: User) -> None:
    member.request_deletion()

    client.post("/accounts/login/", {"login": member.email, "password": "wrong"})

    member.refresh_from_db()
    assert member.deleted_at


def test_unrestorable_rows_do_not_block_restoring_the_account(
    member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = make_article(member)
    member.request_deletion()

    def refuse(_: Article) -> None:
        raise ValidationError("Another row has taken its place.")

    monkeypatch.setattr(Article, "restore", refuse)
    member.restore()

    assert member.is_active
    assert Article.all_objects.get(pk=article.pk).is_deleted


def test_login_does_not_restore_a_deactivated_account(
    client: Client, member: User, log_in: LogIn
) -> None:
    member.is_active = False
    member.save()

    log_in(member)

    assert "_auth_user_id" not in client.session
    member.refresh_from_db()
    assert not member.is_active


def test_deleted_accounts_are_removed_after_two_weeks(
    settings: Settings, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    gone, waiting = make_user(password=PASSWORD), make_user()
    EmailAddress.objects.create(user=gone, email=gone.email, verified=True, primary=True)
    gone.avatar.save("me.webp", ContentFile(b"picture"))
    article = make_article(gone)
    article.cover.save("cover.webp", ContentFile(b"picture"))
    names = [str(gone.avatar.name), str(article.cover.name)]
    assert all(default_storage.exists(name) for name in names)
    for user in (gone, waiting):
        user.request_deletion()
    long_ago = timezone.now() - settings.ACCOUNT_DELETION_GRACE - timedelta(minutes=1)
    User.objects.filter(pk=gone.pk).update(deleted_at=long_ago)

    with django_capture_on_commit_callbacks(execute=True):
        remove_deleted_accounts.delay()
    remove_deleted_accounts.delay()

    assert list(User.objects.all()) == [waiting]
    assert not Article.all_objects.exists()
    assert not EmailAddress.objects.exists()
    assert not any(default_storage.exists(name) for name in names)
