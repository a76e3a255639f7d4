"""A GET that writes: rows that it has read from a replica are written to the primary."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from pytest_django.fixtures import Settings

from dovetail.database.replica import REPLICA, ReplicaMiddleware
from dovetail.models.cascade import delete_dependents
from dovetail.models.signals import rows_changed
from tests.dovetail.shelves.models import Attachment, Book, Poster, Shelf
from tests.factories import make_user
from tests.replicas import copy_to_replica, replica_with

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def replica(settings: Settings) -> Iterator[None]:
    with replica_with(settings, Attachment, Book, Poster, Shelf):
        yield
        for model in (Attachment, Book, Poster, Shelf):
            for row in model._base_manager.using(REPLICA).all():
                assert states[row.pk] == state(row)
    states.clear()


states: dict[Any, Any] = {}  # of the rows in the replica, by their keys


def state(row: models.Model) -> dict[str, Any]:
    return {field.name: field.value_from_object(row) for field in row._meta.concrete_fields}


def stored(row: Any) -> Any:
    """Store a row in both databases."""
    row.save()
    copy_to_replica(row)
    states[row.pk] = state(type(row)._base_manager.using(REPLICA).get(pk=row.pk))
    return row


def get(view: Callable[[], Any]) -> None:
    """Call a function as the view of a GET request that reads from the replica."""

    def respond(_: HttpRequest) -> HttpResponse:
        view()
        return HttpResponse()

    ReplicaMiddleware(respond)(RequestFactory().get("/"))


def read(row: Any) -> Any:
    found = type(row)._base_manager.get(pk=row.pk)
    assert found._state.db == REPLICA
    return found


def test_row_is_deleted_with_its_cascade_and_restored() -> None:
    shelf = stored(Shelf(name="one"))
    book = stored(Book(shelf=shelf, title="book"))

    def delete() -> None:
        row = read(shelf)
        row.delete()
        assert row.is_deleted

    get(delete)
    assert not Shelf.objects.exists()
    assert not Book.objects.exists()

    def restore() -> None:
        row = read(shelf)  # the replica does not know of the deletion
        row.deleted_at = Shelf.all_objects.using("default").get().deleted_at
        assert row.restore() == 2

    get(restore)
    assert [*Shelf.objects.all(), *Book.objects.all()] == [shelf, book]


def test_dependents_are_deleted() -> None:
    shelf = stored(Shelf(name="one"))
    stored(Book(shelf=shelf, title="book"))

    get(lambda: delete_dependents(read(shelf), timezone.now()))

    assert not Book.objects.exists()


@pytest.mark.parametrize("is_for_good", [False, True])
def test_rows_are_deleted_in_bulk(is_for_good: bool) -> None:
    stored(Book(shelf=stored(Shelf(name="one")), title="book"))
    rows = Shelf.objects.all()

    get(rows.hard_delete if is_for_good else rows.delete)

    assert not Book.objects.exists()
    assert Shelf.all_objects.count() == (0 if is_for_good else 1)


def test_rows_are_restored_in_bulk() -> None:
    """The replica does not know yet that they are deleted."""
    shelf, person = stored(Shelf(name="one")), make_user()
    shelf.delete()

    get(lambda: Shelf.all_objects.take_over_deletion(person))
    assert Shelf.all_objects.get().deleted_by_id == person.pk

    get(Shelf.all_objects.restore)
    assert Shelf.objects.get() == shelf


def test_change_in_bulk_is_announced_for_the_rows_that_changed() -> None:
    """Those that the replica does not have yet too."""
    posters = [stored(Poster(title="old")), Poster(title="new")]
    posters[1].save()
    announced: list[Any] = []

    def on_change(pks: list[Any], using: str, **_: Any) -> None:
        announced.extend((using, pk) for pk in pks)

    rows_changed.connect(on_change, sender=Poster)
    try:
        get(lambda: Poster.objects.update(title="changed"))
    finally:
        rows_changed.disconnect(on_change, sender=Poster)

    assert set(announced) == {("default", poster.pk) for poster in posters}
    assert {poster.title for poster in Poster.objects.all()} == {"changed"}


def test_files_are_replaced_and_deleted_with_their_rows() -> None:
    row = stored(Attachment(file=ContentFile(b"old", name="old.txt")))
    old, storage = row.file.name, row.file.storage

    def replace() -> None:
        found = read(row)
        found.file = ContentFile(b"new", name="new.txt")
        found.save()

    get(replace)
    new = Attachment.objects.get().file.name
    assert [storage.exists(name) for name in (old, new)] == [False, True]

    get(lambda: read(row).delete())
    assert not Attachment.objects.exists()
    assert not storage.exists(new)
