from django.db import models

from apps.core.uuid7 import uuid7


class BaseModel(models.Model):
    """What every table of ours has: an identifier that sorts by time, and two time stamps."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
