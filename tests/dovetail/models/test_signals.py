from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from dovetail.models.signals import rows_changed
from tests.dovetail.shelves.models import Book, Shelf

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
