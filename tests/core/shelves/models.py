"""Models that exist in tests alone: every shape of reference that a deletion can meet."""

from django.db import models

from apps.core.models import BaseModel, SoftDeleteModel


class Shelf(SoftDeleteModel):
    name = models.CharField(max_length=20)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(deleted_at__isnull=True),
                name="shelf_name_is_unique",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Book(SoftDeleteModel):
    shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE, related_name="books")
    sequel_of = models.ForeignKey("self", on_delete=models.CASCADE, null=True)
    title = models.CharField(max_length=20)


class Bookmark(SoftDeleteModel):
    book = models.ForeignKey(Book, on_delete=models.CASCADE)


class Loan(SoftDeleteModel):
    """Keeps its book: a book that is lent cannot be deleted."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT)


class Review(SoftDeleteModel):
    """Outlives its book."""

    book = models.ForeignKey(Book, on_delete=models.SET_NULL, null=True)


class Stamp(BaseModel):
    """Cannot be soft-deleted, so a soft deletion leaves it."""

    book = models.ForeignKey(Book, on_delete=models.CASCADE)
