import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

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
