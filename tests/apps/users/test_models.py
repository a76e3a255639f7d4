import pytest
from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from apps.users.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_email_is_stored_in_lower_case() -> None:
    user = make_user("Ada@Example.ORG")

    assert user.email == "ada@example.org"
    assert User.objects.get().email == "ada@example.org"


def test_email_is_unique_regardless_of_case() -> None:
    make_user("ada@example.org")

    with pytest.raises(IntegrityError), transaction.atomic():
        make_user("ADA@example.org")
    with pytest.raises(ValidationError, match="already exists"):
        User(email="Ada@example.org", password="x").full_clean()


def test_email_lookup_ignores_case() -> None:
    user = make_user("ada@example.org")

    assert User.objects.get(email="ADA@example.org") == user
    assert User.objects.get_by_natural_key("ADA@example.org") == user


def test_database_rejects_uppercase_email() -> None:
    user = make_user()

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE users_user SET email = 'A@b.org' WHERE id = %s", [user.pk])


def test_display_name_never_reveals_the_full_email() -> None:
    assert str(make_user("ada@example.org")) == "ada"
    assert str(make_user(display_name="Ada Lovelace")) == "Ada Lovelace"


def test_user_requires_an_email() -> None:
    with pytest.raises(ValueError, match="email address"):
        User.objects.create_user("")


def test_createsuperuser_makes_staff_that_can_sign_in_by_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse")
    call_command("createsuperuser", email="root@example.org", interactive=False, verbosity=0)

    root = User.objects.get()
    assert root.is_superuser
    assert root.is_staff
    assert root.check_password("correct horse")


def test_first_administrator_can_sign_in_at_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`createsuperuser` makes production's first account, whose address no email confirms."""
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a-joint-of-wood-29")
    call_command("createsuperuser", email="Root@example.org", interactive=False, verbosity=0)

    response = client.post(
        "/accounts/login/", {"login": "root@example.org", "password": "a-joint-of-wood-29"}
    )

    assert response["Location"] == "/"
    assert client.session["_auth_user_id"] == str(User.objects.get().pk)


def test_administrator_cannot_take_an_address_of_another_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = make_user()
    EmailAddress.objects.create(user=other, email="root@example.org", verified=True)
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a-joint-of-wood-29")

    with pytest.raises(CommandError, match="confirmed for another account"):
        call_command("createsuperuser", email="root@example.org", interactive=False, verbosity=0)

    assert User.objects.count() == 1
