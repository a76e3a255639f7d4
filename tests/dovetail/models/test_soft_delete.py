import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from dovetail.models import SoftDeleteModel
from tests.dovetail.shelves.models import Book, Bookmark, Loan, Review, Shelf, Stamp

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf() -> Shelf:
    return Shelf.objects.create(name="A")


@pytest.fixture
def book(shelf: Shelf) -> Book:
    return shelf.books.create(title="Emma")


def is_undeleted(row: SoftDeleteModel) -> bool:
    row.refresh_from_db()
    return not row.is_deleted


def test_delete_hides_the_row_but_keeps_it(shelf: Shelf) -> None:
    assert shelf.delete() == (1, {"shelves.Shelf": 1})

    assert shelf.is_deleted
    assert not Shelf.objects.exists()
    assert Shelf.all_objects.get() == shelf


def test_delete_and_restore_include_the_cascade(shelf: Shelf, book: Book) -> None:
    sequel = shelf.books.create(title="Emma 2", sequel_of=book)
    mark = Bookmark.objects.create(book=sequel)

    assert shelf.delete() == (
        4,
        {"shelves.Shelf": 1, "shelves.Book": 2, "shelves.Bookmark": 1},
    )
    assert not any(map(is_undeleted, (book, sequel, mark)))

    assert shelf.restore() == 4
    assert all(map(is_undeleted, (shelf, book, sequel, mark)))


def test_restore_undoes_one_deletion(shelf: Shelf, book: Book) -> None:
    earlier = shelf.books.create(title="Lost")
    earlier.delete()
    shelf.delete()

    shelf.restore()

    assert is_undeleted(book)
    assert not is_undeleted(earlier)


def test_deleting_a_deleted_row_changes_nothing(book: Book) -> None:
    book.delete()
    at = book.deleted_at

    assert book.delete() == (0, {})
    assert book.deleted_at == at


def test_restoring_an_undeleted_row_changes_nothing(book: Book) -> None:
    assert book.restore() == 0


def test_circular_references_are_deleted_and_restored(shelf: Shelf) -> None:
    first = shelf.books.create(title="One")
    second = shelf.books.create(title="Two", sequel_of=first)
    first.sequel_of = second
    first.save()

    assert first.delete()[0] == 2
    assert first.restore() == 2


def test_related_rows_without_soft_deletion_are_untouched(book: Book) -> None:
    Stamp.objects.create(book=book)
    review = Review.objects.create(book=book)

    book.delete()

    assert Stamp.objects.get().book == book
    assert is_undeleted(review)
    assert review.book == book


def test_protected_row_prevents_the_whole_deletion(shelf: Shelf, book: Book) -> None:
    loan = Loan.objects.create(book=book)

    with pytest.raises(models.ProtectedError, match="loans"):
        shelf.delete()
    assert is_undeleted(shelf)
    assert is_undeleted(book)

    loan.delete()
    shelf.delete()
    assert not is_undeleted(book)


def test_child_cannot_be_restored_before_its_parent(shelf: Shelf, book: Book) -> None:
    shelf.delete()
    book.refresh_from_db()

    with pytest.raises(ValidationError, match="Restore the shelf “A” first"):
        book.restore()
    assert book.is_deleted
    assert not is_undeleted(book)


def test_unique_value_can_be_reused_after_deletion(shelf: Shelf) -> None:
    shelf.delete()
    Shelf.objects.create(name="A")

    with pytest.raises(ValidationError):
        shelf.restore()
    assert shelf.is_deleted
    assert not is_undeleted(shelf)


def test_undeleted_rows_stay_unique(shelf: Shelf) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Shelf.objects.create(name=shelf.name)


def test_queryset_soft_deletes_and_restores(shelf: Shelf, book: Book) -> None:
    other = Shelf.objects.create(name="B")

    assert Shelf.objects.all().delete()[1] == {"shelves.Shelf": 2, "shelves.Book": 1}
    assert not Shelf.objects.exists()

    assert Shelf.all_objects.restore() == 3
    assert all(map(is_undeleted, (shelf, other, book)))


def test_related_manager_hides_deleted_rows_and_soft_deletes(shelf: Shelf, book: Book) -> None:
    shelf.books.all().delete()

    assert not shelf.books.exists()
    assert not is_undeleted(book)
    assert is_undeleted(shelf)


def test_failing_restore_of_a_queryset_restores_nothing(shelf: Shelf) -> None:
    other = Shelf.objects.create(name="B")
    Shelf.objects.all().delete()
    Shelf.objects.create(name="B")

    with pytest.raises(ValidationError):
        Shelf.all_objects.filter(pk__in=[shelf.pk, other.pk]).restore()
    assert not is_undeleted(shelf)


def test_hard_delete_removes_the_row_and_its_cascade(shelf: Shelf, book: Book) -> None:
    Stamp.objects.create(book=book)

    shelf.hard_delete()

    assert not Shelf.all_objects.exists()
    assert not Book.all_objects.exists()
    assert not Stamp.objects.exists()


def test_queryset_hard_deletes_deleted_rows(shelf: Shelf) -> None:
    keep = Shelf.objects.create(name="B")
    shelf.delete()

    Shelf.all_objects.deleted().hard_delete()

    assert list(Shelf.all_objects.all()) == [keep]


def test_deleted_row_can_still_be_saved(shelf: Shelf) -> None:
    shelf.delete()
    shelf.name = "Z"
    shelf.save()

    assert Shelf.all_objects.get().name == "Z"
