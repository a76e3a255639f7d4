"""The base classes of your models. What you add to them reaches every model of the project."""

from dovetail import models as kit
from dovetail.models import BaseManager, BaseQuerySet, SoftDeleteManager, SoftDeleteQuerySet
from dovetail.search import SearchManager, SearchQuerySet

__all__ = [
    "BaseManager",
    "BaseModel",
    "BaseQuerySet",
    "SearchManager",
    "SearchQuerySet",
    "SoftDeleteManager",
    "SoftDeleteModel",
    "SoftDeleteQuerySet",
]


class BaseModel(kit.BaseModel):
    """A model with a UUIDv7 `id`, `created_at` and `updated_at`."""

    class Meta:
        abstract = True


class SoftDeleteModel(kit.SoftDeleteModel, BaseModel):
    """A `BaseModel` whose `delete()` can be undone with `restore()`."""

    class Meta:
        abstract = True
