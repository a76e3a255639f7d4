"""Base classes for models: UUIDv7 keys, timestamps and soft deletion.

Derive your models from the classes in `apps.core.models`, which derive from these:

    class Invoice(SoftDeleteModel):
        number = models.CharField(max_length=20)

    invoice.delete()  # sets `deleted_at` on the invoice and the rows that depend on it
    invoice.restore()  # undoes exactly that deletion

    invoice.delete(by=request.user)  # records who, so that the owner cannot undo a moderator's
    invoice.restore(by=request.user)  # PermissionDenied unless they may
"""

from dovetail.models.base import BaseManager, BaseModel, BaseQuerySet
from dovetail.models.soft_delete import SoftDeleteManager, SoftDeleteModel, SoftDeleteQuerySet

__all__ = [
    "BaseManager",
    "BaseModel",
    "BaseQuerySet",
    "SoftDeleteManager",
    "SoftDeleteModel",
    "SoftDeleteQuerySet",
]
