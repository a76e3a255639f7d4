from datetime import datetime

from django.conf import settings
from django.db import models

from apps.core.models import BaseModel
from apps.users.models.user import User


class DataExport(BaseModel):
    """What this site stores about a person, collected by a task. Only they can download it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="exports")
    content = models.JSONField(null=True, editable=False)  # until the task has run

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"data of {self.user}"

    @property
    def expires_at(self) -> datetime:
        return self.created_at + settings.DATA_EXPORT_LIFETIME
