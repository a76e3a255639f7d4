"""Models that exist in tests alone: every shape of reference that a deletion can meet."""

from django.db import models

from dovetail.models import BaseModel, SoftDeleteModel
from dovetail.search import SearchConfig, SearchIndex, SearchManager


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


class Page(SoftDeleteModel):
    """Can be searched and counted in every way."""

    title = models.CharField(max_length=200)
    summary = models.CharField(max_length=200, blank=True)
    body = models.TextField(blank=True)
    kind = models.CharField(max_length=20, blank=True)
    shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE, null=True)
    size = models.IntegerField(null=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    read_at = models.DateTimeField(null=True)
    is_public = models.BooleanField(default=True)

    objects = SearchManager()
    all_objects = SearchManager(with_deleted=True)

    class Meta:
        indexes = [
            SearchIndex(
                SearchConfig({"title": 3, "summary": 2, "body": 1}, autocomplete=["title"]),
                columns=[
                    *("kind", "shelf", "size", "price", "read_at", "is_public", "deleted_at"),
                ],
                name="page_search",
            ),
        ]

    def __str__(self) -> str:
        return self.title
