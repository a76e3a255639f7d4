"""Base classes for models: UUIDv7 keys, timestamps and deletion that can be undone.

Your models extend the classes in `apps.core.models`, which extend these:

    class Invoice(SoftDeleteModel):
        number = models.CharField(max_length=20)

    invoice.delete()  # sets `deleted_at`, on what depends on it too
    invoice.restore()  # undoes exactly that deletion
"""

from dovetail.models.base import BaseModel, BaseQuerySet
from dovetail.models.soft_delete import SoftDeleteManager, SoftDeleteModel, SoftDeleteQuerySet

__all__ = [
    "BaseModel",
    "BaseQuerySet",
    "SoftDeleteManager",
    "SoftDeleteModel",
    "SoftDeleteQuerySet",
]
