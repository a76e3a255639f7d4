from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from apps.core.models import BaseManager, BaseModel, BaseQuerySet

NAME = 80  # characters
SCOPE = 60  # characters


class PersonalAccessTokenQuerySet(BaseQuerySet["PersonalAccessToken"]):
    def valid(self) -> Self:
        """Leave out expired tokens, and those of people who may not sign in."""
        now = timezone.now()
        return self.filter(expires_at__gt=now, user__is_active=True, user__deleted_at=None)


class PersonalAccessToken(BaseModel):
    """Lets a program use the API as a person, for some purposes and for some time.

    `apps.users.access_tokens` makes, finds and revokes them. Of the token itself, the database has
    no more than its first characters, for the list, and a digest.

    Attributes:
        parent: the token that this one was created with, and with which it ends: whoever has
            stolen a token keeps nothing once it is revoked.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens"
    )
    parent = models.ForeignKey(
        "self",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="children",
    )
    name = models.CharField(max_length=NAME)
    scopes = ArrayField(models.CharField(max_length=SCOPE))
    start = models.CharField(max_length=20, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField(db_index=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = BaseManager.from_queryset(PersonalAccessTokenQuerySet)()

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()

    def clean(self) -> None:
        """Check that the token allows what exists, and no more or longer than its parent.

        Raises:
            ValidationError: what is wrong, by field.
        """
        errors: dict[str, Any] = {}
        if unknown := set(self.scopes or ()) - settings.API_SCOPES.keys():
            told = f"{', '.join(sorted(unknown))[:100]}: unknown."
            errors["scopes"] = ValidationError(told, code="unknown")
        elif self.parent and not set(self.scopes) <= set(self.parent.scopes):
            told = f"May only be of {', '.join(self.parent.scopes)}, like the token in use."
            errors["scopes"] = ValidationError(told, code="not_granted")
        end: datetime | None = self.expires_at  # None if the field has an error of its own
        if end is not None and self.is_expired:
            errors["expires_at"] = ValidationError("Must be in the future.", code="past")
        elif end is not None and self.parent and end > self.parent.expires_at:
            told = f"Must not be after {self.parent.expires_at.isoformat()}, like the token in use."
            errors["expires_at"] = ValidationError(told, code="too_late")
        if errors:
            raise ValidationError(errors)
