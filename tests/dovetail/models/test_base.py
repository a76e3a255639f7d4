import pytest

from tests.dovetail.shelves.models import Shelf

pytestmark = pytest.mark.django_db


def test_ids_sort_by_creation_time() -> None:
    made = [Shelf.objects.create(name=str(number)) for number in range(20)]

    assert list(Shelf.objects.order_by("id")) == made


def test_saving_changes_only_updated_at() -> None:
    shelf = Shelf.objects.create(name="A")
    created, updated = shelf.created_at, shelf.updated_at

    shelf.save()
    shelf.refresh_from_db()

    assert shelf.created_at == created
    assert shelf.updated_at > updated
