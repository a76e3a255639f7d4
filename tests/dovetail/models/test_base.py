import pytest

from tests.dovetail.shelves.models import Shelf

pytestmark = pytest.mark.django_db


def test_rows_sort_by_the_time_they_were_made() -> None:
    made = [Shelf.objects.create(name=str(number)) for number in range(20)]

    assert list(Shelf.objects.order_by("id")) == made


def test_saving_moves_only_the_second_time_stamp() -> None:
    shelf = Shelf.objects.create(name="A")
    created, updated = shelf.created_at, shelf.updated_at

    shelf.save()
    shelf.refresh_from_db()

    assert shelf.created_at == created
    assert shelf.updated_at > updated
