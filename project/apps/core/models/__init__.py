from apps.core.models.base import BaseModel
from apps.core.models.soft_delete import SoftDeleteModel, SoftDeleteQuerySet

__all__ = ["BaseModel", "SoftDeleteModel", "SoftDeleteQuerySet"]
