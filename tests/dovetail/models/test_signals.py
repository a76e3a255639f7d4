from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.users.models import User
from dovetail.models.signals import rows_changed
from tests.dovetail.shelves.models import Book, Shelf
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def changes() -> Iterator[list[tuple[type, set[Any]]]]:
    """Record which rows of which model change."""
    recorded: list[tuple[type, set[Any]]] = []

    def record(sender: type, *, pks: list[Any], using: str, **_: Any) -> None:
        assert using == "default"
        recorded.append((sender, set(pks)))

    for model in (Shelf, Book):
        rows_changed.connect(record, sender=model)
    yield recorded
    for model in (Shelf, Book):
        rows_changed.disconnect(record, sender=model)


def test_deletion_is_sent_for_the_row_and_for_its_cascade(
    changes: list[tuple[type, set[Any]]],
) -> None:
    shelf = Shelf.objects.create(name="A")
    books = [Book.objects.create(shelf=shelf, title="A") for _ in range(2)]
    expected = [(Shelf, {shelf.pk}), (Book, {book.pk for book in books})]

    shelf.delete()
    assert changes == expected
    changes.clear()
    shelf.restore()
    assert changes == expected


def test_update_is_sent_with_the_rows_that_matched_before_it(
    changes: list[tuple[type, set[Any]]],
) -> None:
    shelf = Shelf.objects.create(name="A")
    Shelf.objects.create(name="B")

    assert Shelf.objects.filter(name="A").update(name="C") == 1

    assert changes == [(Shelf, {shelf.pk})]


def test_update_costs_one_query_when_nothing_listens(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    Shelf.objects.create(name="A")

    with django_assert_num_queries(1):
        Shelf.objects.update(name="B")


def test_upsert_is_sent_with_the_stored_rows_and_the_updated_fields() -> None:
    """Kind: a bulk operation of which open pages and revocations hear nothing."""
    stored = make_user("ada@example.org")
    sent: list[tuple[set[Any], frozenset[str]]] = []

    def record(pks: list[Any], fields: frozenset[str], **_: Any) -> None:
        sent.append((set(pks), fields))

    rows_changed.connect(record, sender=User)
    try:
        User.objects.bulk_create(
            [User(email="ada@example.org", is_active=False), User(email="new@example.org")],
            update_conflicts=True,
            unique_fields=["email"],
            update_fields=["is_active"],
        )
    finally:
        rows_changed.disconnect(record, sender=User)

    new = User.objects.get(email="new@example.org")
    assert sent == [({stored.pk, new.pk}, frozenset({"is_active"}))]
    stored.refresh_from_db()
    assert not stored.is_active
