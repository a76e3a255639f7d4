from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.core.models import BaseManager, BaseModel, BaseQuerySet
from apps.users.models.user import User


class DataExportQuerySet(BaseQuerySet["DataExport"]):
    def for_list(self) -> Self:
        """Load whether an export `is_ready`, but not its content."""
        return self.annotate(is_ready=Q(content__isnull=False)).defer("content")

    def available(self) -> Self:
        """Limit to the exports that can be downloaded: collected, and not too old."""
        oldest = timezone.now() - settings.DATA_EXPORT_LIFETIME
        return self.filter(content__isnull=False, created_at__gte=oldest)


class DataExport(BaseModel):
    """What this site stores about a person, collected by a task. Only they can download it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="exports")
    content = models.JSONField(null=True, editable=False)  # until the task has run

    objects = BaseManager.from_queryset(DataExportQuerySet)()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"data of {self.user}"

    @property
    def expires_at(self) -> datetime:
        return self.created_at + settings.DATA_EXPORT_LIFETIME
