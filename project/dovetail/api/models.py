"""The kit's tables for an API."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone


class StoredAnswerQuerySet(models.QuerySet["StoredAnswer"]):
    def current(self) -> Self:
        """Limit to the answers that are still replayed."""
        return self.filter(created_at__gt=_oldest())

    def expired(self) -> Self:
        return self.filter(created_at__lte=_oldest())


def _oldest() -> datetime:
    return timezone.now() - timedelta(hours=settings.IDEMPOTENCY_HOURS)


class StoredAnswer(models.Model):
    """What was answered to a request with an `Idempotency-Key`; see `dovetail.api.idempotency`.

    It has no UUID: nothing refers to it, and it is only ever found by its digest.

    Attributes:
        digest: of the key and of everything that it is valid for.
        user: whose key it is; with their account, the answer goes.
        fingerprint: of the request, to recognize the key of another one.
        body: None if it was too large to keep.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField()
    body = models.BinaryField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = StoredAnswerQuerySet.as_manager()

    def __str__(self) -> str:
        return self.digest
