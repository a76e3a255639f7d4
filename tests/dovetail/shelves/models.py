"""Test models with every kind of reference that affects a deletion."""

from typing import Any, Self

from django.db import models

from dovetail.media.names import RandomName
from dovetail.models import (
    BaseManager,
    BaseModel,
    SoftDeleteManager,
    SoftDeleteModel,
    SoftDeleteQuerySet,
)
from dovetail.search import SearchConfig, SearchIndex, SearchManager
from dovetail.turbo.models import BroadcastsRefreshes


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


class Label(SoftDeleteModel):
    """Has a unique value that another row can take while it is deleted."""

    shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE)
    text = models.CharField(max_length=20)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["text"],
                condition=models.Q(deleted_at__isnull=True),
                name="label_text_is_unique",
            )
        ]


class Bookmark(SoftDeleteModel):
    book = models.ForeignKey(Book, on_delete=models.CASCADE)


class Loan(SoftDeleteModel):
    """Protects its book from deletion."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT)


class Review(SoftDeleteModel):
    """Survives the deletion of its book."""

    book = models.ForeignKey(Book, on_delete=models.SET_NULL, null=True)


class Stamp(BaseModel):
    """Has no soft deletion, so soft-deleting its book doesn't affect it."""

    survives_soft_deletion = ("book",)

    book = models.ForeignKey(Book, on_delete=models.CASCADE)


class Page(SoftDeleteModel):
    """Has a search index with columns of every type."""

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


class Poster(BroadcastsRefreshes, SoftDeleteModel):
    """Can be followed by pages."""

    refreshes = "posters"

    title = models.CharField(max_length=20)


class Badge(BroadcastsRefreshes, BaseModel):
    """Can be followed, but not soft-deleted."""

    title = models.CharField(max_length=20)

    objects = BaseManager()


class Attachment(BaseModel):
    """Has a file that everyone may see."""

    file = models.FileField(upload_to=RandomName("files"), db_index=True)


class LetterQuerySet(SoftDeleteQuerySet["Letter"]):
    def visible_to(self, user: Any) -> Self:
        return self.filter(models.Q(reader="") | models.Q(reader=str(user.pk)))


class Letter(SoftDeleteModel):
    """Has files that its reader may see, or everyone if it has none; one is kept with others'."""

    reader = models.CharField(max_length=40, blank=True)
    scan = models.FileField(upload_to=RandomName("letters"), db_index=True)
    enclosure = models.FileField(upload_to=RandomName("files"), db_index=True)
    # Stored without a name of the kit, so it is not served.
    note = models.FileField(upload_to="notes/")

    objects = SoftDeleteManager.from_queryset(LetterQuerySet)()
    all_objects = SoftDeleteManager.from_queryset(LetterQuerySet)(with_deleted=True)
